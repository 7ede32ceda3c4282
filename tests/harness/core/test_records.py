from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtbench.harness.core.errors import DataError
from dtbench.harness.core.records import read_json

ANY_TEXT = st.text(st.characters(exclude_categories=()))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
    max_leaves=5,
)


def items_of(content: bytes) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.json"
        path.write_bytes(content)
        return [record.item for record in read_json(path)]


@given(st.lists(st.dictionaries(ANY_TEXT, VALUES, max_size=4), min_size=1, max_size=4), st.booleans())
def test_items_are_read_as_the_library_of_python_reads_them(items: list[dict[str, Any]], in_lines: bool) -> None:
    lines = [json.dumps(item) for item in items]
    text = "\n".join(lines) if in_lines else f"[{','.join(lines)}]"
    assert repr(items_of(text.encode())) == repr([json.loads(line) for line in lines])


@pytest.mark.parametrize(
    "value",
    [
        *("NaN", "-Infinity", "1e400", "-0", "1E5", "5e-324", "123456789012345678901234567890", "18446744073709551616"),
        *(r'"\ud800"', r'"\ud83d\ude00"', r'"\u0000"', '{"b": 1, "b": 2}'),
    ],
)
@pytest.mark.parametrize("form", ['{"a": %s}\n', ' \t{"a": %s} \r\n\n', '[{"a": %s}]', '\ufeff{"a": %s}\n'])
def test_odd_values_are_read_as_the_library_of_python_reads_them(value: str, form: str) -> None:
    assert repr(items_of((form % value).encode())) == repr([{"a": json.loads(value)}])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b'{"a": 01}', r"line 1, column 8: not JSON \(Expecting ',' delimiter\)"),
        (b'{"a": "\t"}', r"line 1, column 8: not JSON \(Invalid control character at\)"),
        (b'{"a": "\xff"}', r"not UTF-8 text \(byte 7\)"),
        (b'{"a": 1}\n{"a": "\xed\xa0\x80"}', r"not UTF-8 text \(byte 16\)"),
        (b'{"a": 1}\n\n[2]', r"line 3: an object with fields is expected, found \[2\]"),
        (b'{"a": 1}\nnull', r"line 2: an object with fields is expected, found None"),
        (b'{"a": %s}' % (b"9" * 5000), "line 1: a number in it is too long to be read"),
        (b'{"a": %s}' % (b"[" * 20_000), "line 1: not an item: the JSON is nested too deeply"),
        (b'{"a":\n 1}', "one JSON object over several lines; one record per line is expected"),
        (b'[{"a": 1},', r"line 1, column 11: not JSON \(Expecting value\)"),
        (b'[{"a": 1}, null]', "item 2: an object with fields is expected, found None"),
        (b"[%s]" % (b"9" * 5000), "a number in it is too long to be read"),
        (b"[" * 20_000, "not a list of items: the JSON is nested too deeply"),
        (b'["\xff"]', r"not UTF-8 text \(byte 2\)"),
    ],
)
def test_what_is_wrong_with_a_file_is_named_with_its_place(content: bytes, what: str) -> None:
    with pytest.raises(DataError, match=what):
        items_of(content)
