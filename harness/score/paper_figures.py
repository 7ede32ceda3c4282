"""What papers print beside accuracy, for a summary: each figure where there is something to count, and no other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dtbench.harness.core.schema import Sample
from dtbench.harness.core.scorer import Scorer
from dtbench.harness.score.chain_lengths import length_figures
from dtbench.harness.score.chance_level import chance_figures
from dtbench.harness.score.confidence import confidence_figures
from dtbench.harness.score.group_shares import group_figures, macro_averages
from dtbench.harness.score.letter_bias import ShownQuestion, letter_figures
from dtbench.harness.score.outcomes import Answer, Outcomes
from dtbench.harness.score.script_ceiling import ceiling_figures
from dtbench.harness.score.several_answers import majority_figures, pass_figures, repeated_questions, variance_figures
from dtbench.harness.store.paper_types import PaperFigures
from dtbench.harness.store.summary_types import TaskSummary


class RunDesign(NamedTuple):
    """How a run asked."""

    questions: int
    answers_each: int
    shared: Mapping[str, int]
    """Question -> number of its clip, for those that share one."""


def paper_figures(
    task: Scorer, outcomes: Outcomes, summary: TaskSummary, design: RunDesign, shown: Iterable[Sample] | None
) -> PaperFigures:
    """Add up all figures; `shown` are the questions as the run showed them, None where they are not at hand."""
    answers = list(outcomes.answers(design.shared))
    asked = {answer.id for answer in answers}
    known = None if shown is None else {sample.id: sample for sample in shown if sample.id in asked}
    questions = None
    if known is not None and len(known) == len(asked):
        questions = {id_: ShownQuestion(sample.choices, sample.answer) for id_, sample in known.items()}
    chances = None if questions is None else {id_: question.chance for id_, question in questions.items()}
    groups = group_figures(answers, _tables(task, answers), chances)
    figures: PaperFigures = {"by_group": groups, "macro": macro_averages(groups)}
    if lengths := length_figures(answers):
        figures["chain_lengths"] = lengths
    if (confidence := confidence_figures(outcomes.confident(design.shared))) is not None:
        figures["confidence"] = confidence
    if design.answers_each > 1:
        figures.update(_of_several(answers, design))
    if questions is not None and chances is not None and known is not None:
        figures["by_letter"] = letter_figures(answers, questions)
        figures["chance_corrected"] = chance_figures(
            answers, chances, official=summary["official"], strict=summary["strict"]
        )
        if (ceiling := ceiling_figures(task, summary["scorer"], known.values())) is not None:
            figures["ceiling"] = ceiling
    return figures


def _of_several(answers: Sequence[Answer], design: RunDesign) -> PaperFigures:
    k = design.answers_each
    questions = repeated_questions(answers, design.questions)
    figures: PaperFigures = {"pass_at": pass_figures(questions, k), "majority_at": majority_figures(questions, k)}
    if (variance := variance_figures(questions, k)) is not None:
        figures["variance"] = variance
    return figures


def _tables(task: Scorer, answers: Iterable[Answer]) -> list[tuple[str, ...]]:
    """Return the headings of each table: those of the script, then every other one that the questions have."""
    of_script = [grouping.fields for grouping in task.groupings]
    groups = {answer.outcome.groups for answer in answers}
    names = sorted({name for one in groups for name, _ in one})
    return [*of_script, *((name,) for name in names if (name,) not in of_script)]
