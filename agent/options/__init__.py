"""What a person may write, and how it becomes values: units, secrets, kinds found in a folder, YAML into Structs.

A field of a Struct carries its unit in its name, the YAML key does not and its value does: `timeout_s: float` is
written `timeout: 5s`, `every_ms: int` is `every: 10s`, `spool_bytes_max: int` is `spool_max: 64MiB`. So the code
that uses a value cannot mistake its unit, and neither can the person who writes it.
"""

from __future__ import annotations

from agent.options.converter import convert
from agent.options.files import files_of
from agent.options.kinds import Kind, KindSet, discover
from agent.options.scalars import Secret
from agent.options.units import duration_s, say_duration, say_size, size_bytes
from agent.options.yamlnode import ConfigError, Node, overlay_environment, parse_yaml, read_yaml

__all__ = [
    "ConfigError",
    "Kind",
    "KindSet",
    "Node",
    "Secret",
    "convert",
    "discover",
    "duration_s",
    "files_of",
    "overlay_environment",
    "parse_yaml",
    "read_yaml",
    "say_duration",
    "say_size",
    "size_bytes",
]
