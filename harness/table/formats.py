"""Tables as Markdown, CSV and HTML; whatever a model or an endpoint wrote is escaped for each."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator, Sequence

from dtbench.harness.core.errors import one_line
from dtbench.harness.store.table_types import ResultTable, TableCell
from dtbench.harness.table.layout import CellText, RowText, TableText, table_text

_MARKDOWN = re.compile(r"([\\`*_\[\]|~$])")
_LINKS = {"://": "&#58;//", "www.": "www&#46;", "@": "&#64;<!-- -->"}
"""What becomes a link by itself, or calls somebody, and how it is written to do neither."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "|", "%")
"""What makes a spreadsheet take a text for a formula."""
BOLD_AND_LINE = "Bold: best of a column; underlined: second best."
STYLE = """
table.dtbench { border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid; margin: .5rem 0 }
table.dtbench th, table.dtbench td { padding: .15rem .6rem; text-align: right; border: 0 }
table.dtbench th:first-child, table.dtbench td:first-child { text-align: left }
table.dtbench tr.line > * { border-top: 1px solid }
table.dtbench small { display: block; opacity: .75 }
p.dtbench { font-size: .85rem; max-width: 60rem }
"""


def escape_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is, without links, mentions, tables or HTML of its own."""
    plain = _MARKDOWN.sub(r"\\\1", html.escape(one_line(text), quote=False))
    for link, harmless in _LINKS.items():
        plain = re.sub(re.escape(link), harmless, plain, flags=re.IGNORECASE)
    return plain


def escape_csv(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    plain = one_line(text)
    return f"'{plain}" if plain.lstrip().startswith(_FORMULA) else plain


def markdown_of(tables: Sequence[ResultTable], interval: str, decimals: int) -> str:
    """Return tables as Markdown, a heading each where there are several."""
    parts = [table_text(table, interval, decimals, ranked=BOLD_AND_LINE) for table in tables]
    several = len(parts) > 1
    return "\n\n".join("\n".join(_markdown_lines(part, interval, heading=several)) for part in parts) + "\n"


def _markdown_lines(text: TableText, interval: str, *, heading: bool) -> Iterator[str]:
    if heading:
        yield f"### {escape_markdown(text.title)}"
        yield ""
    titles = ["" if heading else escape_markdown(text.title), *map(escape_markdown, text.columns)]
    yield _markdown_row(titles)
    yield _markdown_row(["---", *["---:"] * len(text.columns)])
    if text.counts:
        yield _markdown_row(["n", *text.counts])
    for title, rows in text.parts:
        if title:
            yield _markdown_row([f"*{title}*", *[""] * len(text.columns)])
        for row in rows:
            yield _markdown_row([_markdown_label(row), *(_markdown_cell(cell, interval) for cell in row.cells)])
    yield ""
    yield "<br>\n".join(map(escape_markdown, text.below))


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_label(row: RowText) -> str:
    label = escape_markdown(row.label)
    return f"{label} <sup>{row.note}</sup>" if row.note else label


def _markdown_cell(cell: CellText, interval: str) -> str:
    value = {"best": f"**{cell.value}**", "second": f"<u>{cell.value}</u>"}.get(cell.rank, cell.value)
    between = "<br>" if interval == "below" else " "
    return f"{value}{cell.marks}" + (f"{between}({cell.interval})" if cell.interval else "")


def csv_of(tables: Sequence[ResultTable], decimals: int) -> str:
    """Return tables as one CSV file: a line for each row, and four columns of figures for each column."""
    titles = list(dict.fromkeys(column["title"] for table in tables for column in table["columns"]))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    more = ("low", "high", "n", "adjusted p")
    heads = [escape_csv(name) for title in titles for name in (title, *(f"{title} {one}" for one in more))]
    writer.writerow(["table", "score", "row", "kind", *heads, "source", "not comparable"])
    for table in tables:
        for row in table["rows"]:
            cells = dict(zip((one["title"] for one in table["columns"]), row["cells"], strict=True))
            units = {one["title"]: one["unit"] for one in table["columns"]}
            figures = [
                figure
                for title in titles
                for figure in _csv_figures(cells.get(title), 1 if units.get(title) == "characters" else 100, decimals)
            ]
            head = [escape_csv(table["title"]), table["score"], escape_csv(row["label"]), row["kind"]]
            writer.writerow([*head, *figures, escape_csv(row["source"]), escape_csv(row["not_comparable"])])
    return out.getvalue()


def _csv_figures(cell: TableCell | None, scale: int, decimals: int) -> list[str]:
    if cell is None:
        return [""] * 5
    shares = [cell["value"], cell["low"], cell["high"]]
    p = cell.get("p_adjusted")
    figures = ["" if one is None else f"{scale * one:.{decimals}f}" for one in shares]
    return [*figures, "" if cell["n"] is None else str(cell["n"]), "" if p is None else f"{p:.2g}"]


def html_page(tables: Sequence[ResultTable], interval: str, decimals: int) -> str:
    """Return a page of its own with the tables."""
    head = "<!doctype html><html lang=en><meta charset=utf-8><title>Results</title>"
    look = "<style>body { font: 15px/1.5 system-ui; margin: 2rem; color-scheme: light dark }</style>"
    return f"{head}{look}\n{html_of(tables, interval, decimals)}"


def html_of(tables: Sequence[ResultTable], interval: str, decimals: int) -> str:
    """Return the tables as HTML for another page, or a notebook."""
    parts = [table_text(table, interval, decimals, ranked=BOLD_AND_LINE) for table in tables]
    body = "\n".join(line for part in parts for line in _html_lines(part, interval))
    return f"<style>{STYLE}</style>\n{body}\n"


def _html_lines(text: TableText, interval: str) -> Iterator[str]:
    yield "<table class=dtbench>"
    heads = "".join(f"<th scope=col>{html.escape(title)}</th>" for title in text.columns)
    yield f"<tr><th scope=col>{html.escape(text.title)}</th>{heads}</tr>"
    if text.counts:
        yield f"<tr><td>n</td>{''.join(f'<td>{count}</td>' for count in text.counts)}</tr>"
    for title, rows in text.parts:
        first = " class=line"
        if title:
            yield f"<tr{first}><th scope=rowgroup colspan={1 + len(text.columns)}><i>{title}</i></th></tr>"
            first = ""
        for row in rows:
            note = f" <sup>{row.note}</sup>" if row.note else ""
            cells = "".join(f"<td>{_html_cell(cell, interval)}</td>" for cell in row.cells)
            yield f"<tr{first}><th scope=row>{html.escape(row.label)}{note}</th>{cells}</tr>"
            first = ""
    yield "</table>"
    yield f"<p class=dtbench>{'<br>'.join(map(html.escape, text.below))}</p>"


def _html_cell(cell: CellText, interval: str) -> str:
    tag = {"best": "b", "second": "u"}.get(cell.rank)
    value = f"<{tag}>{cell.value}</{tag}>" if tag else cell.value
    shown = f" ({cell.interval})" if interval == "brackets" else f"<small>({cell.interval})</small>"
    return f"{value}{cell.marks}" + (shown if cell.interval else "")
