"""Tables as LaTeX in the style of booktabs; whatever a model or an endpoint wrote is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dtbench.harness.core.errors import one_line
from dtbench.harness.store.table_types import ResultTable
from dtbench.harness.table.captions import BEYOND_CHANCE, DIFFERS
from dtbench.harness.table.layout import CellText, RowText, TableText, table_text

BOLD_AND_LINE = "Bold: best of a column; underlined: second best."
_SIGNS = {BEYOND_CHANCE: r"\circ", DIFFERS: r"\dagger"}
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': r"\char34{}",
    **{sign: f"$^{{{command}}}$" for sign, command in _SIGNS.items()},
    **{sign: f"\\{sign}" for sign in "{}$&#_%"},
    **{sign: f"{{{sign}}}" for sign in "[]*"},  # behind \\ they are its options
}
_LATIN = "\u024f"
"""The last of the letters that pdflatex reads by itself."""
_TABLE = str.maketrans(_SPECIAL)


def escape_latex(text: str) -> str:
    """Return a text that LaTeX prints as it is."""
    return one_line(text).translate(_TABLE)


def latex_of(tables: Sequence[ResultTable], interval: str, decimals: int) -> str:
    """Return tables as LaTeX, each a float of its own."""
    parts = [table_text(table, interval, decimals, ranked=BOLD_AND_LINE) for table in tables]
    floats = ["\n".join(_lines(part, interval)) for part in parts]
    text = "\n\n".join(floats)
    engine = "% has letters that pdflatex lacks: lualatex with a font that has them\n" if max(text) > _LATIN else ""
    return f"% needs \\usepackage{{booktabs}}\n{engine}{text}\n"


def _lines(text: TableText, interval: str) -> Iterator[str]:
    width = 1 + len(text.columns)
    yield r"\begin{table}"
    yield r"\centering"
    yield f"\\caption{{{escape_latex(text.title)}. {' '.join(map(escape_latex, text.below))}}}"
    yield f"\\begin{{tabular}}{{l{'r' * len(text.columns)}}}"
    yield r"\toprule"
    yield _row(["", *map(escape_latex, text.columns)])
    if text.counts:
        yield _row([r"$n$", *(count.replace("-", "--") for count in text.counts)])
    for title, rows in text.parts:
        yield r"\midrule"
        if title:
            yield _row([f"\\multicolumn{{{width}}}{{l}}{{\\emph{{{title}}}}}"])
        for row in rows:
            yield from _row_lines(row, interval)
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield r"\end{table}"


def _row_lines(row: RowText, interval: str) -> Iterator[str]:
    note = f"$^{{\\mathrm{{{row.note}}}}}$" if row.note else ""
    yield _row([escape_latex(row.label) + note, *(_cell(cell, interval) for cell in row.cells)])
    if interval == "below" and any(cell.interval for cell in row.cells):
        yield _row(["", *(_range(cell) for cell in row.cells)])


def _row(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _cell(cell: CellText, interval: str) -> str:
    command = {"best": "textbf", "second": "underline"}.get(cell.rank)
    value = cell.value if cell.value != "-" else "--"
    value = f"\\{command}{{{value}}}" if command else value
    inline = f" {_range(cell)}" if interval == "brackets" and cell.interval else ""
    marks = f"$^{{{''.join(_SIGNS[sign] for sign in cell.marks)}}}$" if cell.marks else ""
    return f"{value}{marks}{inline}"


def _range(cell: CellText) -> str:
    return f"{{\\scriptsize({cell.interval.replace('-', '--')})}}" if cell.interval else ""
