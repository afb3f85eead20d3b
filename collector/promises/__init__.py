"""Keeps what services were, and says how they stand: intervals from samples, put right when samples come in late."""

from __future__ import annotations

from collector.promises.accounts import Accounts, NotThere
from collector.promises.keeping import Keeping
from collector.promises.numbers import Numbers
from collector.promises.services import Services
from collector.promises.works import Works

__all__ = ["Accounts", "Keeping", "NotThere", "Numbers", "Services", "Works"]
