"""The cards of the report as plain HTML for notebooks: the same figures, words and colours, without a script.

Every text is escaped. The colours are read from the report's own style; a card has its own background, and follows the
theme of JupyterLab, VS Code and Colab, else that of the system.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from dtbench.harness.compare.gate import GateVerdict, Verdict
from dtbench.harness.compare.gate_files import verdict_sentence
from dtbench.harness.compare.words import comparison_in_words
from dtbench.harness.stats.intervals import has_partial_marks
from dtbench.harness.store.comparison_types import ComparisonAmongSeveral, Flip
from dtbench.harness.store.judged_types import AnswerSummary, CalibrationSummary, JudgeSummary
from dtbench.harness.store.summary_types import TaskSummary

LIGHT = '[data-jp-theme-light="true"] .dtb,.vscode-light .dtb,html[theme="light"] .dtb'
DARK = '[data-jp-theme-light="false"] .dtb,.vscode-dark .dtb,html[theme="dark"] .dtb'
RULES = """
.dtb{font:14px/1.45 system-ui,sans-serif;font-variant-numeric:tabular-nums;color:var(--ink);max-width:860px}
.dtb .card{background:var(--card);border:1px solid var(--rule);border-top:3px solid var(--a);border-radius:8px;
padding:12px 16px 14px;margin:0 0 12px}
.dtb h2{font-size:13px;font-weight:650;margin:0 0 6px;color:var(--ink)}
.dtb p{margin:2px 0}
.dtb .note{color:var(--soft);font-size:12.5px}
.dtb .warn,.dtb .worse{color:var(--wrong)}
.dtb .better{color:var(--right)}
.dtb .unclear{color:var(--unanswered)}
.dtb .big{font-size:28px;font-weight:650;line-height:1.15}
.dtb .line{display:grid;grid-template-columns:150px 1fr;gap:12px;align-items:center;padding:4px 0}
.dtb table{border-collapse:collapse;width:100%;margin:6px 0 0;color:var(--ink);font-size:13px}
.dtb tr,.dtb th,.dtb td{background:none!important;text-align:left!important;padding:3px 14px 3px 0;
border-bottom:1px solid var(--rule);vertical-align:top;overflow-wrap:anywhere}
.dtb th{font-weight:500;color:var(--soft);font-size:12px}
.dtb td .bar{margin-top:6px}
.dtb .bar{position:relative;height:8px;min-width:120px;background:var(--quiet);border-radius:2px}
.dtb .bar i{position:absolute;top:0;bottom:0;background:var(--a);opacity:.42;border-radius:2px}
.dtb .bar u{position:absolute;top:3px;height:2px;background:var(--a)}
.dtb .bar s{position:absolute;top:-3px;bottom:-3px;width:1.5px;background:var(--soft)}
.dtb summary{cursor:pointer;color:var(--soft);font-size:12.5px;margin-top:6px}
"""
MOST_FLIPS = 10


def run_cards(name: str, status: str, tasks: Sequence[TaskSummary], notes: Sequence[str] = ()) -> str:
    """Return a card for each task of a run: both scores with their intervals, groups, what is missing."""
    beyond = [f"this run is not finished ({status})"] if status != "done" else []
    return _page([_task_card(name, task, [*beyond, *notes]) for task in tasks])


def comparison_cards(parts: Sequence[ComparisonAmongSeveral]) -> str:
    """Return a card for each comparison: the difference, its groups, and the questions that changed."""
    return _page([_comparison_card(part) for part in parts])


def gate_cards(results: Sequence[GateVerdict], verdict: Verdict, sentence: str) -> str:
    """Return a card with the verdict, and what it rests on for each task and group."""
    colour = {"passed": "better", "regressed": "worse", "undecided": "unclear"}[verdict]
    rows = [
        (one.name, one.verdict, f"{_signed(one.difference)} points", _signed_range(one.low, one.high), _count(one.n))
        for one in results
    ]
    table = _table(("", "verdict", "difference", "interval", "questions"), rows)
    lines = "".join(f'<p class="note">{escape(f"{one.name}: {verdict_sentence(one)}")}</p>' for one in results)
    head = f'<p><b class="big {colour}">{escape(verdict)}</b></p><p>{escape(sentence)}</p>'
    return _page([_card("Gate", head + table + lines)])


def judge_cards(summary: JudgeSummary | AnswerSummary | CalibrationSummary) -> str:
    """Return a card with the rubric marks of a run's reasoning, or with how far the judge is to be trusted."""
    title = f"{summary['judge']} ({summary['status']})"
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in summary.get("notes", ()))
    if "kinds" in summary:
        marks = summary["marks"]
        words = f"{_percent(marks['accuracy'])} % of {_count(marks['n'])} known marks were reproduced"
        return _page([_card(title, f"<p>{escape(words)}</p>{notes}")])
    if "scorer" in summary:
        return _page([_card(title, _marked_card(summary) + notes)])
    shown = _points(summary["rubrics"])
    interval = f"95 % interval {summary['low']:.2f} to {summary['high']:.2f}" if "low" in summary else ""
    what = interval or f"{summary['unscored']} answers have no marks"
    line = f"rubrics; {what}; accuracy {_points(summary['accuracy'])}"
    rows = [
        (f"{heading}: {value}", _points(part["rubrics"]), _count(part["n"]))
        for heading, table in summary["groups"].items()
        for value, part in table.items()
    ]
    groups = _table(("", "rubrics", "n"), rows) if rows else ""
    body = f'<p><b class="big">{escape(shown)}</b> <span class="note">{escape(line)}</span></p>{groups}{notes}'
    return _page([_card(title, body)])


def _marked_card(summary: AnswerSummary) -> str:
    interval = f"95 % interval {summary['low']:.2f} to {summary['high']:.2f}" if "low" in summary else ""
    what = interval or f"{summary['unscored']} answers have no marks"
    line = f"{summary['scorer']}; {what}; n {summary['n']}"
    rows = [
        (f"{heading}: {value}", _points(part["score"]), _count(part["n"]))
        for heading, table in summary["groups"].items()
        for value, part in table.items()
    ]
    groups = _table(("", "marks", "n"), rows) if rows else ""
    shown = f'<b class="big">{escape(_points(summary["score"]))}</b>'
    return f'<p>{shown} <span class="note">{escape(line)}</span></p>{groups}'


def file_cards(report: Mapping[str, Any]) -> str:
    """Return a card for the scores of predictions."""
    official, strict = report["official"], report["strict"]
    lines = _score_line("official script", official, official["counted"], 2, None)
    if strict["accuracy"] != official["accuracy"]:
        lines += _score_line("strict scoring", strict, strict["n"], 1, None)
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in report["notes"])
    rows = [
        (f"{heading}: {value}", _bar(part, None), _percent(part["accuracy"]), f"n {_count(part['counted'])}")
        for heading, table in official["groups"].items()
        for value, part in table.items()
        if part["counted"]
    ]
    return _page([_card(f"{report['task']}: predictions", lines + _groups_table(rows) + notes)])


def _task_card(name: str, task: TaskSummary, notes: Sequence[str]) -> str:
    official, strict = task["official"], task["strict"]
    over: Mapping[str, Any] = task["clustered"] or {}
    chance = task.get("chance_corrected", {}).get("chance")
    body = _score_line("official script", {**official, **(over.get("official") or {})}, official["counted"], 2, chance)
    if official["accuracy"] != strict["accuracy"]:
        body += _score_line("strict scoring", {**strict, **(over.get("strict") or {})}, strict["n"], 1, chance)
    counted = {
        "unanswered": task["unanswered"],
        "failed": task["failed"],
        "cut off": task["finish_reasons"].get("length", 0),
        "not asked": task["missing"],
        "not counted": task["dropped"],
    }
    counts = [f"{_count(n)} {what}" for what, n in counted.items() if n or what in {"unanswered", "failed"}]
    body += f'<p class="note">{escape(", ".join(counts))}</p>'
    body += _groups_table(list(_group_rows(task, chance)))
    body += "".join(f'<p class="note">{escape(note)}</p>' for note in (*task["notes"], *notes))
    return _card(f"{name} \u00b7 {task['task']}", body)


def _group_rows(task: TaskSummary, chance: float | None) -> Iterator[tuple[str, str, str, str]]:
    """Yield a row for each group: its name, a bar, its score, how many questions; only the bar is HTML."""
    for heading, table in task["official"]["groups"].items():
        found: Mapping[str, Any] = task.get("by_group", {}).get(heading, {})
        for value, part in table.items():
            bounds = found.get(value, {}).get("official") or {}
            whole = {**part, "low": bounds.get("low"), "high": bounds.get("high")}
            yield f"{heading}: {value}", _bar(whole, chance), _percent(part["accuracy"]), f"n {_count(part['counted'])}"


def _groups_table(rows: Sequence[tuple[str, str, str, str]]) -> str:
    if not rows:
        return ""
    cells = "".join(
        f"<tr><td>{escape(name)}</td><td>{bar}</td><td>{escape(score)}</td><td>{escape(n)}</td></tr>"
        for name, bar, score, n in rows
    )
    return f"<details open><summary>By group</summary><table>{cells}</table></details>"


def _score_line(label: str, part: Mapping[str, Any], n: int, digits: int, chance: float | None) -> str:
    if part["accuracy"] is None:
        return f'<p><span class="note">{escape(label)}</span> <b class="big">none</b></p>'
    partly = has_partial_marks(part["accuracy"], part["correct"], n)
    about = f"{_count(part['correct'])} of {_count(n)}{' fully right' if partly else ''}"
    if part.get("low") is not None:
        about += f"; 95 % interval {_percent(part['low'])} to {_percent(part['high'])}"
    shown = f'<span class="note">{escape(label)}</span><br><b class="big">{_percent(part["accuracy"], digits)} %</b>'
    bar = f'{_bar(part, chance)}<span class="note">{escape(about)}</span>'
    return f'<div class="line"><div>{shown}</div><div>{bar}</div></div>'


def _bar(part: Mapping[str, Any], chance: float | None) -> str:
    """Draw a share as a bar, its interval as a line, what guessing gives as a mark."""
    drawn = "" if part["accuracy"] is None else f'<i style="left:0;width:{100 * part["accuracy"]:.2f}%"></i>'
    if part.get("low") is not None:
        drawn += f'<u style="left:{100 * part["low"]:.2f}%;width:{100 * (part["high"] - part["low"]):.2f}%"></u>'
    if chance is not None:
        drawn += f'<s style="left:{100 * chance:.2f}%" title="guessing gives {_percent(chance)} %"></s>'
    return f'<div class="bar">{drawn}</div>'


def _comparison_card(one: ComparisonAmongSeveral) -> str:
    title = f"{one['after_run']} compared with {one['before_run']} on {one['task']}, question by question"
    body = f"<p>{escape(comparison_in_words(one))}</p>"
    for confounder in one["confounders"]:
        words = f"The runs differ in {confounder['name']}: {confounder['before']} vs {confounder['after']}."
        body += f'<p class="warn">{escape(words)}</p>'
    if one["before"] is None or one["after"] is None:
        return _card(title, body)
    sure = one["low"] > 0 or one["high"] < 0
    colour = ("better" if one["difference"] > 0 else "worse") if sure else ""
    figures = (
        f"{100 * one['before']:.2f} \u2192 {100 * one['after']:.2f}, {one['score']} score; 95 % interval "
        f"{_signed_range(one['low'], one['high'])}; p = {one['p']:.2g}; {_count(one['n'])} questions in common"
    )
    body += (
        f'<p><b class="big {colour}">{_signed(one["difference"])} points</b></p><p class="note">{escape(figures)}</p>'
    )
    same = one["n"] - one["better"] - one["worse"]
    body += f'<p class="note">{one["better"]} better, {one["worse"]} worse, {same} unchanged</p>'
    rows = [
        (
            f"{row['heading']}: {row['value']}",
            _percent(row["before"]),
            _percent(row["after"]),
            _signed(row["difference"]),
            _signed_range(row["low"], row["high"]),
            f"{row['p_adjusted']:.2g}",
        )
        for row in one["groups"]
    ]
    head = ("", "before", "after", "points", "95 % interval", "adjusted p")
    body += f"<details open><summary>By group</summary>{_table(head, rows)}</details>" if rows else ""
    return _card(title, body + _flips("Better", one["gained"]) + _flips("Worse", one["lost"]))


def _flips(title: str, flips: Sequence[Flip]) -> str:
    if not flips:
        return ""
    rows = [(one["id"], one["before"] or "no answer", one["after"] or "no answer") for one in flips[:MOST_FLIPS]]
    more = f" (the first {MOST_FLIPS} of {len(flips)})" if len(flips) > MOST_FLIPS else ""
    table = _table(("question", "before", "after"), rows)
    return f"<details><summary>{escape(title + more)}</summary>{table}</details>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    cells = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{cells}</table>"


def _card(title: str, body: str) -> str:
    return f'<section class="card"><h2>{escape(title)}</h2>{body}</section>'


def _page(cards: Sequence[str]) -> str:
    return f'<style>{_style()}</style><div class="dtb">{"".join(cards)}</div>'


@cache
def _style() -> str:
    """Return the colours of the report, and the rules of the cards."""
    css = (files("dtbench.harness.report") / "page" / "page.css").read_text(encoding="utf-8")
    colours = re.findall(r"--[\w-]+: light-dark\([^)]*\);", css)
    own = f".dtb{{color-scheme:light dark;{''.join(colours)}}}"
    return f"{own}{LIGHT}{{color-scheme:light}}{DARK}{{color-scheme:dark}}{RULES}"


def _percent(share: float | None, digits: int = 1) -> str:
    return "\u2013" if share is None else f"{100 * share:.{digits}f}"


def _signed(share: float, digits: int = 1) -> str:
    sign = "+" if share >= 0 else "\u2212"
    return f"{sign}{abs(100 * share):.{digits}f}"


def _points(figure: float | None) -> str:
    return "none" if figure is None else f"{figure:.2f}"


def _signed_range(low: float, high: float) -> str:
    return f"{_signed(low)} to {_signed(high)}"


def _count(number: int) -> str:
    return f"{number:,}"
