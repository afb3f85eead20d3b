"""Keeps what services were, and says how they stand: intervals from samples, put right when samples come in late."""

from __future__ import annotations

from collector.promises.accounts import Accounts
from collector.promises.keeping import Keeping
from collector.promises.services import Services

__all__ = ["Accounts", "Keeping", "Services"]
