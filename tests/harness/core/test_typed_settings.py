from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.typed_settings import (
    RENAMED,
    at_least,
    between,
    check_settings,
    known_settings,
    parse_arguments,
    read_options,
    read_table,
    read_toml,
)
from dtbench.models.vllm.model import VllmSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    share: Annotated[float, between(0, 1)] = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    size: Annotated[int, at_least(1)]
    limit: Annotated[float, at_least(0)] | None = None
    mode: Literal["fast", "slow"] = "fast"
    names: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    flags: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    extra: dict[str, Any] | None = None
    folder: Path | None = None
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    note: Annotated[str, "a mark of someone else's"] = ""


def test_a_table_becomes_an_object_of_the_types_of_its_fields() -> None:
    table = {
        "size": 3,
        "limit": 2,
        "names": ["a", "b"],
        "weights": {"x": 1},
        "flags": {"a": 1, "b": 1.5, "c": True, "d": "e"},
        "folder": "~/x",
        "inner": {"share": 1},
        "many": [{}, {"share": 0.25}],
        "note": "x",
    }
    read = read_table(Outer, table, "own.toml")
    assert read == Outer(
        size=3,
        limit=2.0,
        names=("a", "b"),
        weights={"x": 1.0},
        flags={"a": 1, "b": 1.5, "c": True, "d": "e"},
        folder=Path.home() / "x",
        inner=Inner(share=1.0),
        many=(Inner(), Inner(share=0.25)),
        note="x",
    )
    assert [type(value) for value in read.flags.values()] == [int, float, bool, str]
    assert type(read.limit) is float


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({}, "own.toml: size is missing; add it."),
        ({"size": 1, "nmaes": []}, "own.toml: unknown setting 'nmaes'. Did you mean names?"),
        ({"size": 0}, "own.toml: size = 0: at least 1 is expected."),
        ({"size": 1.0}, "own.toml: size = 1.0: a whole number is expected."),
        ({"size": True}, "own.toml: size = true: a whole number is expected."),
        ({"size": "1"}, 'own.toml: size = "1": a whole number is expected.'),
        ({"size": None}, "own.toml: size = null: a whole number is expected."),
        ({"size": 1, "limit": float("nan")}, "own.toml: limit = NaN: a number is expected."),
        ({"size": 1, "limit": float("inf")}, "own.toml: limit = Infinity: a number is expected."),
        ({"size": 1, "limit": 10**400}, ": a number is expected."),
        ({"size": 1, "mode": "slwo"}, 'own.toml: mode = "slwo": unknown. Did you mean slow? Known: fast, slow.'),
        ({"size": 1, "mode": "ü"}, 'own.toml: mode = "ü": unknown. Known: fast, slow.'),
        ({"size": 1, "names": "a"}, 'own.toml: names = "a": a list is expected.'),
        ({"size": 1, "names": ["a", 2]}, "own.toml: names = 2: a text is expected."),
        ({"size": 1, "weights": ["x"]}, 'own.toml: weights = ["x"]: a table is expected.'),
        ({"size": 1, "weights": {"x": "y"}}, 'own.toml: weights.x = "y": a number is expected.'),
        ({"size": 1, "flags": {"x": ["y"]}}, 'own.toml: flags.x = ["y"]: true or false is expected.'),
        ({"size": 1, "folder": 3}, "own.toml: folder = 3: a path is expected."),
        ({"size": 1, "inner": 3}, "own.toml: inner = 3: a table is expected."),
        ({"size": 1, "inner": {"share": 2}}, "own.toml: inner: share = 2: 0 to 1 is expected."),
        ({"size": 1, "many": [{"shrae": 2}]}, "own.toml: many: unknown setting 'shrae'. Did you mean share?"),
    ],
)
def test_what_does_not_fit_in_a_table_is_one_line(table: Mapping[str, Any], complaint: str) -> None:
    with pytest.raises(UserError) as raised:
        read_table(Outer, table, "own.toml")
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_text_is_read_by_the_same_types_and_limits() -> None:
    given = {
        "size": "3",
        "limit": "2",
        "mode": "slow",
        "names": '["a", "b"]',
        "extra": '{"top_k": 20}',
        "folder": "~/x",
    }
    assert parse_arguments(Outer, given, "it") == {
        "size": 3,
        "limit": 2.0,
        "mode": "slow",
        "names": ("a", "b"),
        "extra": {"top_k": 20},
        "folder": Path.home() / "x",
    }


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "it needs -M size=N."),
        ({"size": "0"}, "-M size=0: at least 1 is expected."),
        ({"size": "1.0"}, "-M size=1.0: a whole number is expected."),
        ({"size": "1", "limit": "inf"}, "-M limit=inf: a number is expected."),
        ({"size": "1", "names": "a"}, '-M names=a: a JSON list, such as ["a", "b"], is expected.'),
        ({"size": "1", "extra": "["}, '-M extra=[: a JSON object, such as {"top_k": 20}, is expected.'),
        ({"size": "1", "extra": "[" * 100_000}, 'a JSON object, such as {"top_k": 20}, is expected.'),
        ({"size": "1", "weights": '{"x": "y"}'}, '-M weights.x = "y": a number is expected.'),
    ],
)
def test_what_does_not_fit_in_an_option_is_one_line(given: Mapping[str, str], complaint: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_arguments(Outer, given, "it")
    assert complaint in str(raised.value)


def test_a_value_that_was_never_read_is_checked_where_the_object_is() -> None:
    check_settings(Outer(size=1, names=("a",), many=(Inner(),)), "settings:")
    with pytest.raises(UserError, match=r"^settings: size = 0: at least 1 is expected\.$"):
        check_settings(Outer(size=0), "settings:")


def test_settings_that_extend_others_know_the_types_of_both() -> None:
    with pytest.raises(UserError, match=r"^-M temperature=-1: at least 0 is expected\.$"):
        parse_arguments(VllmSettings, {"temperature": "-1"}, "vLLM")
    assert parse_arguments(VllmSettings, {"start_timeout": "9", "rate": "8000"}, "vLLM") == {
        "start_timeout": 9.0,
        "rate": 8000,
    }


def test_defaults_that_a_class_does_not_have_are_left_out_and_options_take_precedence() -> None:
    read = read_options(Outer, {"size": "2"}, "it", defaults={"size": 1, "limit": 0.5, "other": 3})
    assert (read.size, read.limit) == (2, 0.5)


def test_a_former_name_is_told_with_the_new_one_where_that_is_known() -> None:
    assert [known_settings(old, [new]) for old, new in RENAMED.items()] == [
        f"It is called {new} now." for new in RENAMED.values()
    ]
    assert known_settings("patience", ["size"]) == "Known: size."


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, r"own\.toml: there is no such file\."),
        (b"[x", r"own\.toml: not TOML \("),
        (b"x = '\xff'", r"own\.toml: not TOML \("),
    ],
)
def test_a_file_that_is_no_toml_is_one_line(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    path = tmp_path / "own.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=complaint):
        read_toml(path)
