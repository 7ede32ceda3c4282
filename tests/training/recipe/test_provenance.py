"""Behind each figure of a recipe stands where it comes from: the paper, its digest, its authors' arguments, or us."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from dtbench.training.recipe.recipe import RECIPES, recipe_names

MARK = re.compile(r"(paper|digest|author's|chosen)(: .+)?")
LABELS = {"title", "name"}
"""What only names a thing says nothing of a training."""


class Figure(NamedTuple):
    """A setting as it stands in the file, and what is said behind it."""

    name: str
    comment: str


def figures(text: str) -> Iterator[Figure]:
    """Every setting of a TOML file, those of several lines too."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if not statement.strip() or statement.lstrip().startswith(("#", "[")):
            statement = ""
            continue
        try:
            (name,) = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # it goes on in the next line
        yield Figure(name, comment_of(statement))
        statement = ""
    assert not statement


def comment_of(statement: str) -> str:
    """What stands behind the first # that is not within the value."""
    value = tomllib.loads(statement)
    for place, sign in enumerate(statement):
        if sign == "#" and parsed(statement[:place]) == value:
            return statement[place + 1 :].strip()
    return ""


def parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def unmarked(text: str) -> list[str]:
    """The settings that do not say where they come from, or say it in other words."""
    return [
        figure.name
        for figure in figures(text)
        if figure.name not in LABELS and not all(MARK.fullmatch(part) for part in figure.comment.split("; "))
    ]


@pytest.mark.parametrize("name", recipe_names())
def test_every_figure_says_where_it_comes_from(name: str) -> None:
    text = (RECIPES / f"{name}.toml").read_text()
    assert unmarked(text) == []
    assert len(list(figures(text))) > 40


@pytest.mark.parametrize("name", recipe_names())
def test_no_figure_is_overlooked(name: str) -> None:
    text = (RECIPES / f"{name}.toml").read_text()
    assert len(list(figures(text))) == len(re.findall(r"^[\w-]+ = ", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        ("beta = 0.001  # paper", True),
        ("beta = 0.001  # paper: of stage 1; chosen: of stage 2", True),
        ("steps = 500  # author's: where theirs began", True),
        ('words = "# paper"', False),
        ('words = "a # b"  # digest', True),
        ('words = """\na # b\n"""  # chosen: ours', True),
        ("beta = 0.001", False),
        ("beta = 0.001  # papers", False),
        ("beta = 0.001  # paper, or chosen", False),
        ("beta = 0.001  # guessed", False),
        ("beta = 0.001  # paper; who knows", False),
        ("beta = 0.001  # chosen:", False),
        ('title = "a title"', True),
    ],
)
def test_a_figure_without_a_known_mark_is_found(line: str, marked: bool) -> None:
    assert unmarked(f"[training]\n# a remark\n{line}\n") == ([] if marked else [line.split(" ", maxsplit=1)[0]])


@pytest.mark.parametrize("name", recipe_names())
def test_each_mark_of_a_recipe_is_explained_at_its_head(name: str) -> None:
    text = (RECIPES / f"{name}.toml").read_text()
    head = text.partition("title = ")[0]
    used = {part.partition(":")[0] for figure in figures(text) for part in figure.comment.split("; ") if part}
    assert {mark for mark in used if f"`{mark}`" not in head} == set()
