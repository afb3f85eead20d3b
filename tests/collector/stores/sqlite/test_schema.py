"""The tables fit the values they keep, and the indices fit the questions that are asked."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from msgspec import Struct

from collector.store import EvidenceRow, TokenRow
from collector.store.joins import Join
from collector.store.people import ApiToken, AuditRow, Grant, Session, User
from collector.store.promises import Day, LateRange, Promise
from collector.stores.sqlite import (
    evidence,
    forgetting,
    fresh,
    hosts,
    incidents,
    joins,
    leaving,
    notices,
    open_store,
    people,
    promised,
    promises,
    ranges,
    remarks,
    samples,
    sealing,
    spoken,
    steps,
    summing,
    upkeep,
)
from collector.stores.sqlite.connection import connect_reader
from rules.memory.seen import Seen
from rules.model import Alert, CheckAnswer, Host, Incident, Notice, RuleState, Transition
from rules.sla.model import Interval

TABLES_OF = {
    Host: ("hosts", "heard"),
    TokenRow: ("tokens",),
    Join: ("joins",),
    Seen: ("seen",),
    CheckAnswer: ("checks",),
    RuleState: ("rule_states",),
    Transition: ("transitions",),
    Alert: ("alerts",),
    Incident: ("incidents",),
    Notice: ("notices",),
    EvidenceRow: ("evidence",),
    User: ("users",),
    Session: ("sessions",),
    Grant: ("grants",),
    ApiToken: ("api_tokens",),
    AuditRow: ("audit",),
    Promise: ("promises",),
    Day: ("sla_metrics",),
    LateRange: ("late_ranges",),
    Interval: ("service_intervals",),
}
# Those that may read a whole table, because all of it is wanted or because it is small.
READS_ALL = {
    "hosts.ALL": "hosts",
    "joins.ALL": "joins",
    "people.OTHER_OWNERS": "users",
    "people.API_TOKENS_HELD": "api_tokens",
    "promised.OLDER": "service_reach",
    "promises.ASKED": "checks",  # of all hosts, twice a minute, where there are services
    "hosts.SERVICES": "hosts",  # when a service is heard of for the first time
    "hosts.REVOKE_ALL": "tokens",  # when somebody revokes a host
    "remarks.PUBLISHED": "remarks",  # the newest first, until there are enough
    "leaving.STATES": "rule_states",  # once for each host that is removed
    "sealing.HOSTS": "heard",
    "samples.NEWEST": "heard",
    "forgetting.UNUSED": "heard",
    "forgetting.UNUSED_OF_BATCHES": "heard",
    "forgetting.OLDEST_USE": "heard batches",  # and stops at the first that is nobody's newest
}
QUERIES = {
    "hosts.ALL": hosts.ALL,
    "hosts.SERVICES": hosts.SERVICES,
    "hosts.REVOKE_ALL": hosts.REVOKE_ALL,
    "hosts.OF_IDS": hosts.OF_IDS,
    "hosts.REPLACED": hosts.REPLACED,
    "hosts.NEVER_USED": hosts.NEVER_USED,
    "hosts.SETTLED": hosts.SETTLED,
    "hosts.REVOKE_REPLACED": hosts.REVOKE_REPLACED,
    "joins.ALL": joins.ALL,
    "joins.FIND": joins.FIND,
    "joins.HELD": joins.HELD,
    "joins.FORGET": joins.FORGET,
    "joins.USE": joins.USE,
    "samples.LATEST": f"{samples.LATEST} WHERE hosts.id = ?",
    "samples.NEWEST": samples.NEWEST,
    "samples.LAYOUTS": samples.LAYOUTS,
    "ranges.SAMPLES": ranges.SAMPLES,
    "ranges.ROWS": ranges.ROWS,
    "ranges.BLOCKS": ranges.BLOCKS,
    "steps.DAYS": steps.DAYS,
    "steps.NOT_AS_SUMMED_UP": steps.NOT_AS_SUMMED_UP,
    "sealing.HOSTS": sealing.HOSTS,
    "sealing.WITH_WORK": sealing.WITH_WORK,
    "sealing.OLDEST": sealing.OLDEST,
    "sealing.BATCHES": sealing.BATCHES,
    "sealing.LAST_PART": sealing.LAST_PART,
    "sealing.PACKED": sealing.PACKED,
    "summing.OLDEST": summing.OLDEST,
    "summing.BLOCKS": summing.BLOCKS,
    "summing.NEWEST": summing.NEWEST,
    "summing.DAY": summing.DAY,
    "summing.SUMMED_UP": summing.SUMMED_UP,
    "incidents.OPEN": incidents.OPEN,
    "incidents.RESOLVED": incidents.RESOLVED,
    "incidents.TRANSITIONS_OF": incidents.TRANSITIONS_OF,
    "evidence.OF_INCIDENT": evidence.OF_INCIDENT,
    "notices.DUE": notices.DUE,
    "notices.NEXT_DUE_AT": notices.NEXT_DUE_AT,
    "notices.SENDING": notices.SENDING,
    "notices.IS_OVER": notices.IS_OVER,
    "notices.INTERRUPTED": notices.INTERRUPTED,
    "notices.AT_ONCE": notices.AT_ONCE,
    "notices.OF_INCIDENT": notices.OF_INCIDENT,
    "notices.COUNTS": notices.COUNTS,
    "remarks.OF_INCIDENT": remarks.OF_INCIDENT,
    "remarks.PUBLISHED": remarks.PUBLISHED,
    "people.ALL_USERS": people.ALL_USERS,
    "people.USER_BY_NAME": people.USER_BY_NAME,
    "people.OTHER_OWNERS": people.OTHER_OWNERS,
    "people.SESSION": people.SESSION,
    "people.SESSIONS_OF": people.SESSIONS_OF,
    "people.FORGET_SESSIONS": people.FORGET_SESSIONS,
    "people.REFRESH": people.REFRESH,
    "people.GRANTS_OF": people.GRANTS_OF,
    "people.REVOKE_GRANTS": people.REVOKE_GRANTS,
    "people.FORGET_GRANTS": people.FORGET_GRANTS,
    "people.ALL_API_TOKENS": people.ALL_API_TOKENS,
    "people.API_TOKENS_HELD": people.API_TOKENS_HELD,
    "people.TRAIL": f"{people.TRAIL} {people.NEWEST_FIRST}",
    "people.TRAIL_OF_SOMEBODY": f"{people.TRAIL_OF_SOMEBODY} {people.NEWEST_FIRST}",
    "people.TRAIL_OF_A_KIND": f"{people.TRAIL_OF_A_KIND} {people.NEWEST_FIRST}",
    "promised.OLDER": promised.OLDER,
    **{f"promised.FORGET {n}": query for n, query in enumerate(promised.FORGET)},
    "promises.WITHIN": f"SELECT {promises.INTERVAL} {promises.WITHIN}",
    "promises.LAST_BEFORE": promises.LAST_BEFORE.format("<"),
    "promises.SUM_UP": promises.SUM_UP,
    "promises.SUM_OF_DAYS": promises.SUM_OF_DAYS,
    "promises.ASKED": promises.ASKED,
    **{f"promises.TAKE_BACK {n}": query for n, query in enumerate(promises.TAKE_BACK)},
    "spoken.TICKS": spoken.TICKS,
    "spoken.OLDEST_BATCH": spoken.OLDEST_BATCH,
    "spoken.OLDEST_BLOCK": spoken.OLDEST_BLOCK,
    "spoken.OLDEST_PACKED": spoken.OLDEST_PACKED,
    "fresh.OLDEST": fresh.OLDEST,
    "leaving.BATCHES": leaving.BATCHES,
    "leaving.SOME_BLOCKS": leaving.SOME_BLOCKS,
    "leaving.DAYS": leaving.DAYS,
    "leaving.OPEN": leaving.OPEN,
    "leaving.STATES": leaving.STATES,
    "upkeep.REMEMBERED": upkeep.REMEMBERED,
    "upkeep.RESOLVED_ALERTS": upkeep.RESOLVED_ALERTS,
    "upkeep.SENT": upkeep.SENT,
    "forgetting.OLD_BLOCKS": forgetting.OLD_BLOCKS,
    "forgetting.OLDEST_BLOCK": forgetting.OLDEST_BLOCK,
    "forgetting.FORGET_BLOCKS": forgetting.FORGET_BLOCKS,
    "forgetting.FORGET_DAYS": forgetting.FORGET_DAYS,
    "forgetting.OLD_INCIDENTS": forgetting.OLD_INCIDENTS,
    **{f"forgetting.FORGET_INCIDENTS {n}": query for n, query in enumerate(forgetting.FORGET_INCIDENTS)},
    "forgetting.FORGET_TRANSITIONS": forgetting.FORGET_TRANSITIONS,
    "forgetting.OLDEST_USE": forgetting.OLDEST_USE,
    "forgetting.UNUSED": forgetting.UNUSED,
    "forgetting.UNUSED_OF_BATCHES": forgetting.UNUSED_OF_BATCHES,
    "forgetting.FOLLOWED": forgetting.FOLLOWED,
    "forgetting.FORGET_LAYOUTS": forgetting.FORGET_LAYOUTS,
}


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncGenerator[sqlite3.Connection, None]:
    store = await open_store(tmp_path, role="collector")
    connection = connect_reader(tmp_path / "watchkeeper.db")
    yield connection
    connection.close()
    await store.close()


@pytest.mark.parametrize("kind", TABLES_OF, ids=lambda kind: kind.__name__)
def test_every_field_of_a_value_has_a_column(connection: sqlite3.Connection, kind: type[Struct]) -> None:
    columns = {
        column
        for table in TABLES_OF[kind]
        for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", [table])
    }
    assert set(kind.__struct_fields__) <= columns


@pytest.mark.parametrize("name", QUERIES)
def test_no_question_reads_a_whole_table_that_grows(connection: sqlite3.Connection, name: str) -> None:
    query = QUERIES[name]
    values = ["[]"] * len(set(re.findall(r"\?\d", query)) or re.findall(r"\?", query))
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    small = "USING|subquery|json_each|spans|CONSTANT"
    scans = {step for step in plan if step.startswith("SCAN") and not re.search(small, step)}
    assert scans <= {f"SCAN {table}" for table in READS_ALL.get(name, "").split()}, plan


def test_only_questions_that_are_asked_may_read_all() -> None:
    assert READS_ALL.keys() <= QUERIES.keys()


def test_a_reader_cannot_write(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM hosts")
