"""Pages of `--help`: what a command does, its options under headings, examples and exit codes.

Written here rather than left to rich, which takes twice as long to load as everything else that --help needs, and
gives half of 80 columns to empty space.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from typer.core import TyperCommand, TyperGroup

from dtbench.harness.cli.terminal import print_note, styled
from dtbench.harness.core.options import ASK, INPUT, PANELS, REQUIRED

GROUPS: Mapping[str, Sequence[str]] = {
    "Start": ("demo", "doctor", "tasks", "models", "new", "data"),
    "Evaluate": ("run", "sweep", "merge", "score", "compare", "gate", "subset"),
    "Results": ("report", "table", "plot", "board", "judge", "faithful", "export", "view", "watch"),
    "Train": ("cot", "mine", "train", "probe"),
    "Other tools": ("lm-eval", "extract"),
}
"""The commands of the first page, in the order in which it shows them."""
ALIASES = {"chains": "cot"}
"""Former names of commands, which work and are not listed."""
ASKING = ("run", "sweep", "judge", "faithful", "cot", "mine", "demo")
"""Commands that ask a model: what others take is input."""
MAX_WIDTH = 100
MAX_LEFT = 26
"""Columns of an option and its metavar; a longer one has a line of its own."""
HEADING, _NAME, _FAINT = "1", "36", "2"


class Row(NamedTuple):
    """A line of a panel."""

    name: str
    text: str
    default: str = ""


class HelpCommand(TyperCommand):
    """A command whose page has panels, examples and exit codes."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page."""
        formatter.write("\n".join(_command_page(self, ctx)) + "\n")

    def invoke(self, ctx: Any) -> Any:
        """Run the command; print that the same one resumes, where Ctrl-C has ended it and it does."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            from dtbench.harness.cli.help_texts import exit_codes

            if "resumes" in exit_codes(ctx.command_path.partition(" ")[2])[130]:
                print_note("interrupted; the same command resumes")
            raise


class HelpGroup(TyperGroup):
    """A group of commands whose page lists them under headings."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page."""
        formatter.write("\n".join(_group_page(self, ctx)) + "\n")


def _command_page(command: TyperCommand, ctx: Any) -> Iterator[str]:
    yield from _opening(command, ctx)
    panels = _panels(command, ctx)
    column = column_of(row for rows in panels.values() for row in rows)
    for title, rows in panels.items():
        yield from section(title, rows, column)
    yield from _closing(ctx)


def _group_page(group: TyperGroup, ctx: Any) -> Iterator[str]:
    yield from _opening(group, ctx)
    groups = GROUPS if ctx.parent is None else {"Commands": list(group.commands)}
    for title, names in groups.items():
        there = [group.commands[name] for name in names if name in group.commands]
        rows = [Row(one.name or "", one.short_help or _paragraphs(one.help)[0]) for one in there]
        yield from section(title, rows, column=11)
    options = [_option_row(one) for one in group.get_params(ctx)]
    yield from section("Options", options, column_of(options))
    yield from _closing(ctx)
    yield f"\n`{ctx.command_path} COMMAND --help` shows the options and examples of one command."


def _opening(command: TyperCommand | TyperGroup, ctx: Any) -> Iterator[str]:
    usage = command.get_usage(ctx).replace("{", "").replace("}", "")
    parameters: Sequence[Any] = command.get_params(ctx)
    for name in (one.metavar for one in parameters if one.param_type_name == "argument"):
        # An argument whose absence is refused in our own words is optional for typer.
        usage = usage.replace(f"[{name}]", name) if not name.startswith("[") else usage
    yield styled(usage, HEADING)
    for paragraph in _paragraphs(command.help):
        yield ""
        yield from textwrap.wrap(paragraph, page_width(), break_on_hyphens=False)


def _closing(ctx: Any) -> Iterator[str]:
    from dtbench.harness.cli.help_texts import EXAMPLES, exit_codes

    path = _path(ctx)
    yield ""
    yield styled("Examples", HEADING)
    for example in EXAMPLES.get(path, ()):
        yield styled(f"  # {example.purpose}", _FAINT)
        yield f"  {example.command}"
    rows = [Row(str(code), meaning) for code, meaning in exit_codes(path).items()]
    yield from section("Exit codes", rows, column=7)


def _panels(command: TyperCommand, ctx: Any) -> Mapping[str, list[Row]]:
    """Return the rows of each panel by its title, in the order in which they are shown."""
    panels: dict[str, list[Row]] = {"Arguments": [], **{title: [] for title in PANELS}}
    parameters: Sequence[Any] = command.get_params(ctx)
    for one in parameters:
        if one.param_type_name == "argument":
            panels["Arguments"].append(Row(one.metavar or one.name, one.help or ""))
        elif not one.hidden:
            panels[one.rich_help_panel or PANELS[-1]].append(_option_row(one))
    asks = _path(ctx) in ASKING
    return {title if asks or title != ASK else INPUT: rows for title, rows in panels.items() if rows}


def _path(ctx: Any) -> str:
    """Return the words of a command after `dtbench`."""
    path: str = ctx.command_path.partition(" ")[2]
    return ALIASES.get(path, path)


def _option_row(one: Any) -> Row:
    flags = ", ".join(sorted(one.opts, key=len))
    shown = one.show_default if isinstance(one.show_default, str) else ""
    default = f"[{shown}]" if shown == REQUIRED else f"[default: {shown}]" if shown else ""
    return Row(f"{flags} {one.metavar}" if one.metavar else flags, one.help or "", default)


def column_of(rows: Iterable[Row]) -> int:
    """Return where the texts of these rows begin."""
    return max(len(row.name) for row in rows if len(row.name) <= MAX_LEFT) + 4


def section(title: str, rows: Sequence[Row], column: int) -> Iterator[str]:
    """Yield the lines of a panel, their texts from this column on; nothing where there are no rows."""
    if not rows:
        return
    yield ""
    yield styled(title, HEADING)
    for row in rows:
        # A default stays in one piece: textwrap does not break at this kind of blank.
        text = " ".join(filter(None, (row.text, row.default.replace(" ", "\u00a0"))))
        lines = [
            line.replace("\u00a0", " ") for line in textwrap.wrap(text, page_width() - column, break_on_hyphens=False)
        ]
        if row.default and lines[-1].endswith(row.default):
            lines[-1] = lines[-1].removesuffix(row.default) + styled(row.default, _FAINT)
        name, gap = styled(row.name, _NAME), " " * (column - 2 - len(row.name))
        if not gap or not lines:
            yield f"  {name}"
        else:
            yield f"  {name}{gap}{lines.pop(0)}"
        yield from (f"{' ' * column}{line}" for line in lines)


def _paragraphs(text: str | None) -> Sequence[str]:
    return [" ".join(part.split()) for part in (text or "").split("\n\n")]


def page_width() -> int:
    """Return how many columns a page has."""
    return min(shutil.get_terminal_size().columns, MAX_WIDTH)
