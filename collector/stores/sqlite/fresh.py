"""A step of the schema, and its use: how one host's batches that are not packed yet are found.

They lie in the order in which they came. An index by host and time would have a page for each host, so each push would
rewrite one: that was half of what its bytes cost. So the index goes by spans of five minutes first. All hosts write in
the few pages of the present span, and whoever reads looks into each span there is: some two dozen, and those of what
came late and of the last batch of each host that fell silent, which is never packed.
"""

from __future__ import annotations

from sqlite_utils import Database

SPAN_MS = 300_000
SPAN = f"at / {SPAN_MS}"
INDEX = "batches_by_span"
STEP = (
    "DROP INDEX batches_of_a_host_by_time",
    f"CREATE INDEX {INDEX} ON batches ({SPAN}, host, at)",
)


def spread(db: Database) -> None:
    for statement in STEP:
        db.conn.execute(statement)


def spans(start: str = "0", end: str = "9223372036854775807") -> str:
    """Names, for the rest of a statement, the spans of a range that hold batches of anybody: each is one step further
    in the index than the one before it. `start` and `end` are SQL."""
    return f"""
    WITH RECURSIVE spans (span) AS MATERIALIZED (
        SELECT * FROM (
            SELECT {SPAN} FROM batches INDEXED BY {INDEX} WHERE {SPAN} >= ({start}) / {SPAN_MS}
            ORDER BY {SPAN} LIMIT 1
        )
        UNION ALL
        SELECT (SELECT {SPAN} FROM batches INDEXED BY {INDEX} WHERE {SPAN} > span ORDER BY {SPAN} LIMIT 1)
        FROM spans WHERE span < (({end}) - 1) / {SPAN_MS}
    )
    """


def of_a_host(host: str) -> str:
    """A FROM for the batches of a host in `spans`; `host` is SQL. More about their times goes into its WHERE."""
    return f"""
    FROM spans CROSS JOIN batches INDEXED BY {INDEX}
    ON batches.at / {SPAN_MS} = spans.span AND batches.host = {host}
    """


WAITING = f"""
    SELECT at FROM batches INDEXED BY {INDEX}
    WHERE NOT EXISTS (SELECT 1 FROM heard WHERE heard.host = batches.host AND heard.batch = batches.id)
    ORDER BY {SPAN} LIMIT 1
"""
"""A time in the first span of anything that is to be packed: before it lies only what silent hosts said last."""
OLDEST = f"SELECT min(at) FROM batches WHERE {SPAN} = (SELECT {SPAN} FROM batches ORDER BY {SPAN} LIMIT 1)"
"""Of all hosts."""
