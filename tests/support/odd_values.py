"""Change something in what dtbench stored, as an editor, a script or a bad disk would."""

from __future__ import annotations

import copy
import json
import random
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**70, -(2**70), 0.5, -0.5, 1e308, 1e-320),
    *("", "x", "0", "-1", "1e999", "../..", "\x1b[31m", "\ud800", "a" * 5000, "=1+1", "nan", "日本", "\u202e"),
    *([], [None], [[]], ["x"], [1, 2], {}, {"": None}, {"x": 1}, {"x": {"y": []}}, {"accuracy": None}),
)
"""Values that no field expects, or not every field."""


class Change(NamedTuple):
    """What was done to a value, and the value with it."""

    what: str
    value: Any


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value inside."""
    if at:
        yield at
    if isinstance(value, dict | list):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in inside:
            yield from places(part, (*at, key))


def changed_somewhere(value: Any, chance: random.Random) -> Change:
    """Return a copy in which one value is another, is gone, is there twice, or holds itself."""
    new = copy.deepcopy(value)
    *way, last = chance.choice(list(places(value)))
    inside = new
    for key in way:
        inside = inside[key]
    name = ".".join(map(str, (*way, last)))
    kind = chance.random()
    if kind < 0.15:
        del inside[last]
        return Change(f"{name} is gone", new)
    if kind < 0.25:
        inside[last] = chance.choice([[inside[last]], {"x": inside[last]}, str(inside[last])])
        return Change(f"{name} in another form", new)
    if kind < 0.3 and isinstance(inside, dict):
        inside[chance.choice(["x", "", "error", "kind", "chain", "ids", "judge"])] = chance.choice(ODD)
        return Change(f"something beside {name}", new)
    inside[last] = chance.choice(ODD)
    return Change(f"{name} is {inside[last]!r:.40}", new)


def change_json(path: Path, chance: random.Random) -> str:
    """Change one value in a file of JSON; what was done."""
    change = changed_somewhere(json.loads(path.read_bytes()), chance)
    path.write_text(json.dumps(change.value))
    return change.what


def change_line(path: Path, chance: random.Random) -> str:
    """Change one value in one line of records, and make its checksum right again; what was done."""
    lines = path.read_bytes().splitlines(keepends=True)
    number = chance.randrange(len(lines))
    record = json.loads(lines[number])
    del record["crc"]
    change = changed_somewhere(record, chance)
    lines[number] = with_checksum(change.value)
    path.write_bytes(b"".join(lines))
    return f"line {number + 1}: {change.what}"


def with_checksum(record: Any) -> bytes:
    """A line as the store writes it, of whatever it is given."""
    body = json.dumps(record).encode()[:-1]
    return body + b',"crc":"%08x"}\n' % zlib.crc32(body)


def damaged_bytes(content: bytes, chance: random.Random) -> bytes:
    """The bytes with some of them cut, doubled, changed, or with a mark before them."""
    place, other = (chance.randrange(len(content) + 1) for _ in range(2))
    low, high = sorted((place, other))
    return chance.choice(
        [
            *(content[:low], content[low:], content[:low] + content[high:], content[:high] + content[low:]),
            content[:low] + bytes(chance.randrange(256) for _ in range(4)) + content[low:],
            *(b"\xef\xbb\xbf" + content, content.replace(b"\n", b"\r\n"), content + b"\0" * 64, b"", b"[" * 5000),
            content.rstrip(b"\n"),
        ]
    )
