"""What papers print beside accuracy, for a summary: each figure where there is something to count, and no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dtbench.harness.core.schema import Sample
from dtbench.harness.core.scorer import Scorer
from dtbench.harness.score.chain_lengths import length_figures
from dtbench.harness.score.chance_level import chance_figures, chance_of
from dtbench.harness.score.confidence import confidence_figures
from dtbench.harness.score.group_shares import group_figures, macro_averages
from dtbench.harness.score.letter_bias import LetterAnswer, letter_answers, letter_figures
from dtbench.harness.score.like_answers import Chances
from dtbench.harness.score.outcomes import Answer, Answers, Outcomes
from dtbench.harness.score.script_ceiling import ScriptCeiling
from dtbench.harness.score.several_answers import majority_figures, pass_figures, repeated_questions, variance_figures
from dtbench.harness.store.paper_types import LettersFigures, PaperFigures
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
    answers = outcomes.answers(design.shared)
    options = None if shown is None else _options(task, summary["scorer"], answers, shown)
    groups = group_figures(answers, _tables(task, outcomes), None if options is None else options.chances)
    figures: PaperFigures = {"by_group": groups, "macro": macro_averages(groups)}
    if lengths := length_figures(answers):
        figures["chain_lengths"] = lengths
    if (confidence := confidence_figures(outcomes.confident(design.shared))) is not None:
        figures["confidence"] = confidence
    if design.answers_each > 1:
        figures.update(_of_several(list(answers), design))
    if options is not None:
        figures["by_letter"] = options.letters
        figures["chance_corrected"] = chance_figures(
            answers, options.chances, official=summary["official"], strict=summary["strict"]
        )
        if (ceiling := options.ceiling.figures()) is not None:
            figures["ceiling"] = ceiling
    return figures


class _Options(NamedTuple):
    """What the options of a run's questions say; the questions themselves are not kept, for there may be many."""

    chances: Mapping[str, float]
    letters: list[LettersFigures]
    ceiling: ScriptCeiling


def _options(task: Scorer, version: str, answers: Answers, shown: Iterable[Sample]) -> _Options | None:
    """Go once through the questions; None where one that was asked is not among them."""
    questions = answers.question_numbers()
    chances = Chances(questions)
    ceiling = ScriptCeiling(task, version)

    def letters() -> Iterator[LetterAnswer]:
        for sample in shown:
            if (question := questions.find(sample.id)) is not None:
                chances.put(question, chance_of(sample.choices, sample.answer))
                yield from letter_answers(sample.choices, sample.answer, answers.of_question(sample.id, question))
                ceiling.add(sample)

    counted = letter_figures(letters(), apart=answers.alone)
    return _Options(chances, counted, ceiling) if len(chances) == questions.size else None


def _of_several(answers: Sequence[Answer], design: RunDesign) -> PaperFigures:
    k = design.answers_each
    questions = repeated_questions(answers, design.questions)
    figures: PaperFigures = {"pass_at": pass_figures(questions, k), "majority_at": majority_figures(questions, k)}
    if (variance := variance_figures(questions, k)) is not None:
        figures["variance"] = variance
    return figures


def _tables(task: Scorer, outcomes: Outcomes) -> list[tuple[str, ...]]:
    """Return the headings of each table: those of the script, then every other one that the questions have."""
    of_script = [grouping.fields for grouping in task.groupings]
    groups = {outcome.groups for outcome in outcomes.counts()}
    names = sorted({name for one in groups for name, _ in one})
    return [*of_script, *((name,) for name in names if (name,) not in of_script)]
