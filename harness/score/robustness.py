"""What moves the score: the runs of one folder that ask the same questions in another form, against the plain one.

Runs that differ in the same way go together: all orders of the options, all paraphrases. The rates of correctness and
consistency are those of Lopez, Kesiraju and Luque (arXiv 2510.04584): over the answers to one question in all its
forms, the plain one among them, the share that is right, and the share of pairs that choose the same option; both as
means over the questions. A form that shows a question as another one does, as when two options are rotated twice, is
not counted again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dtbench.harness.score.ablations import Key, Run, disagreement, gap_figures, run_answers
from dtbench.harness.score.letter_bias import LetterAnswer, letter_figures
from dtbench.harness.score.outcomes import Answer
from dtbench.harness.score.question_form import QuestionForm
from dtbench.harness.score.run_form import PLAIN_FORM, RunForm, form_of_task, runs_of_same_questions
from dtbench.harness.stats.intervals import share
from dtbench.harness.store.question_files import read_questions
from dtbench.harness.store.robustness_types import PositionFigures, RobustnessFigures
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import as_fields


class _AskedOptions(NamedTuple):
    """What the order of a question's options depends on."""

    choices: Sequence[str]
    answer: str | None


class _FormRun(NamedTuple):
    """The answers of one run, and how it showed its questions."""

    form: RunForm
    seed: int
    answers: Run

    def places(self, options: int, id_: str) -> Sequence[int]:
        """Return the data set's place of each option shown."""
        return QuestionForm(self.form.permute, self.form.order, self.seed).places(options, id_)


class _ShownAnswer(NamedTuple):
    """One answer, with the order of the options that it was given to."""

    answer: Answer
    places: Sequence[int] | None
    """None where the options are not known."""


def robustness_figures(run: StoredRun, task: str) -> list[RobustnessFigures]:
    """Return the figures of each way in which other runs of the folder ask the same questions; the plain one first."""
    about = run.info["tasks"][task]
    forms = runs_of_same_questions(run, task)
    plain = forms.get(PLAIN_FORM, run)
    base = form_of_task(plain.info["tasks"][task])
    words = plain.info["tasks"][task]["prompt_hash"]
    ways: dict[str, list[StoredRun]] = {}
    for form, other in sorted(forms.items()):
        theirs = other.info["tasks"][task]
        if form != base and (form.answer != base.answer or theirs["prompt_hash"] == words):
            ways.setdefault(_way(form, base), []).append(other)
    if not ways:
        return []
    asked = _options_of(plain, task) or _options_of(run, task)
    first = _opened(plain, task)
    shared = about["shared_clips"]
    return [_figures(way, first, [_opened(one, task) for one in runs], asked, shared) for way, runs in ways.items()]


def _way(form: RunForm, base: RunForm) -> str:
    """Name what differs from the plain form, in the words of the options."""
    parts = [
        *([f"--answer {form.answer}"] if form.answer != base.answer else []),
        *([f"--audio {form.audio}"] if form.audio != base.audio else []),
        *(["--permute"] if (form.permute, form.order) != (base.permute, base.order) else []),
        *([f"--think-budget {form.budget or 'none'}"] if form.budget != base.budget else []),
        *(["--paraphrase"] if form.paraphrase != base.paraphrase else []),
    ]
    return " ".join(parts)


def _opened(run: StoredRun, task: str) -> _FormRun:
    about = run.info["tasks"][task]
    return _FormRun(form_of_task(about), about["seed"], run_answers(run.records(task)))


def _options_of(run: StoredRun, task: str) -> dict[str, _AskedOptions]:
    """Return the options of the questions that a run folder holds; none of a licence that forbids copying."""
    lines = read_questions(run.path, task)
    return {one["id"]: _AskedOptions(one["options"], one["answer"]) for one in lines if one["options"]}


def _figures(
    way: str, plain: _FormRun, runs: Sequence[_FormRun], asked: Mapping[str, _AskedOptions], shared: Mapping[str, int]
) -> RobustnessFigures:
    shown = {key: found for key in plain.answers if len(found := _shown(key, plain, runs, asked)) > 1}
    every = set(plain.answers).union(*(one.answers for one in runs))
    others = {key: [one.answer for one in found[1:]] for key, found in shown.items()}
    accuracies = [_mean(answer.right for answer in one.answers.values()) for one in runs]
    right = {key: [one.answer.right for one in found] for key, found in shown.items()}
    flips = [answer.choice != plain.answers[key].choice for key, each in others.items() for answer in each]
    ids = {key[0] for key in shown}
    figures: RobustnessFigures = {
        "form": way,
        "runs": len(runs),
        "n": len(ids),
        "unmatched": len({key[0] for key in every} - ids),
        "answers": len(flips),
        "plain": _mean(plain.answers[key].right for key in shown),
        "accuracy": _mean(_mean([answer.right for answer in each]) or 0.0 for each in others.values()),
        "lowest": min((one for one in accuracies if one is not None), default=None),
        "highest": max((one for one in accuracies if one is not None), default=None),
        "gap": gap_figures({key: [plain.answers[key].right] for key in shown}, _rights(others), shared),
        "flips": as_fields(share(sum(flips), len(flips))) if flips else None,
        "correctness": _mean(_mean(each) or 0.0 for each in right.values()),
        "consistency": _mean(1 - disagreement([one.answer.choice for one in found]) for found in shown.values()),
        "right_in_all": _mean(all(each) for each in right.values()),
        "right_in_some": _mean(any(each) for each in right.values()),
    }
    if "--permute" in way and (positions := _positions(shown.values(), asked, shared)):
        figures["positions"] = positions
    return figures


def _shown(
    key: Key, plain: _FormRun, runs: Sequence[_FormRun], asked: Mapping[str, _AskedOptions]
) -> list[_ShownAnswer]:
    """Return the answers to one question: the plain one, then those to forms that show it otherwise than any before."""
    found: list[_ShownAnswer] = []
    seen: set[tuple[object, ...]] = set()
    options = asked.get(key[0])
    for one in (plain, *runs):
        if key not in one.answers:
            continue
        places = None if options is None else one.places(len(options.choices), key[0])
        order = (one.form.permute, one.form.order) if places is None else tuple(places)
        form = (one.form._replace(permute=0, order=1), order)
        if form not in seen:
            seen.add(form)
            found.append(_ShownAnswer(one.answers[key], places))
    return found


def _rights(answers: Mapping[Key, Sequence[Answer]]) -> dict[Key, list[bool]]:
    return {key: [answer.right for answer in each] for key, each in answers.items()}


def _positions(
    shown: Iterable[Sequence[_ShownAnswer]], asked: Mapping[str, _AskedOptions], shared: Mapping[str, int]
) -> list[PositionFigures]:
    """Return how often each position is chosen and found, in all orders together."""
    answers = [
        LetterAnswer(shared.get(one.answer.id, one.answer.id), len(options.choices), right, chosen)
        for each in shown
        for one in each
        if (options := asked.get(one.answer.id)) is not None and one.places is not None
        if (right := _position(options, one.places, options.answer)) is not None
        for chosen in [_position(options, one.places, one.answer.choice)]
    ]
    return [
        {
            "options": part["options"],
            "n": part["n"],
            "right": [one["right"] for one in part["letters"].values()],
            "chosen": [one["chosen"] for one in part["letters"].values()],
            "recall": [one["recall"]["value"] for one in part["letters"].values()],
            "recall_sd": part["recall_sd"],
            "recall_sd_by_chance": part["recall_sd_by_chance"],
        }
        for part in letter_figures(answers)
    ]


def _position(options: _AskedOptions, places: Sequence[int], choice: str | None) -> int | None:
    """Return at which position an option was shown; None where it was not."""
    return places.index(options.choices.index(choice)) if choice in options.choices and choice is not None else None


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return math.fsum(found) / len(found) if found else None
