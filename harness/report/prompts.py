"""Prompts as they were sent, made again from what a run stored and the questions; and what a question is measured by.

run.json holds the words around a question, with marks for what changes. Where the task's own code still words a blank
question like that, it words each question too; else the marks are filled in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import OPENLY, Task, lay_out_options
from dtbench.harness.score.criteria import has_rubric, rubric_of
from dtbench.harness.score.question_form import QuestionForm
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.store.run_folder import StoredRun

LAYOUTS = (None, "angled", "dotted", "inline", "list", "plain")
"""Ways to write options, those first whose words hold the others'."""
_BLANK = Sample("id", "{question}", ("{option 1}", "{option 2}"), None, Path("clip"))
_BLANKS = [
    [dataclasses.replace(_BLANK, question=question, choices=choices) for question in (_BLANK.question, "")]
    for choices in (_BLANK.choices, ())
]
"""What a question may be: with options or without, written or in its clip alone."""


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
    examples: int = 0
    """How many examples stand before each question."""

    def fill(self, task: Task, sample: Sample) -> str | None:
        """Return the words for a question; None where nothing says where it goes."""
        shown = self.questions.show(sample).sample
        if self.own:
            return task_words(task, shown, self.style)
        closed, _, openly = self.text.partition(f"\n\n{OPENLY}\n")
        if not sample.choices:
            text = openly or closed
            return text.replace(_BLANK.question, shown.question) if _BLANK.question in text else None
        for layout in LAYOUTS:
            blank = lay_out_options(_BLANK.choices, layout)
            if blank in closed and _BLANK.question in closed:
                before, _, after = closed.partition(blank)
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
    return _words_of(run, part)._replace(examples=part.about.get("num_fewshot", 0))


def _words_of(run: StoredRun, part: StoredTask) -> SentPrompt:
    about = part.about
    stored, style = about["prompt"], about["answer"]
    for own in _own_words(part.task, style):
        if stored == own or stored.endswith(f"\n\n{own}"):
            system = stored[: -len(own)].removesuffix("\n\n") or None
            return SentPrompt(system, own, style, part.form, own=True)
    given = run.info.get("request", {}).get("system")
    if isinstance(given, str) and given and stored.startswith(f"{given}\n\n"):
        return SentPrompt(given, stored.removeprefix(f"{given}\n\n"), style, part.form, own=False)
    return SentPrompt(None, stored, style, part.form, own=False)


def _own_words(task: Task, style: str) -> Iterator[str]:
    """Yield what run.json may say of a task that words its questions itself, the longest first."""
    closed, open_ = ([task_words(task, blank, style) for blank in blanks] for blanks in _BLANKS)
    yield from (f"{one}\n\n{OPENLY}\n{other}" for one in closed for other in open_ if one and other)
    yield from (words for words in (*closed, *open_) if words)


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
