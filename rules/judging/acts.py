"""What a person or a program does to an incident: judged like a batch, so that there is one judge and one order.

An incident may be resolved by hand while a rule is still bad. Its alerts are closed then and everybody who was told
hears that it is over; the rules stay as they are, hushed: each opens no other alert until it has been ok once or gets
graver than it was. So a person's word is neither taken back by the next sample nor a blindfold for ever.

One that is over can still be written about: remarks, who cares for it, post-mortem, services. It cannot be brought to
life again; what comes back opens a round of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, structs

from rules import words
from rules.judging.record import Recorder
from rules.memory.watch import Watch
from rules.model import Change, Incident, Outcome, Remark, RemarkKind, Severity

TITLE_CHARS_MAX = 200
TEXT_CHARS_MAX = 10_000
POSTMORTEM_CHARS_MAX = 100_000
SERVICES_MAX = 50
SNOOZE_MS_MAX = 30 * 86_400_000


class Acknowledge(Struct, frozen=True, tag_field="act", tag="acknowledge"):
    """Somebody has it. Who came first stays named; nothing changes when they say so again."""

    incident: int
    by: str
    note: str = ""


class Unacknowledge(Struct, frozen=True, tag_field="act", tag="unacknowledge"):
    """Nobody has it any more."""

    incident: int
    by: str
    note: str = ""


class Resolve(Struct, frozen=True, tag_field="act", tag="resolve"):
    """It is over, because a person says so."""

    incident: int
    by: str
    note: str = ""


class Note(Struct, frozen=True, tag_field="act", tag="note"):
    incident: int
    by: str
    text: str


class Publish(Struct, frozen=True, tag_field="act", tag="publish"):
    """What everybody may read of it, on the status page: an update in a person's words. The first line of the first is
    what it is called there; nothing else that is said of an incident ever gets there."""

    incident: int
    by: str
    text: str


class Assign(Struct, frozen=True, tag_field="act", tag="assign"):
    """From now on `to` cares for it; nobody in particular if that is empty."""

    incident: int
    by: str
    to: str


class Snooze(Struct, frozen=True, tag_field="act", tag="snooze"):
    """Nobody wants to hear of it again until then, unless it gets graver or is over."""

    incident: int
    by: str
    until: int


class Open(Struct, frozen=True, tag_field="act", tag="open"):
    """Something is wrong that no rule sees. It is told like any other, and over when a person says so."""

    title: str
    severity: Severity
    by: str
    text: str = ""
    services: tuple[str, ...] = ()


class Edit(Struct, frozen=True, tag_field="act", tag="edit"):
    """Say it better: what is None stays as it is. A title or severity that a person set is left alone by the judge.

    `upon` is the version of the post-mortem that was read before this one was written: where somebody saved another
    meanwhile, it is refused, so that nobody's text is lost. None does not ask.
    """

    incident: int
    by: str
    title: str | None = None
    severity: Severity | None = None
    services: tuple[str, ...] | None = None
    postmortem: str | None = None
    upon: str | None = None


Changing = Acknowledge | Unacknowledge | Note | Publish | Assign | Snooze | Edit


class Several(Struct, frozen=True, tag_field="act", tag="several"):
    """All of these, in this order, or none of them; what ends it comes last."""

    incident: int
    by: str
    acts: tuple[Changing | Resolve, ...]


Act = Changing | Resolve | Open | Several


class Refused(Exception):
    """It cannot be done. `code` is for programs: `unknown_incident`, `already_resolved`, `changed_meanwhile` or
    `invalid`."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code, self.sentence = code, sentence


def act(watch: Watch, what: Act, now: int, kept: Incident | None = None) -> Outcome:
    """What follows from an act. Refused when it cannot be done.

    `kept` is the incident as it is stored, for one so long over that the Watch has forgotten it. An act that changes
    nothing has an empty outcome.
    """
    recorder = Recorder(watch, Outcome(judged_at=now))
    if isinstance(what, Open):
        _see_that_it_is_sound(what, now)
        return _open(what, recorder, now)
    acts = what.acts if isinstance(what, Several) else (what,)
    for one in acts:
        _see_that_it_is_sound(one, now)
    incident = watch.incidents.get(what.incident) or kept
    if incident is None:
        raise Refused("unknown_incident", f"There is no incident {what.incident}.")
    needing_it_open = Acknowledge | Unacknowledge | Resolve | Snooze
    if incident.resolved_at is not None and any(isinstance(one, needing_it_open) for one in acts):
        over = words.moment(incident.resolved_at)
        raise Refused("already_resolved", f"Incident {incident.id} is over already, since {over}.")
    return _done(watch, acts, incident, recorder, now)


# --- changing what is said of it --------------------------------------------------------------------------------------


def _done(
    watch: Watch, acts: Sequence[Changing | Resolve], before: Incident, recorder: Recorder, now: int
) -> Outcome:
    """What follows from all of them together."""
    incident, remarks = before, []
    for what in acts:
        if isinstance(what, Resolve):
            incident = _resolved(watch, what, incident, recorder, now)
            remarks.append(Remark(incident.id, now, what.by, "resolved", what.note))
            continue
        changed, kind, text = _changed(what, incident, now)
        if changed is not incident or text:
            remarks.append(Remark(incident.id, now, what.by, kind, text))
        incident = changed
    if not remarks:
        return Outcome(judged_at=now)
    if before.resolved_at is not None:
        return Outcome(incidents=[incident], remarks=remarks, judged_at=now)
    recorder.draft.take(incident)
    return recorder.finish(*remarks)


def _changed(what: Changing, incident: Incident, now: int) -> tuple[Incident, RemarkKind, str]:
    """The incident afterwards, the very same where nothing changes, and what there is to remark."""
    match what:
        case Acknowledge():
            if incident.acknowledged_at is not None:
                text = what.note or ("" if what.by == incident.acknowledged_by else "has it too")
                return incident, "acknowledged", text
            acknowledged = structs.replace(incident, acknowledged_at=now, acknowledged_by=what.by)
            return acknowledged, "acknowledged", what.note
        case Unacknowledge():
            if incident.acknowledged_at is None:
                return incident, "unacknowledged", what.note
            return (
                structs.replace(incident, acknowledged_at=None, acknowledged_by=""),
                "unacknowledged",
                what.note,
            )
        case Note():
            return incident, "note", what.text
        case Publish():
            return incident, "published", what.text
        case Assign():
            if what.to == incident.assignee:
                return incident, "assigned", ""
            return structs.replace(incident, assignee=what.to), "assigned", what.to or "nobody in particular"
        case Snooze():
            until = f"until {words.moment(what.until)}"
            return structs.replace(incident, snoozed_until=what.until), "snoozed", until
        case Edit():
            return _edited(what, incident)


def _edited(what: Edit, incident: Incident) -> tuple[Incident, RemarkKind, str]:
    fields = ("title", "severity", "services", "postmortem")
    given = {name: value for name in fields if (value := getattr(what, name)) is not None}
    if what.title is not None:
        given["title"] = _one_line(what.title)
    new = {name: value for name, value in given.items() if value != getattr(incident, name)}
    if not new:
        return incident, "edited", ""
    if "postmortem" in new and what.upon not in (None, incident.postmortem_version):
        sentence = "Somebody saved another post-mortem meanwhile; read it, and write yours upon that one."
        raise Refused("changed_meanwhile", sentence)
    told = [_said(name, getattr(incident, name), value) for name, value in new.items()]
    held = {*incident.edited, *(name for name in given if name in ("title", "severity"))}
    return structs.replace(incident, **new, edited=tuple(sorted(held))), "edited", "; ".join(told)


def _one_line(title: str) -> str:
    """A title is a subject, a headline and a cell of a table, whatever was pasted into it."""
    return " ".join(title.split())


def _said(name: str, before: object, after: object) -> str:
    match name, after:
        case "title", _:
            return f"title: {after} (was: {before})"
        case "severity", _:
            return f"severity: {after} (was: {before})"
        case "services", tuple():
            return f"services touched: {', '.join(after) or 'none'}"
        case _:
            return "the post-mortem"


# --- its beginning and its end ----------------------------------------------------------------------------------------


def _open(what: Open, recorder: Recorder, now: int) -> Outcome:
    incident = recorder.draft.report(_one_line(what.title), what.severity, what.by, what.text, what.services)
    return recorder.finish(Remark(incident, now, what.by, "opened", what.text))


def _resolved(watch: Watch, what: Resolve, incident: Incident, recorder: Recorder, now: int) -> Incident:
    why = f"resolved by {what.by}"
    for number in watch.members[incident.id]:
        recorder.draft.close(number, now, why)
    for state in watch.together.values():
        if state.alert in watch.members[incident.id]:
            recorder.heard(state, now, why)
    hushed = [change for number in watch.members[incident.id] for change in _hushed(watch, number, why)]
    for change in hushed:
        recorder.hush(change)
    return structs.replace(incident, resolved_by=what.by)


def _hushed(watch: Watch, number: int, why: str) -> list[Change]:
    """The rule that opened an alert stays as it is, but for a word to open no other."""
    alert = watch.alerts[number]
    memory = watch.hosts.get(alert.host)
    if alert.resolved_at is not None:
        return []
    return [
        Change(
            host=alert.host,
            rule=state.rule,
            series=state.subject if memory is None else state.subject.partition("/series:")[2],
            before=state,
            after=structs.replace(state, alert=None, hushed=state.severity or alert.severity),
            at=0 if memory is None else memory.host.last_at or 0,
            value=state.value,
            why=why,
        )
        for state in (watch.gathered.values() if memory is None else memory.states())
        if state.alert == number
    ]


# --- is it to be taken seriously? -------------------------------------------------------------------------------------


def _see_that_it_is_sound(what: Changing | Resolve | Open, now: int) -> None:
    """Refused, in words that say what to do instead."""
    if isinstance(what, Note) and not what.text.strip():
        raise Refused("invalid", "The note is empty; write what is to be remembered.")
    if isinstance(what, Publish) and not what.text.strip():
        raise Refused("invalid", "The update is empty; write what everybody may know of it.")
    if isinstance(what, Open | Edit) and what.title is not None and not what.title.strip():
        raise Refused("invalid", "The title is empty; write in a few words what is wrong.")
    if isinstance(what, Snooze) and not now < what.until <= now + SNOOZE_MS_MAX:
        raise Refused("invalid", "An incident can be snoozed from now on, for 30 days at most.")
    for field, most in (
        ("title", TITLE_CHARS_MAX),
        ("to", TITLE_CHARS_MAX),
        ("note", TEXT_CHARS_MAX),
        ("text", TEXT_CHARS_MAX),
        ("postmortem", POSTMORTEM_CHARS_MAX),
    ):
        given = getattr(what, field, None) or ""
        if len(given) > most:
            raise Refused("invalid", f"{field} has {len(given)} characters; at most {most} are kept.")
        _see_that_all_is_seen(field, given)
    services = getattr(what, "services", None) or ()
    if len(services) > SERVICES_MAX or any(len(name) > TITLE_CHARS_MAX for name in services):
        raise Refused("invalid", f"At most {SERVICES_MAX} services can be named, each by its name.")
    _see_that_all_is_seen("services", "".join(services))


def _see_that_all_is_seen(field: str, given: str) -> None:
    if letter := words.unseen(given):
        raise Refused("invalid", f"{field} holds a letter that no screen shows ({letter}); leave it out.")
