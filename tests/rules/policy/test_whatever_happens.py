"""Whatever silences, acknowledgements, caps, quiet hours, restarts and flapping come between: nobody is told of a
beginning twice, and whoever was told hears of the end."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.judging.acts import Acknowledge, Act, Refused, Snooze, Unacknowledge, act
from rules.judging.judge import apply, tick
from rules.model import ChannelView, Host, Notice, Outcome
from rules.policy import Maintenance, Policy, Route, Silence, Step
from tests.rules.house import T0, House, limit, remembered, stored
from tests.rules.policy.cases import believed

MINUTE_S, HOUR_S = 60, 3600
RULES = [limit("disk", "disk_used_pct", above={"warning": 85.0, "critical": 95.0})]
HOSTS = [Host(number, f"h{number}", {"site": "lyon" if number < 3 else "oslo"}) for number in range(1, 5)]
CHANNELS = [
    ChannelView("mail", per_hour=2), ChannelView("pager", "critical"), ChannelView("log", "info"), ChannelView("boss"),
]  # fmt: skip
STEPS = (Step(after_s=300, channels=("boss",)), Step(after_s=900, channels=("mail",)))
ROUTES: list[list[Route]] = [
    [],
    [Route(channels=("mail", "log"), escalate=STEPS, repeat_s={"warning": 600.0, "critical": 300.0})],
    [Route(channels=("*",), group_by=("site",), group_wait_s=45)],
    [
        Route(from_severity="critical", channels=("pager",), continue_=True, quiet_hours=()),
        Route(where={"site": "lyon"}, channels=("mail",), when="daily 02:10 to 12:00"),
        Route(channels=("log",), group_by=("host",)),
    ],
]
QUIET = [(), "daily 01:00 to 02:20", "daily 02:30 to 02:50"]
WORK = Maintenance(name="work", when="cron */30 * * * * for 7m", where={"host": ["h1", "h2"]})


def silence(at_s: int, lasts_s: int, host: str) -> Silence:
    return Silence(where={"host": host}, start=T0 + at_s * 1000, end=T0 + (at_s + lasts_s) * 1000, by="ada")


events = st.one_of(
    st.tuples(st.just("batch"), st.integers(1, 4), st.sampled_from([10.0, 10.0, 88.0, 96.0, None])),
    st.tuples(st.just("wait"), st.sampled_from([1, 10, 61, 300, 700, 2000])),
    st.tuples(st.just("silence"), st.sampled_from(["h1", "h*"]), st.sampled_from([30, 900, 4000])),
    st.tuples(st.sampled_from(["ack", "unack", "snooze"]), st.integers(1, 4), st.sampled_from([60, 1000])),
    st.tuples(st.just("restart")),
)
policies = st.tuples(st.sampled_from(ROUTES), st.sampled_from(QUIET), st.booleans())


class Night:
    """A story told with a tick whenever one is due, and every `tick_s` besides."""

    def __init__(self, routes: list[Route], quiet: Any, work: bool, tick_s: int = 10**9) -> None:
        self.given = {"routes": routes, "quiet_hours": quiet, "maintenance": [WORK] if work else []}
        self.silences: list[Silence] = []
        self.house = House(RULES, hosts=HOSTS, channels=CHANNELS, policy=self.policy, check_purity=False)
        self.now_s, self.tick_s, self.outcomes = 0, tick_s, list[Outcome]()

    @property
    def policy(self) -> Policy:
        return Policy(**self.given, silences=self.silences)

    def take(self, event: tuple[Any, ...]) -> None:
        match event:
            case "batch", host, value:
                values = {'disk_used_pct{mount="/"}': value, "load1": 1.0}
                self.outcomes.append(self.house.batch(self.now_s, values, host=host))
                self.wait(1)
            case "wait", seconds:
                self.wait(seconds)
            case "silence", host, lasts_s:
                self.silences.append(silence(self.now_s, lasts_s, host))
                self.house.watch.replace_policy(self.policy)
                self.tick(T0 + self.now_s * 1000)
            case ("restart",):
                self.house.watch = remembered(
                    RULES,
                    channels=CHANNELS,
                    policy=self.policy,
                    rest=stored(self.house.watch),
                    started_s=self.now_s,
                )
                self.tick(T0 + self.now_s * 1000)
            case what, incident, seconds:
                self.act(what, incident, seconds)

    def act(self, what: str, incident: int, seconds: int) -> None:
        now = T0 + self.now_s * 1000
        acts: dict[str, Act] = {
            "ack": Acknowledge(incident, "ada"),
            "unack": Unacknowledge(incident, "ada"),
            "snooze": Snooze(incident, "ada", now + seconds * 1000),
        }
        try:
            outcome = act(self.house.watch, acts[what], now)
        except Refused:
            return
        apply(self.house.watch, outcome)
        self.outcomes.append(outcome)

    def wait(self, seconds: int) -> None:
        """Let time pass, and look whenever there may be something to be told."""
        until = T0 + (self.now_s + seconds) * 1000
        at = T0 + self.now_s * 1000
        while at < until:
            due = [when for when in self.house.watch.looks._at.values() if when > at]
            regular = at + self.tick_s * 1000 - (at - T0) % (self.tick_s * 1000)
            at = min([until, regular, *due])
            self.tick(at)
        self.now_s += seconds

    def tick(self, at: int) -> None:
        outcome = tick(self.house.watch, at)
        apply(self.house.watch, outcome)
        self.outcomes.append(outcome)

    @property
    def notices(self) -> list[Notice]:
        return [notice for outcome in self.outcomes for notice in outcome.notices]


@given(policies, st.lists(events, max_size=30))
@settings(max_examples=150, deadline=None)
def test_nobody_is_told_of_it_twice_and_whoever_was_told_hears_of_the_end(
    policy: Any, story: list[tuple[Any, ...]]
) -> None:
    night = Night(*policy)
    for event in story:
        night.take(event)
        remembered_of = {
            (incident.id, channel)
            for incident in night.house.watch.incidents.values()
            for channel in incident.told
        }
        assert believed(night.notices) == remembered_of
    for host in HOSTS:
        night.take(("batch", host.id, 10.0))
    night.wait(24 * HOUR_S)
    assert believed(night.notices) == set()
    ids = [notice.id for notice in night.notices]
    assert len(set(ids)) == len(ids)
    assert not [at for at in night.house.watch.looks._at.values() if at < T0 + night.now_s * 1000]


@given(policies, st.lists(events.filter(lambda event: event[0] != "restart"), max_size=20))
@settings(max_examples=60, deadline=None)
def test_it_does_not_matter_how_often_it_is_looked(policy: Any, story: list[tuple[Any, ...]]) -> None:
    routes, quiet, work = policy
    seldom, often = Night(routes, quiet, work), Night(routes, quiet, work, tick_s=7)
    for event in story:
        seldom.take(event)
        often.take(event)
    assert [(one.id, one.created_at, one.title) for one in often.notices] == [
        (one.id, one.created_at, one.title) for one in seldom.notices
    ]


@given(policies, st.lists(events, max_size=25))
@settings(max_examples=60, deadline=None)
def test_a_cap_holds_but_for_ends_and_digests(policy: Any, story: list[tuple[Any, ...]]) -> None:
    night = Night(*policy)
    for event in story:
        night.take(event)
    sent = [
        one.created_at
        for one in night.notices
        if one.channel == "mail" and one.reason not in ("resolved", "digest")
    ]
    for at in sent:
        alone = [other for other in sent if at - HOUR_S * 1000 < other <= at]
        assert len(alone) <= 2 + 6, "two in an hour, and what a digest of one became: six at most"
