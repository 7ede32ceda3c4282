"""Prompts as they were sent, made again from what a run stored and the questions; and what a question is measured by.

run.json holds the words around a question, with marks for what changes. Where the task's own code still words a blank
question like that, it words each question too; else the marks are filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import Task, lay_out_options
from dtbench.harness.score.criteria import has_rubric, rubric_of
from dtbench.harness.score.question_form import QuestionForm
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.store.run_folder import StoredRun

LAYOUTS = (None, "dotted", "inline", "list", "plain")
"""Ways to write options, those first whose words hold the others'."""
_BLANK = Sample("id", "{question}", ("{option 1}", "{option 2}"), None, Path("clip"))


class SentPrompt(NamedTuple):
    """The words that all prompts of a run share."""

    system: str | None
    """None where there is none, or where it cannot be told from the rest."""
    text: str
    """The words of the user's turn, with `{question}` and marks for the options."""
    style: str
    questions: QuestionForm
    own: bool
    """Whether the task's own code words the questions."""

    def fill(self, task: Task, sample: Sample) -> str | None:
        """Return the words for a question; None where nothing says where it goes."""
        shown = self.questions.show(sample).sample
        if self.own:
            return task_words(task, shown, self.style)
        for layout in LAYOUTS:
            blank = lay_out_options(_BLANK.choices, layout)
            if blank in self.text and _BLANK.question in self.text:
                before, _, after = self.text.partition(blank)
                return "".join(
                    (
                        before.replace(_BLANK.question, shown.question),
                        lay_out_options(shown.choices, layout),
                        after.replace(_BLANK.question, shown.question),
                    )
                )
        return None


def sent_prompt(run: StoredRun, part: StoredTask) -> SentPrompt:
    """Return what the prompts of a run have in common."""
    about = part.about
    stored, style = about["prompt"], about["answer"]
    own = task_words(part.task, _BLANK, style)
    if own is not None and (stored == own or stored.endswith(f"\n\n{own}")):
        system = stored[: -len(own)].removesuffix("\n\n") or None
        return SentPrompt(system, own, style, part.form, own=True)
    given = run.info.get("request", {}).get("system")
    if isinstance(given, str) and given and stored.startswith(f"{given}\n\n"):
        return SentPrompt(given, stored.removeprefix(f"{given}\n\n"), style, part.form, own=False)
    return SentPrompt(None, stored, style, part.form, own=False)


def task_words(task: Task, sample: Sample, style: str) -> str | None:
    """Return a task's own words for a question; None where they cannot be had of it."""
    try:
        return task.prompt_for(sample, style).text
    except Exception:  # someone else's code; the stored words are shown then
        return None


def reference_of(sample: Sample) -> dict[str, Any] | None:
    """Return how a person reasoned, on which cue, and the criteria of a chain; None for a question without any."""
    reference: dict[str, Any] = {}
    if has_rubric(sample):
        try:
            rubric = rubric_of(sample)
        except DataError:  # `dtbench judge` says so
            rubric = None
        if rubric is not None:
            reference["criteria"] = [one._asdict() for one in rubric.criteria]
    for name in ("thinking", "chain", "cue"):
        if text := _text(sample.item.get(name)):
            reference["cue" if name == "cue" else "chain"] = text
    return reference or None


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ""
    if isinstance(value, list | tuple):
        return "\n".join(str(one) for one in value)
    return value if isinstance(value, str) else ""
