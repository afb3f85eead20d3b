"""Run by Debian's own Python, for which python3-kubernetes brings the API's types: holds objects against them.

Reads JSON, a list of objects, and writes JSON, a list of what is wrong: keys that no such object has, values of another
type, and what is missing.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from kubernetes import client  # type: ignore[import-untyped]


def wrong(value: Any, expected: str, where: str) -> list[str]:
    if found := re.fullmatch(r"list\[(.*)\]", expected):
        if not isinstance(value, list):
            return [f"{where} is no list"]
        return [
            fault for place, one in enumerate(value) for fault in wrong(one, found[1], f"{where}[{place}]")
        ]
    if found := re.fullmatch(r"dict\(str, (.*)\)", expected):
        if not isinstance(value, dict):
            return [f"{where} is no mapping"]
        return [fault for key, one in value.items() for fault in wrong(one, found[1], f"{where}.{key}")]
    model = getattr(client, expected, None)
    return wrong_in(value, model, where) if model is not None else wrong_type(value, expected, where)


def wrong_type(value: Any, expected: str, where: str) -> list[str]:
    types: dict[str, Any] = {"str": str, "int": int, "bool": bool, "float": (int, float), "object": object}
    fits = isinstance(value, types[expected]) and (expected != "int" or not isinstance(value, bool))
    return [] if fits else [f"{where} is {value!r} and not of type {expected}"]


def wrong_in(value: Any, model: Any, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where} is no mapping"]
    attribute_of = {key: attribute for attribute, key in model.attribute_map.items()}
    faults = [f"{where} has no {key}" for key in value if key not in attribute_of]
    known = {attribute_of[key]: one for key, one in value.items() if key in attribute_of}
    try:
        model(**known)  # says what is missing
    except ValueError as error:
        faults.append(f"{where}: {error}")
    for attribute, one in known.items():
        faults += wrong(one, model.openapi_types[attribute], f"{where}.{model.attribute_map[attribute]}")
    return faults


def main() -> None:
    faults = []
    for one in json.load(sys.stdin):
        kind = f"V1{one['kind']}"
        faults += wrong(one, kind, f"{one['kind']}/{one['metadata']['name']}")
    json.dump(faults, sys.stdout)


if __name__ == "__main__":
    main()
