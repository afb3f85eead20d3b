"""A Watch with hosts in it that tests drive batch by batch; it checks on the way that judging changes nothing."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict

from rules.capacity.forecast import Past
from rules.judging.engine import Rule
from rules.judging.judge import apply, judge, repair, repairs_due, tick
from rules.judging.slow import asked, due, foretell, judge_slow
from rules.kinds import absence, threshold
from rules.memory.seen import Seen
from rules.memory.watch import Watch
from rules.model import (
    Alert,
    Arrival,
    ChannelView,
    CheckAnswer,
    Host,
    Incident,
    Notice,
    Outcome,
    RuleState,
    Severity,
    Transition,
)
from rules.policy import Policy

T0 = 1_795_140_000_000
"""2026-11-20 02:00:00 UTC"""
EVERY_MS = 10_000


def limit(name: str, metric: str, **options: object) -> threshold.Rule:
    return threshold.Rule(threshold.Options(name=name, metric=metric, **options))  # type: ignore[arg-type]


def silence(name: str = "absent", **options: object) -> absence.Rule:
    return absence.Rule(absence.Options(name=name, **options))  # type: ignore[arg-type]


class Row(Struct, frozen=True):
    at: int
    every_ms: int
    layout: tuple[str, ...]
    values: np.ndarray


NEAR_MS = 12 * 3_600_000


def past_of(rows: Sequence[Row], name: str) -> Past:
    """What rows tell of a series: all of it, and its newest hours."""
    known = [(row.at, row.values[row.layout.index(name)]) for row in rows if name in row.layout]
    at = np.array([moment for moment, _ in known], dtype=np.int64)
    values = np.array([value for _, value in known], dtype=np.float64)
    near = at >= at[-1] - NEAR_MS
    return Past((at, values), (at[near], values[near]))


def frozen(watch: Watch) -> bytes:
    """Everything in a Watch but its memo of plans."""
    return pickle.dumps({name: value for name, value in vars(watch).items() if name != "plans"})


class House:
    """Hosts by number, named h1, h2 ...; times are seconds after T0."""

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        hosts: Sequence[Host] = (Host(1, "h1"),),
        channels: Sequence[ChannelView] = (ChannelView("mail"),),
        policy: Policy | None = None,
        watch: Watch | None = None,
        check_purity: bool = True,
    ) -> None:
        self.watch = watch or remembered(rules, channels=channels, policy=policy, hosts=hosts)
        self.check_purity = check_purity
        self.rows: dict[int, list[Row]] = {}
        self.outcomes: list[Outcome] = []
        self._seq: dict[int, int] = {}

    # --- what happens ---

    def batch(
        self,
        at_s: float,
        values: Mapping[str, float | None],
        *,
        host: int = 1,
        arrived_s: float | None = None,
        every_ms: int = EVERY_MS,
        checks: Sequence[CheckAnswer] = (),
        **more: object,
    ) -> Outcome:
        arrived = T0 + round(1000 * (at_s if arrived_s is None else arrived_s))
        seq = self._seq[host] = self._seq.get(host, -1) + 1
        arrival = Arrival(
            host=host,
            spool="a" * 32,
            seq=seq,
            floor=0,
            at=T0 + round(1000 * at_s),
            arrived_at=arrived,
            every_ms=every_ms,
            skew_ms=0,
            layout=tuple(values),
            values=np.array(
                [np.nan if value is None else value for value in values.values()], dtype=np.float64
            ),
            checks=list(checks),
        )
        for name, value in more.items():
            setattr(arrival, name, value)
        return self.arrive(arrival)

    def bye(self, at_s: float, how: str, *, host: int = 1, arrived_s: float | None = None) -> Outcome:
        """What an agent says before it stops as planned."""
        return self.batch(at_s, {}, host=host, arrived_s=arrived_s, flags=(how,))

    def arrive(self, arrival: Arrival, now: int | None = None) -> Outcome:
        outcome = self._take(lambda: judge(self.watch, arrival, arrival.arrived_at if now is None else now))
        if outcome.arrival is not None:
            row = Row(arrival.at, arrival.every_ms, arrival.layout, arrival.values)
            self.rows.setdefault(arrival.host, []).append(row)
            self.rows[arrival.host].sort(key=lambda row: row.at)
        return outcome

    def tick(self, now_s: float) -> Outcome:
        return self._take(lambda: tick(self.watch, T0 + round(1000 * now_s)))

    def repair(self, now_s: float) -> list[Outcome]:
        """Repair every host that is due."""
        now = T0 + round(1000 * now_s)
        done = []
        for host, start in repairs_due(self.watch, now):
            rows = [row for row in self.rows[host] if row.at >= start]
            done.append(self._take(lambda host=host, rows=rows: repair(self.watch, host, rows, now)))
        return done

    def look(self, now_s: float) -> list[Outcome]:
        """Look at the long past of every host that is due."""
        now = T0 + round(1000 * now_s)
        done = []
        for host in due(self.watch, now):
            rows = [row for row in self.rows[host] if row.at <= now]
            newest = dict(zip(rows[-1].layout, rows[-1].values.tolist(), strict=True))
            wanted = asked(self.watch.hosts[host], newest)
            forecasts = foretell(wanted, {name: past_of(rows, name) for _, name in wanted}, now)
            done.append(
                self._take(
                    lambda host=host, newest=newest, forecasts=forecasts: judge_slow(
                        self.watch, host, newest, forecasts, now
                    )
                )
            )
        return done

    def _take(self, decide: object) -> Outcome:
        before = frozen(self.watch) if self.check_purity else b""
        outcome: Outcome = decide()  # type: ignore[operator]
        if self.check_purity:
            assert frozen(self.watch) == before, "judging changed the Watch"
        apply(self.watch, outcome)
        self.outcomes.append(outcome)
        return outcome

    # --- what came of it ---

    @property
    def notices(self) -> list[Notice]:
        return [notice for outcome in self.outcomes for notice in outcome.notices]

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """(channel, reason, severity) of every notice, in order."""
        return [(notice.channel, notice.reason, notice.severity) for notice in self.notices]

    @property
    def transitions(self) -> list[Transition]:
        return [transition for outcome in self.outcomes for transition in outcome.transitions]

    @property
    def steps(self) -> list[str]:
        """Transitions in short: "cpu ok>pending"."""
        return [f"{step.rule} {step.before}>{step.after}" for step in self.transitions]

    def state(self, rule: str, host: int = 1) -> RuleState | None:
        memory = self.watch.hosts[host]
        found = [state for state in memory.states() if state.rule == rule]
        assert len(found) <= 1, f"{rule} has more than one state: {found}"
        return found[0] if found else None

    def stands(self, rule: str, host: int = 1) -> str:
        state = self.state(rule, host)
        return state.state if state else "ok"

    @property
    def open_alerts(self) -> list[Alert]:
        return [alert for alert in self.watch.alerts.values() if alert.resolved_at is None]

    @property
    def open_incidents(self) -> list[Incident]:
        return [incident for incident in self.watch.incidents.values() if incident.resolved_at is None]


class Rest(Struct):
    """What a store would give back after a restart."""

    hosts: list[Host]
    seen: list[Seen]
    states: list[RuleState]
    alerts: list[Alert]
    incidents: list[Incident]
    next_alert: int
    next_incident: int
    sent: list[tuple[str, Severity, int]] = []


def stored(watch: Watch) -> Rest:
    memories = watch.hosts.values()
    return Rest(
        hosts=[memory.host for memory in memories],
        seen=[seen for memory in memories for seen in memory.seen.values()],
        states=[
            *(state for memory in memories for state in memory.states()),
            *watch.together.values(),
            *watch.gathered.values(),
        ],
        alerts=[alert for alert in watch.alerts.values() if alert.resolved_at is None],
        incidents=list(watch.incidents.values()),
        next_alert=watch.next_alert,
        next_incident=watch.next_incident,
        sent=[
            (channel, "critical" if critical else "warning", at)
            for (channel, critical), times in watch.ledger._sent.items()
            for at in times
        ],
    )


def remembered(
    rules: Sequence[Rule],
    *,
    channels: Sequence[ChannelView] = (ChannelView("mail"),),
    policy: Policy | None = None,
    hosts: Sequence[Host] = (),
    rest: Rest | None = None,
    started_s: float = 0,
) -> Watch:
    rest = rest or Rest(list(hosts), [], [], [], [], 1, 1)
    return Watch.from_remembered(
        instance="0123456789ab",
        rules=rules,
        channels=channels,
        policy=policy,
        started_at=T0 + round(1000 * started_s),
        **asdict(rest),
    )
