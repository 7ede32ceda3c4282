"""The types of what papers print beside accuracy: by letter, group, length and confidence, over several answers."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from dtbench.harness.store.share_types import EstimateFigures, ShareFigures


class GroupFigures(TypedDict):
    """The questions under one value of a heading."""

    official: ShareFigures | None
    """Null where the script counts none of them."""
    strict: ShareFigures
    chance: NotRequired[float]
    """What guessing gives, by each question's number of options; absent where the questions are not at hand."""


class MacroFigures(TypedDict):
    """The mean over the values of a heading, each with the same weight."""

    groups: int
    official: EstimateFigures
    strict: EstimateFigures


class TotalFigures(TypedDict):
    """The total of a task whose total is a mean of groups."""

    by: str
    """The heading."""
    groups: int
    """How many groups have a part in it."""
    accuracy: float | None
    """The mean of the official accuracies, by the task's weights; null where nothing is counted."""


class LetterFigures(TypedDict):
    """One letter of the options."""

    right: int
    """How many answers are to questions whose right option has this letter."""
    chosen: int
    """How many answers are this letter."""
    unread: int
    """How many of the answers to those questions could not be read."""
    recall: EstimateFigures
    """How often the right option is chosen where it has this letter."""


class LettersFigures(TypedDict):
    """Letter and position bias, over questions with one number of options."""

    options: int
    n: int
    letters: dict[str, LetterFigures]
    chosen_by_right: dict[str, dict[str, int]]
    """Right letter -> chosen letter, or `none` -> how many answers."""
    recall_sd: float | None
    """RStd: the standard deviation of the recalls; null where a letter is never right."""
    recall_sd_by_chance: float | None
    """What it would be on the mean if the letter did not matter."""


class ChanceFigures(TypedDict):
    """Accuracy corrected for guessing: (accuracy - chance) / (1 - chance)."""

    chance: float
    """The mean over all answers of one by the number of options."""
    official: EstimateFigures
    strict: EstimateFigures


class LengthFigures(ShareFigures):
    """Answers with chains of like length, by the strict score."""

    shortest: int
    longest: int


class ConfidenceFigures(TypedDict):
    """How well the confidence of forced answers parts right ones from wrong ones."""

    n: int
    aurc: EstimateFigures
    """The area under the risk-coverage curve: the mean share of errors among the most confident answers."""
    auroc: EstimateFigures
    """How often a right answer is more confident than a wrong one; null where all are right, or none."""
    ece: EstimateFigures


class MajorityFigures(EstimateFigures):
    """The answer that most of k answers give; a tie counts as wrong."""

    ties: float
    """In what share of cases two options are level."""
    ties_by_chance: float
    """The figure if ties were broken by chance."""


class VarianceFigures(TypedDict):
    """What the uncertainty of the mean accuracy comes from: the choice of questions, and the sampling of answers."""

    questions: float
    """The variance of the questions' true accuracies."""
    sampling: float
    """The mean variance of an answer to one question."""
    share_of_sampling: float | None
    """The part of the mean's variance that more answers to each question would take away."""
    standard_error: float
    with_twice_the_answers: float
    """The standard error with twice as many answers to each question."""
    with_twice_the_questions: float


class CeilingFigures(TypedDict):
    """The best official score that these questions allow: what the script says of the options' own texts."""

    n: int
    reachable: int
    """Questions whose right option the script calls right."""
    ceiling: float
    """The official score of a model that always chooses the right option."""
    wrong_called_right: int
    """Questions of which the script calls a wrong option right."""
    ids: list[str]
    """The first questions that are not reachable, or of which a wrong option is called right."""


class PaperFigures(TypedDict, total=False):
    """What papers print beside accuracy; absent where there is no accuracy, or nothing to count."""

    by_group: dict[str, dict[str, GroupFigures]]
    """Heading -> value -> its questions; each heading of the questions and each table of the script."""
    macro: dict[str, MacroFigures]
    total: TotalFigures
    by_letter: list[LettersFigures]
    """One for each number of options, the most frequent first."""
    chance_corrected: ChanceFigures
    chain_lengths: list[LengthFigures]
    """Parts of equal size, the shortest chains first."""
    confidence: ConfidenceFigures
    pass_at: dict[str, EstimateFigures]
    majority_at: dict[str, MajorityFigures]
    variance: VarianceFigures
    ceiling: CeilingFigures
