"""A file of settings as plain values: TOML, YAML or JSON without secrets, `${NAME}` replaced from the environment."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.typed_settings import read_toml
from dtbench.harness.store.known_secrets import is_secret_name
from dtbench.harness.store.redact import mask_text

MOST_VALUES = 1_000_000
"""Of a file of YAML, whose aliases may stand for more than a machine holds."""
_VARIABLE = re.compile(r"\$(?P<plain>\$)?\{(?P<inside>[^{}]*)(?P<end>\}?)")
_INSIDE = re.compile(r"(?P<name>[A-Za-z_]\w*)(?::-(?P<default>.*))?", re.DOTALL)
_BRACED = re.compile(r"\$\{[^{}]*\}")
_REST_OF_WORD = re.compile(r"\S*")


class Place(NamedTuple):
    """Where a value stands, for messages."""

    file: Path
    setting: str

    def __str__(self) -> str:
        return f"{self.file}: {self.setting}"

    def inside(self, name: str) -> Place:
        """Return the place of a value in the table that stands here."""
        return Place(self.file, f"{self.setting}.{name}")


def read_settings(path: Path) -> dict[str, Any]:
    """Read settings by name, with underscores in place of dashes; one that is there twice is a UserError."""
    readers = {".toml": read_toml, ".json": _read_json, ".yaml": _read_yaml, ".yml": _read_yaml}
    if path.suffix not in readers:
        raise UserError(f"--config {path}: a .toml, .yaml or .json file is expected, or the folder of a run.")
    table = readers[path.suffix](path)
    if not isinstance(table, Mapping):
        raise UserError(f"{path}: settings by name are expected, such as model and tasks, found {str(table)[:60]!r}.")
    return with_underscores(path, table)


def with_underscores(path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table with underscores in its names, which may be written with dashes as well."""
    _refuse_twice(path, [str(name).replace("-", "_") for name in table])
    return {str(name).replace("-", "_"): value for name, value in table.items()}


def refuse_secrets(place: Place, name: str, value: Any) -> None:
    """Raise a UserError where a value has a secret in it, by its name or its shape."""
    if isinstance(value, Mapping):
        for inner, each in value.items():
            refuse_secrets(place.inside(str(inner)), str(inner), each)
    elif isinstance(value, list):
        for each in value:
            refuse_secrets(place, name, each)
    elif isinstance(value, str):
        defaults = [match["inside"].partition(":-")[2] for match in _VARIABLE.finditer(value)]
        literal = [part for part in (_without_variables(value), *defaults) if part.strip()]
        if (literal and is_secret_name(name)) or any(mask_text(part) != part for part in literal):
            raise UserError(
                f"{place}: a secret does not belong in a file: keep it in a variable of the environment and write "
                f"${{NAME}} here. The key of an endpoint needs no setting: DTBENCH_API_KEY or OPENAI_API_KEY has it."
            )


def _without_variables(text: str) -> str:
    """Return a text without the words that have a variable in them, in one pass over it."""
    kept, end = [], 0
    for match in _BRACED.finditer(text):
        if match.end() <= end:
            continue
        if match.start() >= end:
            before = text[end : match.start()]
            last = "" if not before or before[-1].isspace() else before.split()[-1]
            kept.append(before.removesuffix(last))
        rest = _REST_OF_WORD.match(text, match.end())
        end = match.end() if rest is None else rest.end()
    return "".join([*kept, text[end:]])


def expand_variables(text: str, place: Place) -> str:
    """Replace `${NAME}` and `${NAME:-default}` by variables of the environment; `$${` stands for `${`."""
    expanded = _VARIABLE.sub(lambda match: _variable(match, place), text)
    if not expanded:
        raise UserError(f"{place}: {f'{text[:60]} is' if text else 'it is'} empty: leave it out, or give it a value.")
    return expanded


def _variable(match: re.Match[str], place: Place) -> str:
    if match["plain"]:
        return match[0][1:]
    inside = _INSIDE.fullmatch(match["inside"])
    if inside is None or not match["end"]:
        expected = "${NAME} or ${NAME:-default} is expected; for the sign itself write $${."
        raise UserError(f"{place}: {match[0][:60]} names no variable: {expected}")
    name, default = inside["name"], inside["default"]
    if default is None and name not in os.environ:
        raise UserError(
            f"{place}: the environment has no variable {name[:60]}: set it, or write a default, "
            f"${{{name[:60]}:-VALUE}}."
        )
    return os.environ.get(name) or default or ""


def _read_json(path: Path) -> Any:
    def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        _refuse_twice(path, [name for name, _ in pairs])
        return dict(pairs)

    try:
        return json.loads(_text(path), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error}).") from None


def _read_yaml(path: Path) -> Any:
    import yaml  # comes with huggingface-hub

    text = _text(path)
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        if _count_values(tree, {}) > MOST_VALUES:
            raise UserError(f"{path}: its aliases (*name) stand for more than {MOST_VALUES:,} values: write them out.")
        for names in _names_of(tree):
            _refuse_twice(path, names)
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path}: not YAML ({' '.join(str(error).split())}).") from None


def _count_values(node: Any, known: dict[int, float]) -> float:
    """Count the values of a tree of YAML as they are without aliases; infinite for one that holds itself."""
    if id(node) not in known:
        known[id(node)] = math.inf  # while it is looked at
        inner = getattr(node, "value", None)
        parts = [part for each in inner for part in (each if isinstance(each, tuple) else (each,))] if inner else []
        known[id(node)] = 1 + sum(_count_values(part, known) for part in parts if not isinstance(part, str))
    return known[id(node)]


def _names_of(node: Any) -> Iterator[list[str]]:
    """Yield the names of each table in a tree of YAML."""
    inner = getattr(node, "value", None)
    if not isinstance(inner, list):
        return
    if node.id == "mapping":
        yield [str(name.value) for name, _ in inner]
        inner = [value for _, value in inner]
    for each in inner:
        yield from _names_of(each)


def _refuse_twice(path: Path, names: Sequence[str]) -> None:
    seen = set[str]()
    for name in names:
        if name in seen:
            raise UserError(f"{path}: {name} is there twice: leave one out.")
        seen.add(name)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}).") from None
