"""Which problems are meant: what routes, silences and maintenance windows have in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from rules.labels import fits, is_pattern, listed, one_of
from rules.model import RANK, Severity


class Trouble(Struct, frozen=True):
    """What can be seen of one alert. `labels` are its host's, with the host's name as `host`; `services` those that it
    touches. `observed` says that its rule is only being tried."""

    severity: Severity
    rule: str = ""
    category: str = ""
    subject: str = ""
    labels: Mapping[str, str] = {}
    services: Collection[str] = ()
    observed: bool = False


class Match(Struct, kw_only=True, frozen=True):
    """Which problems are meant. What is left out may be anything; all that is given must fit.

    where: the hosts they are about, by label; `host` is the host's name, and * stands for anything
    from_severity: only from this severity on
    rules: the names of their rules; * stands for anything
    categories: the categories of their rules
    services: the services they touch
    subject: what they are about, as pages and programs name it
    """

    where: dict[str, str | list[str]] = {}
    from_severity: Severity = "info"
    rules: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    subject: str = ""

    @property
    def is_about_all(self) -> bool:
        narrowed = self.where or self.rules or self.categories or self.services or self.subject
        return not narrowed and self.from_severity == "info"

    def fits(self, trouble: Trouble, services: Collection[str] = ()) -> bool:
        """Whether a trouble is one of them; `services` are those that somebody says its incident touches."""
        return (
            RANK[trouble.severity] >= RANK[self.from_severity]
            and one_of(self.rules, trouble.rule)
            and one_of(self.categories, trouble.category)
            and (
                not self.services or any(one_of(self.services, one) for one in (*trouble.services, *services))
            )
            and self.subject in ("", trouble.subject)
            and fits(self.where, trouble.labels)
        )

    @property
    def hosts(self) -> Sequence[str] | None:
        """The names of the only hosts that it can be about; None where that takes a closer look."""
        named = listed(self.where.get("host", ()))
        return named if named and not any(map(is_pattern, named)) else None
