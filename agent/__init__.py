"""The agent sees: it samples one host, spools what it saw and pushes it to the collector.

It stands on psutil, PyYAML, msgspec and the standard library, and imports neither `rules` nor `collector`,
so that a host needs only a small install. `agent.wire` (the protocol) and `agent.options` (settings) are the
two floors that the collector shares with it.
"""
