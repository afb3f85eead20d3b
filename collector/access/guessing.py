"""Against guessing: whoever is wrong again and again has to wait, longer each time, and nobody else has to wait long.

Three counts are kept. That of one network for one user, and that of a network for all users, grow to long pauses: they
hit who guesses. That of a user from everywhere grows to a short pause only. A browser in which that user logged in
before has a count of its own instead of these; so nobody can keep an owner out by being wrong in their name.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

PAIR_FREE, NETWORK_FREE, USER_FREE = 5, 20, 10
"""How often one may be wrong before there is any pause."""
PAIR_PAUSE_S_MAX, NETWORK_PAUSE_S_MAX, USER_PAUSE_S_MAX = 900, 900, 30
FORGOTTEN_AFTER_S = 3_600
ENTRIES_MAX = 10_000


class Try(Struct, frozen=True):
    """`user` is a name as it was typed in, be there such a user or not: the pauses do not tell. `device` is what the
    browser is called, if that user logged in there before."""

    user: str
    network: str
    device: str = ""

    @property
    def pair(self) -> str:
        return f"device {self.device}" if self.device else f"{self.network} {self.user.casefold()}"


class _Wrong(Struct):
    times: int = 0
    last_s: float = 0.0


class _Counts:
    """How often each name was wrong, of a bounded number of names: those heard of longest ago are forgotten."""

    def __init__(self, free: int, pause_s_max: float) -> None:
        self._free, self._pause_s_max = free, pause_s_max
        self._wrong: OrderedDict[str, _Wrong] = OrderedDict()

    def pause_s(self, name: str, now_s: float) -> float:
        """How long from now until the next try."""
        wrong = self._wrong.get(name)
        if wrong is None or wrong.times < self._free or now_s - wrong.last_s > FORGOTTEN_AFTER_S:
            return 0.0
        pause_s = min(self._pause_s_max, 2.0 ** min(wrong.times - self._free, 30))
        return max(0.0, wrong.last_s + pause_s - now_s)

    def add(self, name: str, now_s: float) -> bool:
        """One more wrong try. Whether a pause begins by it that there was not before."""
        wrong = self._wrong.pop(name, None)
        if wrong is None or now_s - wrong.last_s > FORGOTTEN_AFTER_S:
            wrong = _Wrong()
        wrong.times, wrong.last_s = wrong.times + 1, now_s
        self._wrong[name] = wrong
        if len(self._wrong) > ENTRIES_MAX:
            self._wrong.popitem(last=False)
        return wrong.times == self._free

    def clear(self, name: str) -> None:
        self._wrong.pop(name, None)

    def __len__(self) -> int:
        return len(self._wrong)


class Guessing:
    def __init__(self) -> None:
        self._pairs = _Counts(PAIR_FREE, PAIR_PAUSE_S_MAX)
        self._networks = _Counts(NETWORK_FREE, NETWORK_PAUSE_S_MAX)
        self._users = _Counts(USER_FREE, USER_PAUSE_S_MAX)

    def pause_s(self, one: Try, now_s: float) -> float:
        """How long they have to wait before a password is looked at."""
        pause_s = self._pairs.pause_s(one.pair, now_s)
        if one.device:
            return pause_s
        return max(
            pause_s,
            self._networks.pause_s(one.network, now_s),
            self._users.pause_s(one.user.casefold(), now_s),
        )

    def was_wrong(self, one: Try, now_s: float) -> bool:
        """Whether a pause begins by it that there was not before: worth a line in the audit trail."""
        begun = [self._pairs.add(one.pair, now_s)]
        if not one.device:
            begun += [self._networks.add(one.network, now_s), self._users.add(one.user.casefold(), now_s)]
        return any(begun)

    def was_right(self, one: Try) -> None:
        self._pairs.clear(one.pair)

    def __len__(self) -> int:
        """How much is remembered."""
        return len(self._pairs) + len(self._networks) + len(self._users)
