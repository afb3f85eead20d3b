"""The protocol between an agent and a collector, version 1, and nothing else.

Both ends import this file, so neither can drift from the other. Every limit here is applied twice: the agent keeps to
it, the collector enforces it. A field may be added with a default; none is ever removed or given another meaning
within a version (tests keep a golden file of each).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

VERSION = 1
PATH = "/api/agent/v1/batches"
JOIN_PATH, ROTATE_PATH = "/api/agent/v1/join", "/api/agent/v1/rotate"

SERIES_PER_HOST_MAX = 2_000
SERIES_NAME_CHARS_MAX = 512
CHECKS_PER_BATCH_MAX = 500
BATCHES_PER_PUSH_MAX = 200
BODY_BYTES_MAX = 4 * 1024 * 1024
"""After decompression. A batch of 2,000 series is some 120 KB."""
GZIP_FROM_BYTES = 1_024
ASKS_MAX = LOOKED_MAX = 10
DEFINITIONS_MAX = 100
"""Checks of one host that a collector may define."""
DEFINITION_BYTES_MAX = 4 * 1024
DEFINITIONS_BYTES_MAX = 64 * 1024

EVERY_MS_MIN, EVERY_MS_MAX = 100, 86_400_000

Text = Annotated[str, Meta(max_length=200)]
Detail = Annotated[str, Meta(max_length=1_000)]
Fingerprint = Annotated[str, Meta(pattern="^[0-9a-f]{0,64}$")]
HostName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$")]
Answer = Literal["ok", "warn", "bad", "unknown"]
Bye = Literal["restart", "shutdown", "uninstall"]


class CheckState(Struct, frozen=True, omit_defaults=True, gc=False):
    """What one check answered in one tick: how it stands, how long it took, and why, in words."""

    id: Text
    kind: Text
    state: Answer
    ms: float | None = None
    detail: Detail = ""


class Batch(Struct, omit_defaults=True, gc=False):
    """The samples and check states of one tick.

    `at` and `sent` are milliseconds UTC by the agent's clock. A series that is missing is a gap; None says "asked, no
    answer". `facts` and `labels` ride along only when they changed since the agent last sent them.

    `bye` is an agent's last word before it stops as planned: it will be back in a moment (`restart`), it is stopped
    with its host until further notice (`shutdown`), it is taken off the host (`uninstall`). The batch that says it has
    no samples; one without samples and checks is a word of its agent and no tick.
    """

    seq: Annotated[int, Meta(ge=0, lt=2**53)]
    at: Annotated[int, Meta(ge=0, lt=2**53)]
    sent: Annotated[int, Meta(ge=0, lt=2**53)]
    every_ms: Annotated[int, Meta(ge=EVERY_MS_MIN, le=EVERY_MS_MAX)]
    samples: dict[str, float | None]
    checks: Annotated[list[CheckState], Meta(max_length=CHECKS_PER_BATCH_MAX)] = []
    facts: Annotated[dict[Text, Detail], Meta(max_length=100)] | None = None
    labels: Annotated[dict[Text, Text], Meta(max_length=50)] | None = None
    bye: Bye | None = None


class Program(Struct, frozen=True):
    """A running program: how much of one CPU it took while it was looked at, how much memory it holds. What looks like
    a secret in its command is masked."""

    pid: int
    name: Text
    command: Text
    cpu_pct: float
    memory_bytes: int


class Folder(Struct, frozen=True):
    """A directory with all that is below it."""

    path: Detail
    bytes: int


class Evidence(Struct, frozen=True, omit_defaults=True):
    """What an agent found when it was asked to look closer, once, for a few seconds.

    `about` is what the collector called it when it asked. `folders` are the largest ones of the fullest mount; of what
    could not be looked at in time `unseen` says that it is missing, and so for all else.
    """

    about: Annotated[int, Meta(ge=0, lt=2**53)]
    at: Annotated[int, Meta(ge=0, lt=2**53)]
    took_ms: Annotated[int, Meta(ge=0)]
    by_cpu: Annotated[list[Program], Meta(max_length=20)] = []
    by_memory: Annotated[list[Program], Meta(max_length=20)] = []
    mount: Detail = ""
    folders: Annotated[list[Folder], Meta(max_length=20)] = []
    failed_units: Annotated[list[Text], Meta(max_length=50)] | None = None
    kernel: Annotated[list[Detail], Meta(max_length=50)] | None = None
    unseen: Annotated[list[Detail], Meta(max_length=20)] = []


class Looked(Struct, frozen=True, omit_defaults=True):
    """Whether another host answers from where this one stands; None where that could not be tried, and why.

    `about` is what the collector called it when it asked.
    """

    about: Annotated[int, Meta(ge=0, lt=2**53)]
    reached: bool | None = None
    detail: Text = ""


class Push(Struct, omit_defaults=True, gc=False):
    """One request: batches of one spool, and with it the evidence and the looks at others that were asked for.

    `floor` is the lowest sequence number this spool may still send. What lies below it is delivered or given up, so the
    collector may forget the gaps there.

    `definitions` says which checks of the collector's the agent runs: the hash that came with them, empty when there
    are none, absent from an agent that would take none.
    """

    v: Literal[1]
    spool: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    boot_id: Annotated[str, Meta(max_length=64)]
    batches: Annotated[list[Batch], Meta(min_length=1, max_length=BATCHES_PER_PUSH_MAX)]
    floor: Annotated[int, Meta(ge=0)] = 0
    evidence: Evidence | None = None
    definitions: Fingerprint | None = None
    looked: Annotated[list[Looked], Meta(max_length=LOOKED_MAX)] = []


class Refused(Struct, frozen=True):
    """This batch will never be taken, however often it is sent."""

    refused: str


Result = Literal["ok", "again"] | Refused


class AskEvidence(Struct, frozen=True, tag_field="kind", tag="evidence"):
    """Look closer and send what you find, under this number. It is asked again until it came; look once."""

    about: int


class AskSample(Struct, frozen=True, tag_field="kind", tag="sample"):
    """Take a sample now."""


class AskLook(Struct, frozen=True, tag_field="kind", tag="look"):
    """Say, under this number, whether another host answers at this address."""

    about: int
    address: Text


class AskDefinitions(Struct, frozen=True, tag_field="kind", tag="definitions"):
    """Run these checks from now on, and none that came before; say from now on that it is `hash` that you run.

    Each is a check as an agent's config has it, with `kind`, `id` and options, in JSON whose scalars are as they were
    written, so that it means what it would mean there.
    """

    hash: Fingerprint
    checks: Annotated[list[Raw], Meta(max_length=DEFINITIONS_MAX)]


Ask = AskEvidence | AskSample | AskLook | AskDefinitions


class Results(Struct, frozen=True, omit_defaults=True):
    """The answer to a push, one result per batch in the order sent: taken, to be sent again later, or refused.

    `asks` is what the agent is asked to do; what it does not know it passes over (`known_asks`).
    """

    results: list[Result]
    asks: list[Raw] = []


OTHER_VERSION = "version"
"""The code of a Problem that says: this collector does not speak the version of this push."""


class Problem(Struct, frozen=True):
    """Any answer that is not a 200: a code for machines, a sentence for people."""

    code: str
    message: str


class Join(Struct, frozen=True, omit_defaults=True):
    """A host that wants to come in by a code, under a name. One that shows its token as well stays the host it is; but
    where a person chose the name (`chosen`) only if that is what it is called: it may be a copy that is to be another.
    """

    code: Text
    hostname: HostName
    chosen: bool = False
    facts: Annotated[dict[Text, Detail], Meta(max_length=100)] = {}


class Joined(Struct, frozen=True):
    """Who the host is from now on, and the token it pushes with."""

    token: str
    host: int
    name: str
    labels: dict[str, str] = {}


class Rotated(Struct, frozen=True):
    """A token in the place of the one that was shown, which holds until this one was used."""

    token: str


encode = msgspec.json.Encoder().encode
decode_push = msgspec.json.Decoder(Push).decode
decode_results = msgspec.json.Decoder(Results).decode
decode_problem = msgspec.json.Decoder(Problem).decode
decode_join = msgspec.json.Decoder(Join).decode
decode_joined = msgspec.json.Decoder(Joined).decode
decode_rotated = msgspec.json.Decoder(Rotated).decode


_ask = msgspec.json.Decoder(Ask).decode


def known_asks(results: Results) -> list[Ask]:
    """Those of a later version are not among them."""
    known: list[Ask] = []
    for raw in results.asks[:ASKS_MAX]:
        try:
            known.append(_ask(raw))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return known


TAKEN: list[Result] = ["ok"]
"""The results of most pushes there are."""
_TAKEN = encode(Results(TAKEN))


def answer(results: list[Result], asks: Sequence[Ask] = ()) -> bytes:
    """The JSON of the answer to a push."""
    if not asks and results == TAKEN:
        return _TAKEN
    return encode(Results(results, [Raw(encode(ask)) for ask in asks]))


def tail(batch: Batch) -> bytes:
    """The JSON of a batch after `seq`, `at` and `sent`. It can be kept, for only those three wait for the sending."""
    text = encode(batch)
    return text[text.index(b',"every_ms":') :]


def push_parts(
    spool: str,
    boot_id: str,
    floor: int,
    batches: Iterable[tuple[int, int, int, bytes]],
    evidence: Evidence | None = None,
    definitions: str | None = None,
    looked: Sequence[Looked] = (),
) -> Iterator[bytes]:
    """The JSON of a Push in parts, from (seq, at, sent, tail) of each batch: what was kept is not taken apart again,
    and a large push need not be in memory as a whole."""
    beside: dict[str, Evidence | str | Sequence[Looked]] = {} if evidence is None else {"evidence": evidence}
    if looked:
        beside["looked"] = looked
    if definitions is not None:
        beside["definitions"] = definitions
    head = encode({"v": VERSION, "spool": spool, "boot_id": boot_id, "floor": floor, **beside})
    yield head[:-1] + b',"batches":['
    comma = b""
    for seq, at, sent, text in batches:
        yield b'%b{"seq":%d,"at":%d,"sent":%d' % (comma, seq, at, sent)
        yield text
        comma = b","
    yield b"]}"


def push_body(spool: str, boot_id: str, floor: int, batches: Iterable[tuple[int, int, int, bytes]]) -> bytes:
    """The same in one piece."""
    return b"".join(push_parts(spool, boot_id, floor, batches))


# --- series names: Prometheus' alphabet and escaping, labels sorted ---------------------------------------------------

_METRIC = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\x00-\x1f\x7f]|\\["\\n])*)"'
_SERIES = re.compile(rf"({_METRIC})(?:\{{({_LABEL}(?:,{_LABEL})*)\}})?")
_PAIR = re.compile(_LABEL)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_UNESCAPE = re.compile(r"\\(.)")


def series_name(metric: str, labels: Mapping[str, str] | None = None) -> str:
    """The canonical name of a series; a control character in a label's value becomes U+FFFD."""
    if not labels:
        return metric
    pairs = (f'{key}="{_CONTROL.sub("�", labels[key]).translate(_ESCAPES)}"' for key in sorted(labels))
    return f"{metric}{{{','.join(pairs)}}}"


def parse_series(name: str) -> tuple[str, dict[str, str]]:
    """The metric and labels of a canonical name. ValueError says why a name is none."""
    if len(name) > SERIES_NAME_CHARS_MAX:
        raise ValueError(
            f"series name of {len(name)} characters; at most {SERIES_NAME_CHARS_MAX} are allowed"
        )
    whole = _SERIES.fullmatch(name)
    if whole is None:
        raise ValueError(f'{name[:80]!r} is not a series name; one looks like disk_used_pct{{mount="/"}}')
    pairs = _PAIR.findall(whole[2] or "")
    labels = {key: _UNESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], value) for key, value in pairs}
    if [key for key, _ in pairs] != sorted(labels):
        raise ValueError(f"{name[:80]!r} has labels that are repeated or not in alphabetical order")
    return whole[1], labels


# --- tokens: the tenant and the token's id can be read before any store is opened -------------------------------------

_TOKEN = re.compile(r"wk_agent_([a-z0-9]{1,32})_([a-z0-9]{8,32})_([A-Za-z0-9]{32,64})")


class Token(Struct, frozen=True):
    tenant: str
    id: str
    secret: str

    def __str__(self) -> str:
        return f"wk_agent_{self.tenant}_{self.id}_{self.secret}"


def parse_token(text: str) -> Token:
    """ValueError for anything that is not an agent's token; the text is never repeated in the error."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise ValueError("not an agent token; one looks like wk_agent_<tenant>_<id>_<secret>")
    return Token(*match.groups())
