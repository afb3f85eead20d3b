"""The reading of arguments, for people who mistype."""

from __future__ import annotations

import argparse
from typing import Any

from collector.cli.close import did_you_mean


class Parser(argparse.ArgumentParser):
    """Of a command or a choice that is none, it says which may have been meant."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError:
            meant = did_you_mean(str(value), map(str, action.choices or ()))
            if not meant:
                raise
            raise argparse.ArgumentError(action, f"{value!r} is none{meant}") from None
