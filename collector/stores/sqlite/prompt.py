"""A step of the schema: the newest number of each series as a row, for a person at a SQL prompt.

Samples are stored as the eight bytes of a double each, of which SQL knows nothing. So the view takes them apart: the
bits out of their hexadecimal digits, then sign, mantissa and exponent, in steps none of which rounds.
"""

from __future__ import annotations

from sqlite_utils import Database

DIGITS = "0123456789ABCDEF"
BITS = " | ".join(
    f"(instr('{DIGITS}', substr(bytes, {2 * byte + place + 1}, 1)) - 1 << {8 * byte + 4 * (1 - place)})"
    for byte in range(8)
    for place in range(2)
)
HIDDEN = 2**52
"""The bit of a mantissa that is not stored, being always there: but where the exponent is 0."""


def power(exponent: int) -> str:
    """2 to that, written without a number that SQLite would have to round."""
    return f"{2.0**exponent:.1f}" if exponent <= 32 else f"({power(exponent // 2)} * {power(exponent // 2)})"


def scaled(times: str, exponent: str) -> str:
    """As often 2 as the exponent says, between which nothing is too large for a double."""
    steps = [(1024, 512), (1024, 512), *((1 << bit, 1 << bit) for bit in range(9, -1, -1))]
    return "".join(f" {times} iif({exponent} & {bit}, {power(by)}, 1.0)" for bit, by in steps)


VIEW = f"""
    CREATE VIEW performance_metrics AS
    WITH
    stored AS (
        SELECT hosts.id AS host, hosts.name, batches.at, series.value AS series,
            hex(substr(batches.samples, 8 * series.key + 1, 8)) AS bytes
        FROM hosts
        JOIN heard ON heard.host = hosts.id
        JOIN batches ON batches.id = heard.batch
        JOIN layouts ON layouts.id = batches.layout
        JOIN json_each(layouts.names) AS series
        WHERE NOT hosts.removed
    ),
    bits AS (SELECT host, name, at, series, {BITS} AS bits FROM stored),
    parts AS (
        SELECT host, name, at, series,
            iif(bits < 0, -1.0, 1.0) AS sign,
            bits >> 52 & 2047 AS exponent,
            bits & {HIDDEN - 1} AS mantissa
        FROM bits
    ),
    numbers AS (
        SELECT host, name, at, series, exponent,
            sign * iif(exponent, mantissa + {HIDDEN}, mantissa) AS number,
            max(exponent - 1075, 0) AS up,
            max(1075 - max(exponent, 1), 0) AS down
        FROM parts
    )
    SELECT host, name, strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000, 'unixepoch') AS sampled_at, series,
        iif(exponent = 2047, NULL, number{scaled("*", "up")}{scaled("/", "down")}) AS value
    FROM numbers
"""


def prompt(db: Database) -> None:
    db.conn.execute(VIEW)
