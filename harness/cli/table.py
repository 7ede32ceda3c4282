"""`dtbench table`: the table that a paper prints, on the terminal or as Markdown, LaTeX, CSV or HTML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dtbench.harness.cli.tables import output_file
from dtbench.harness.cli.terminal import print_line, print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.options import OUTPUT, AsJson, Option
from dtbench.harness.core.output_paths import refuse_no_file, suffix_of
from dtbench.harness.table.request import FORMATS, TableOptions

if TYPE_CHECKING:
    from rich.table import Table

    from dtbench.harness.store.table_types import ResultTable
    from dtbench.harness.table.layout import CellText, TableText
    from dtbench.harness.table.paper_table import PaperTable

AsMarkdown = Annotated[bool, Option("--md", None, "Write Markdown.", panel=OUTPUT)]
AsLatex = Annotated[bool, Option("--latex", None, "Write LaTeX (needs the package booktabs).", panel=OUTPUT)]
AsCsv = Annotated[bool, Option("--csv", None, "Write CSV.", panel=OUTPUT)]
AsHtml = Annotated[bool, Option("--html", None, "Write an HTML page.", panel=OUTPUT)]
Out = Annotated[
    Path | None,
    Option(
        "--out",
        "FILE",
        "Output file; its extension sets the format: .md, .tex, .csv, .html.",
        panel=OUTPUT,
        shown="stdout",
        values="files",
    ),
]
RANKED = "bold is the best of a column, underlined the second best"


@with_options
def table_command(  # noqa: PLR0913 - its parameters are options
    options: TableOptions,
    as_markdown: AsMarkdown = False,
    as_latex: AsLatex = False,
    as_csv: AsCsv = False,
    as_html: AsHtml = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Make a table for a paper: runs and published scores, with the columns of the benchmark's own table.

    Numbers come from the stored runs. Best and second best are marked, and so are significant differences from the
    first run, by paired tests corrected for the number of cells.
    """
    from dtbench.harness.store.run_folder import StoredRun
    from dtbench.harness.table.paper_table import table_of

    chosen = {"md": as_markdown, "tex": as_latex, "csv": as_csv, "html": as_html, "json": as_json}
    wanted = _format([name for name, given in chosen.items() if given], out)
    refuse_no_file("--out", out)
    table = table_of([StoredRun.open(path) for path in options.runs], options)
    if wanted is None:
        _print(table)
        return
    text = _written(table, wanted)
    if out is None:
        typer.echo(text, nl=False)
    else:
        with output_file("--out", out) as file:
            file.write(text)
        print_line(f"table {out}")
    for note in dict.fromkeys(note for one in table.tables for note in one["notes"]):
        print_note(note)


def _format(chosen: Sequence[str], out: Path | None) -> str | None:
    """Return the format by its switch, or by how the file ends; None for the terminal."""
    if len(chosen) > 1:
        raise UserError("--md, --latex, --csv, --html, --json: only one of these is allowed.")
    if chosen or out is None:
        return chosen[0] if chosen else None
    return suffix_of("--out", out, (*FORMATS, "json"))


def _written(table: PaperTable, wanted: str) -> str:
    if wanted == "json":
        return json.dumps(table.tables) + "\n"
    forms = {"md": table.to_markdown, "tex": table.to_latex, "csv": table.to_csv, "html": table.to_html}
    return forms[wanted]()


def _print(table: PaperTable) -> None:
    from rich.console import Console

    from dtbench.harness.table.layout import table_text

    console = Console(highlight=False)
    for one in table.tables:
        text = table_text(one, table.interval, table.decimals)
        print_line(f"{text.title}, {_in_words(one)}")
        console.print(_rich_table(text, table.interval))
        for sentence in text.below:
            print_line(sentence)
        if console.is_terminal and any(cell.rank for row in text.rows() for cell in row.cells):
            print_line(f"{RANKED.capitalize()}.")


def _in_words(table: ResultTable) -> str:
    return "marks of a judge in %" if table["score"] == "rubric" else f"{table['score']} accuracy in %"


def _rich_table(text: TableText, interval: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, padding=(0, 1), pad_edge=False)
    table.add_column("")
    for title in text.columns:
        table.add_column(Text(title), justify="right", overflow="fold")
    if text.counts:
        table.add_row("n", *text.counts)
    for title, rows in text.parts:
        if title:
            table.add_row(Text(f"{title}:", style="italic"))
        for row in rows:
            label = f"{row.label} [{row.note}]" if row.note else row.label
            table.add_row(Text(label), *(Text.assemble(*_pieces(cell, interval)) for cell in row.cells))
    return table


def _pieces(cell: CellText, interval: str) -> Iterator[tuple[str, str]]:
    yield cell.value, {"best": "bold", "second": "underline"}.get(cell.rank, "")
    yield cell.marks, ""
    if cell.interval:
        yield f"{chr(10) if interval == 'below' else ' '}({cell.interval})", "dim"
