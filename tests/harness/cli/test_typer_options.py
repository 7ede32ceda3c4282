"""Options on the fields of a request: what typer makes of them, and what the request gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from dtbench.harness.cli.help_pages import HelpCommand
from dtbench.harness.cli.main import USAGE_ERROR
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.options import Argument, AsJson, Limit, ModelOptions, Option, parse_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    name: Annotated[str, Option("--name", "NAME", "Who orders.", missing="say who orders.")]
    out: Annotated[Path, Option("--out", "DIR", "Where it goes.")]
    dishes: Annotated[Sequence[str], Option("--dishes", "D,D", "What is served.", parse=parse_names)] = ("soup",)
    places: Annotated[Sequence[Path], Argument("PLACE [...]", "Where it is eaten.")] = ()
    limit: Limit = None
    share: Annotated[float, Option("--share", "SHARE", "How much of it.")] = 0.5
    options: ModelOptions = field(default_factory=dict[str, str])
    hot: Annotated[bool, Option("--hot", None, "Serve it hot.")] = False
    unseen: int = 7
    """No option: it keeps its default."""


def call(*arguments: str) -> tuple[Order, bool]:
    """The order of one call, and whether --json was given."""
    received: list[tuple[Order, bool]] = []

    @with_options
    def order_command(order: Order, as_json: AsJson = False) -> None:
        received.append((order, as_json))

    run(order_command, *arguments)
    return received[0]


def run(command: Callable[..., None], *arguments: str) -> Any:
    app = typer.Typer(rich_markup_mode=None)
    app.command(cls=HelpCommand)(command)
    return app(list(arguments), standalone_mode=False)


def test_a_request_gets_the_values_of_its_options_in_the_types_of_its_fields() -> None:
    given = ("--dishes", "bread, fish", "a", "b", "--limit", "3", "--share", "1", "-M", "a=1", "-M", "b=x=y", "--hot")
    order, as_json = call("--name", "ann", "--out", "there", *given, "--json")
    assert order == Order(
        name="ann",
        out=Path("there"),
        dishes=["bread", "fish"],
        places=[Path("a"), Path("b")],
        limit=3,
        share=1.0,
        options={"a": "1", "b": "x=y"},
        hot=True,
    )
    assert as_json


def test_what_is_not_given_keeps_the_default_of_its_field() -> None:
    order, as_json = call("--name", "ann", "--out", "there")
    assert order == Order(name="ann", out=Path("there"))
    assert (order.dishes, order.places, order.unseen, as_json) == (("soup",), (), 7, False)


def test_a_missing_option_is_named_in_the_words_of_its_field_or_of_typer() -> None:
    with pytest.raises(UserError, match=r"^--name is missing: say who orders\.$"):
        call("--out", "there")
    with pytest.raises(USAGE_ERROR, match=r"Missing parameter: out"):
        call("--name", "ann")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("-M", "a"), "-M a: key=value is expected"),
        (("-M", "a=1", "-M", "a=2"), r"-M a=2: a is given twice \(-M a=1\)"),
        (("--dishes", "soup,soup"), "soup is named twice"),
    ],
)
def test_a_value_that_cannot_be_parsed_is_one_line(arguments: Sequence[str], line: str) -> None:
    with pytest.raises(UserError, match=line):
        call("--name", "ann", "--out", "there", *arguments)


def test_help_shows_flags_metavars_and_defaults_but_no_field_without_an_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(IndexError):  # --help calls no command
        call("--help")
    shown = capsys.readouterr().out
    for words in ("--name", "NAME", "Who orders.", "--share", "[default: 0.5]", "PLACE [...]", "KEY=VALUE", "--hot"):
        assert words in shown
    assert "unseen" not in shown
    assert "--no-hot" not in shown
