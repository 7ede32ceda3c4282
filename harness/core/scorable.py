"""Which questions can be scored: where the right answer is empty or no option, every figure would be out of nothing."""

from __future__ import annotations

from collections.abc import Sequence

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError, DtbenchError, TaskError, UserError, format_error
from dtbench.harness.core.schema import UNSCORABLE, Sample, Score
from dtbench.harness.core.scorer import NO_ANSWER, Scorer

TEXT_EXPECTED = "the text of the correct option is expected"
NO_GOLD = f"it has no answer, and {TEXT_EXPECTED}; if the authors withhold it, set answers_public = False on the task"
NO_OPTIONS = (
    "it has no options, and its task cannot score open answers: give it options, name a scorer of open answers on the "
    "task, such as exact, or define score()"
)
EMPTY_IS_RIGHT = "the task's own rule scores an empty answer as correct, which is not allowed"
_RULES = ("score", "official", "submission")
LONGEST = 120
"""Characters of options that a message shows."""


def refuse_unscorable(scorer: Scorer, data: Dataset) -> None:
    """Raise a DataError that names the first question of a data set that cannot be scored, and how many there are."""
    found = [(sample.id, fault) for sample in data.samples if (fault := scoring_fault(scorer, sample))]
    if not found:
        return
    id_, fault = found[0]
    more = f"; {len(found)} of {len(data.samples)} questions cannot be scored" if len(found) > 1 else ""
    raise _error(scorer, id_, fault, f"Correct it in the data ({data.source}), or leave it out with --ids{more}")


def refuse_open_questions(scorer: Scorer, data: Dataset, model: str) -> None:
    """Raise a UserError where a model that can only choose among options would be asked questions without any."""
    if count := sum(not sample.choices for sample in data.samples):
        raise UserError(
            f"--model {model}: it can only choose among options, and {count} of {len(data.samples)} questions of "
            f"{scorer.name} have none. Leave them out with --ids, or take majority or echo-gold."
        )


def refuse_stored(scorer: Scorer, sample: Sample) -> None:
    """Raise a DataError where the answers to a question, stored before it was refused, cannot be scored."""
    if fault := scoring_fault(scorer, sample):
        raise _error(scorer, sample.id, fault, "Correct it and run again, or run again without it (--ids)")


def _error(scorer: Scorer, id_: str, fault: str, then: str) -> DataError:
    return DataError(f"{scorer.name}: the question {id_!r} cannot be scored: {fault}. {then}.")


def scoring_fault(scorer: Scorer, sample: Sample) -> str:
    """Say why no answer to a question can be scored, and what is expected; empty where one can."""
    if not scorer.answers_public or scorer.no_verdict or scorer.empty_may_be_right:
        return ""
    if fault := answer_fault(scorer, sample.choices, sample.answer):
        return fault
    if not scorer.scorers and all(getattr(type(scorer), name) is getattr(Scorer, name) for name in _RULES):
        return ""  # by the exact text of the right option, which is not empty
    nothing = _score_of_nothing(scorer, sample)
    if nothing.official.why.startswith(UNSCORABLE):
        return nothing.official.why.removeprefix(UNSCORABLE)
    is_right = bool(nothing.correct) or (nothing.official.value > 0 and nothing.official.counted)
    return EMPTY_IS_RIGHT if is_right else ""


def answer_fault(scorer: Scorer, choices: Sequence[str], answer: str | None) -> str:
    """Say what is wrong with options and answer for the way a benchmark scores; empty where nothing is."""
    if scorer.scorers:  # which say themselves what they need
        return ""
    own_score = type(scorer).score is not Scorer.score
    if (fault := _gold_fault(answer, own_score=own_score)) or own_score:
        return fault
    if not choices:
        return NO_OPTIONS if type(scorer).read is Scorer.read else ""
    # Published items are as they are, and their script's own rule stands.
    return "" if has_official_rule(scorer) else choice_fault(choices, answer or "")


def _gold_fault(answer: object, *, own_score: bool) -> str:
    """A task of a user's own may give anything as the answer, and one that scores by itself may need none."""
    if answer is None:
        return "" if own_score else NO_GOLD
    if not isinstance(answer, str):
        return f"its answer is {answer!r}, and {TEXT_EXPECTED}"
    return "" if answer.strip() else f"its answer is empty, and {TEXT_EXPECTED}"


def has_official_rule(scorer: Scorer) -> bool:
    """Whether a benchmark has a script of its own; without one it is scored by the right option's text."""
    return type(scorer).official is not Scorer.official


def choice_fault(choices: Sequence[object], answer: str) -> str:
    """Say why options leave no choice, or which of them is the answer; empty where all is well."""
    texts = [] if isinstance(choices, str) else [choice for choice in choices if isinstance(choice, str)]
    if len(texts) < len(choices):
        return f"its options are {_shown(choices)}, and a list of texts is expected"
    spaced = {_spaced(text) for text in texts}
    if len(spaced) == len(texts) > 1 and "" not in spaced and answer in texts:
        return ""
    if blank := next((place for place, text in enumerate(texts, start=1) if not text.strip()), None):
        return f"its option {blank} is empty, and a text is expected"
    if len(spaced) < 2:
        return f"its options are {_shown(texts)}, and two or more different ones are expected"
    alike = [text for text in texts if text != answer and _spaced(text) == _spaced(answer)]
    if answer not in texts:
        close = alike or [text for text in texts if _spaced(text).casefold() == _spaced(answer).casefold()]
        hint = f"; the option {close[0]!r} is spelled differently, and both must be equal" if close else ""
        return f"its answer {_shown(answer)} is not one of its options {_shown(texts)}{hint}"
    return f"its options {answer!r} and {alike[0]!r} differ only in spaces, and only one is correct" if alike else ""


def _score_of_nothing(scorer: Scorer, sample: Sample) -> Score:
    try:
        return scorer.score(sample, NO_ANSWER)
    except DtbenchError:
        raise
    except Exception as error:  # someone else's code
        where = f"scoring an empty answer to {sample.id!r}"
        raise TaskError(f"{scorer.name}: {where} failed with {format_error(error)}.") from error


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _shown(value: object) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
