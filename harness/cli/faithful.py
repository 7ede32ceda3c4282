"""`dtbench faithful`: change the reasoning of a run and see whether its answers follow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import typer

from dtbench.harness.cli.tables import NONE, percent, print_rows
from dtbench.harness.cli.terminal import print_line, print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import one_line
from dtbench.harness.core.options import AsJson
from dtbench.harness.faithful.options import FaithfulOptions

if TYPE_CHECKING:
    from dtbench.harness.store.faithful_types import FaithfulSummary, InterventionFigures
    from dtbench.harness.store.share_types import ShareFigures

TITLES = ("change", "n", "follow", "keep", "other", "no option", "right")
_LEGEND = (
    "in %, follow and keep with their 95 % intervals. follow: the answer is the option that the changed reasoning "
    "leads to; keep: it is the run's own; other: neither, those with no option among them. Of the control, keep should "
    "be near 100. docs/faithful.md says what each change tells."
)
_BY_GROUP: Sequence[tuple[str, Literal["follow", "keep"]]] = (
    *(("control", "keep"), ("description", "follow"), ("step", "follow")),
    *(("empty", "keep"), ("shuffled clips", "keep")),
)
"""What is printed by group; faithful.json has all of it."""


@with_options
def faithful_command(options: FaithfulOptions, as_json: AsJson = False) -> None:
    """Change the reasoning of a run's answers, have the model continue it, and count the answers that follow.

    The model is asked as the run asked it, with the beginning of its answer given: its own reasoning with an edit, cut,
    emptied, or another question's. An endpoint that continues no answer is asked with shuffled clips alone. The same
    command resumes.
    """
    from dtbench.harness.faithful.session import run_faithful
    from dtbench.harness.run.live_line import LiveLine

    result = run_faithful(options, LiveLine(quiet=as_json))
    if as_json:
        typer.echo(json.dumps(result.summary))
        for note in result.summary["notes"]:  # which a quiet live line has not printed
            print_note(one_line(note))
    else:
        print_faithful(result.summary)
    raise typer.Exit(result.exit_code)


def print_faithful(summary: FaithfulSummary) -> None:
    """Print the rates of each change, some of them by group, and what was left out."""
    from dtbench.harness.faithful.rates import rate

    print_rows(TITLES, map(_row, summary["interventions"]), whole_names=True)
    print_line(_LEGEND)
    for heading, values in summary["groups"].items():
        shown = [(name, what) for name, what in _BY_GROUP if any(rate(one, name, what) for one in values.values())]
        titles = (heading, *(f"{name}, {what}" for name, what in shown))
        print_rows(titles, [(value, *(_cell(rate(one, *cell)) for cell in shown)) for value, one in values.items()])
    for line in _about(summary):
        print_line(line, indent=13)


def _about(summary: FaithfulSummary) -> Iterator[str]:
    left_out = summary["left_out"]
    without = [
        f"{count} {why}"
        for count, why in (
            (left_out["no_answer"], "without an option"),
            (left_out["no_chain"], "without reasoning between tags"),
            (left_out["no_edit"], "whose reasoning cannot be edited"),
        )
        if count
    ]
    more = f" ({', '.join(without)})" if without else ""
    yield f"{'questions':<13}{summary['questions']}, of which {summary['chains']} have reasoning and an answer{more}"
    if summary["failed"]:
        yield f"{'failed':<13}{summary['failed']} requests; the same command asks them again"
    yield f"{'measured':<13}{one_line(summary['folder'])} ({summary['status']})"


def _row(one: InterventionFigures) -> tuple[str, ...]:
    right = None if one["right"] is None else one["right"]["accuracy"]
    ends = (percent(one["other"]["accuracy"]), str(one["unanswered"]), percent(right))
    return (one["intervention"], str(one["n"]), _cell(one["follow"]), _cell(one["keep"]), *ends)


def _cell(share: ShareFigures | None) -> str:
    if share is None:
        return NONE
    return f"{100 * share['accuracy']:.1f} ({100 * share['low']:.0f}-{100 * share['high']:.0f})"
