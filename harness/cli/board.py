"""`dtbench board`: published numbers, and the runs of this machine among them."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dtbench.harness.cli.tables import print_rows
from dtbench.harness.cli.terminal import print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import UserError, one_line
from dtbench.harness.core.options import OUTPUT, AsJson, Option
from dtbench.harness.table.formats import escape_csv, escape_markdown

if TYPE_CHECKING:
    from dtbench.results.board import Board, Entry

Task = Annotated[str | None, Option("--task", "TASK", "Only this benchmark.", shown="all", values="tasks")]
Runs = Annotated[
    Path | None,
    Option("--runs", "DIR", "Folder that holds your run folders.", shown="results/runs", values="folders"),
]
Alone = Annotated[bool, Option("--published", None, "Published numbers only, without your own runs.")]
AsMarkdown = Annotated[bool, Option("--md", None, "Print Markdown.", panel=OUTPUT)]
AsHtml = Annotated[bool, Option("--html", None, "Print an HTML page.", panel=OUTPUT)]
AsCsv = Annotated[bool, Option("--csv", None, "Print CSV.", panel=OUTPUT)]
TITLES = ("rank", "model", "score", "95 % interval", "rubrics", "source", "date", "not comparable")
ABOUT = (
    "# Leaderboard",
    "",
    "Made by `dtbench board --published --md`. Scores are official scores in percent. A model's rank is one more than",
    "the number of models that are significantly better; several reports of one model are listed separately. Results",
    "that are not comparable are listed without a rank, with the reason.",
)
STYLE = """
body { font: 15px/1.5 system-ui; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color-scheme: light dark }
table { border-collapse: collapse; width: 100% }
td, th { padding: .2rem .6rem; text-align: left; border-bottom: 1px solid #8884 }
td:first-child, td:nth-child(3) { text-align: right }
.ours { font-weight: bold }
"""
HERE = Path("results") / "runs"


@with_options
def board_command(  # noqa: PLR0913 - its parameters are options
    task: Task = None,
    runs: Runs = None,
    published: Alone = False,
    as_markdown: AsMarkdown = False,
    as_html: AsHtml = False,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Show published scores next to your own runs.

    Models share a rank where their difference could be chance. What cannot be compared is listed without a rank, with
    the reason.
    """
    from dtbench.results.board import make_board, published_tasks

    if as_markdown + as_html + as_csv + as_json > 1:
        raise UserError("--md, --html, --csv, --json: only one of these is allowed.")
    if runs is not None and not runs.is_dir():
        raise UserError(
            f"--runs {runs}: {'this is a file' if runs.exists() else 'there is no such folder'}; name a folder."
        )
    where = None if published else runs or (HERE if HERE.is_dir() else None)
    boards = [make_board(name, where) for name in ([task] if task else published_tasks())]
    for note in dict.fromkeys(note for one in boards for note in one.notes):
        print_note(note)
    if as_json:
        entries = [{"task": one.task, "entries": [entry._asdict() for entry in one.entries]} for one in boards]
        typer.echo(json.dumps(entries))
    elif as_markdown:
        typer.echo(boards_as_markdown(boards), nl=False)
    elif as_html:
        typer.echo(_page(boards), nl=False)
    elif as_csv:
        typer.echo(_csv(boards), nl=False)
    else:
        _print(boards)


def boards_as_markdown(boards: Sequence[Board]) -> str:
    """Return the boards as LEADERBOARD.md has them."""
    lines = list(ABOUT)
    for one in boards:
        lines += ["", f"## {one.task}", "", f"| {' | '.join(TITLES)} |", "|---:|---|---:|---|---:|---|---|---|"]
        for entry in one.entries:
            cells = map(escape_markdown, _cells(entry))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cells(entry: Entry) -> tuple[str, ...]:
    return (
        "" if entry.rank is None else str(entry.rank),
        one_line(entry.model),
        f"{entry.score:.2f}",
        f"{entry.low:.1f} to {entry.high:.1f}",
        "" if entry.rubrics is None else f"{entry.rubrics:.2f}",
        one_line(entry.source),
        entry.date,
        one_line(entry.why_not),
    )


def _csv(boards: Sequence[Board]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ("task", "rank", "model", "score", "low", "high", "rubrics", "source", "where", "date", "data", "why")
    )
    for one in boards:
        for e in one.entries:
            row = (e.rank, e.model, e.score, e.low, e.high, e.rubrics, e.source, e.where, e.date, e.data, e.why_not)
            writer.writerow((one.task, *(escape_csv(cell) if isinstance(cell, str) else cell for cell in row)))
    return out.getvalue()


def _page(boards: Sequence[Board]) -> str:
    parts = [f"<!doctype html><html lang=en><meta charset=utf-8><title>Leaderboard</title><style>{STYLE}</style>"]
    for one in boards:
        heads = "".join(f"<th>{title}" for title in TITLES)
        parts.append(f"<h2>{html.escape(one.task)}</h2><table><tr>{heads}")
        for entry in one.entries:
            cells = "".join(f"<td>{html.escape(cell)}" for cell in _cells(entry))
            parts.append(f"<tr{' class=ours' if entry.ours else ''}>{cells}")
        parts.append("</table>")
    return "\n".join(parts) + "\n"


def _print(boards: Sequence[Board]) -> None:
    for one in boards:
        typer.echo(one.task)
        rows = []
        for entry in one.entries:
            rank, model, *figures, source, _, why_not = _cells(entry)
            rows.append((f"{'* ' if entry.ours else ''}{model}", rank, *figures, source, why_not))
        print_rows(("model", *TITLES[:1], *TITLES[2:5], "source", "not comparable"), rows)
