"""The reference of the run folder, made from the JSON Schemas of what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from markdown_tables import cell, table

from dtbench.harness.store.json_schemas import FOLDER, KINDS

FILES = {
    "run": "`run.json`",
    "shard": "`run.I-of-N.json`",
    "record": "a line of `TASK.jsonl`",
    "question": "a line of `TASK.questions.jsonl`",
    "summary": "`summary.json`",
}
"""Where each schema is found; the others are what commands print with --json."""


def folder_text() -> str:
    """Return a section for each schema, and in it the fields of each of its types."""
    return "\n".join(line for kind in KINDS for line in _schema(kind))


def _schema(kind: str) -> Iterator[str]:
    schema = msgspec.json.decode((FOLDER / f"{kind}.schema.json").read_bytes(), type=dict[str, Any])
    where = FILES.get(kind, "printed with `--json`")
    yield f"## {kind}\n\nSchema `harness/store/schemas/{kind}.schema.json`: {where}.\n"
    first = [_name(one["$ref"]) for one in schema.get("anyOf", [schema.get("items", schema)]) if "$ref" in one]
    names = [*first, *(name for name in schema["$defs"] if name not in first)]
    for name in names:
        yield from _type(kind, name, schema["$defs"][name])


def _type(kind: str, name: str, part: Mapping[str, Any]) -> Iterator[str]:
    if "properties" not in part:
        return
    yield f"### {kind}: {name}\n\n{part.get('description', '')}\n"
    needed = set(part.get("required", ()))
    rows = [
        (
            f"`{field}`",
            cell(_kind(kind, one)),
            "" if field in needed else "may be missing",
            cell(one.get("description", "")),
        )
        for field, one in part["properties"].items()
    ]
    yield table(("field", "type", "", "what it is"), rows)


def _kind(schema: str, one: Mapping[str, Any]) -> str:
    if "$ref" in one:
        name = _name(one["$ref"])
        return f"[{name}](#{schema}-{name.lower()})"
    if "anyOf" in one:
        return " or ".join(_kind(schema, each) for each in one["anyOf"])
    if "enum" in one:
        return ", ".join(f"`{msgspec.json.encode(value).decode()}`" for value in one["enum"])
    if one.get("type") == "array":
        return f"list of {_kind(schema, one['items'])}" if one.get("items") else "list"
    if one.get("type") == "object" and isinstance(one.get("additionalProperties"), dict):
        return f"object of {_kind(schema, one['additionalProperties'])}"
    return str(one.get("type", "anything"))


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]
