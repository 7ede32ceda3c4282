"""Ablations: how much of a score comes from the audio, and how often an answer follows the order of the options.

Runs are compared question by question; a question without an answer in one of them is left out and counted. They lie in
one folder, as run_form.py says.

Where forced answers come in several orders of the options, an option's probability is its mean over the orders: a
preference for a letter averages out, one for an option stays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dtbench.harness.score.calibration import Confidence, brier_score, calibration_figures
from dtbench.harness.score.forced_choice import probabilities, stored_logprobs
from dtbench.harness.score.outcomes import Answer, Outcomes
from dtbench.harness.score.run_form import PLAIN_FORM, form_of_task, runs_of_same_questions
from dtbench.harness.stats.intervals import share
from dtbench.harness.stats.paired_tests import TAIL, PairedShares, bounds
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.share_types import GapFigures, ShareFigures
from dtbench.harness.store.summary_types import (
    AblationFigures,
    AverageFigures,
    OrderFigures,
    RelatedFigures,
    StyleFigures,
)
from dtbench.harness.store.types import Record, as_fields

Records = Iterable[Record]


Key = tuple[str, int]
Run = dict[Key, Answer]


def audio_effect(plain: Records, altered: Records, shared: Mapping[str, int]) -> AblationFigures:
    """Compare a plain run with one whose clips were replaced: the gap in accuracy, and the choices that stay the same.

    `shared` numbers the clips that several questions are about.
    """
    pair = _paired(plain, altered)
    with_choice = [key for key in pair.both if pair.first[key].choice is not None]
    same = sum(pair.first[key].choice == pair.second[key].choice for key in with_choice)
    return {
        "n": pair.questions,
        "unmatched": pair.unmatched,
        "plain": _mean([pair.first[key].right for key in pair.both]),
        "altered": _mean([pair.second[key].right for key in pair.both]),
        "gap": _gap(pair.first, pair.second, pair.both, shared),
        "same_choice": _share(same, len(with_choice)),
    }


def style_effect(plain: Records, other: Records, shared: Mapping[str, int]) -> StyleFigures:
    """Compare a plain run with one in another style of answer: both accuracies, and how often the choices differ.

    Answers without a choice in one of the runs are counted apart.
    """
    pair = _paired(plain, other)
    choices = [(pair.first[key].choice, pair.second[key].choice) for key in pair.both]
    with_choice = [(one, two) for one, two in choices if one is not None and two is not None]
    return {
        "n": pair.questions,
        "unmatched": pair.unmatched,
        "plain": _mean([pair.first[key].right for key in pair.both]),
        "this": _mean([pair.second[key].right for key in pair.both]),
        "gap": _gap(pair.second, pair.first, pair.both, shared),
        "differ": _share(sum(one != two for one, two in with_choice), len(with_choice)),
        "no_choice": len(choices) - len(with_choice),
    }


def order_effect(orders: Sequence[Records]) -> OrderFigures:
    """Compare runs with the options in several orders: how often the choice moves with it, and how far the accuracy.

    A choice is an option's text, so one that stays is the same in every order. No answer is a choice of its own.
    """
    runs = [run_answers(records) for records in orders]
    everywhere = set.intersection(*(set(run) for run in runs)) if len(runs) > 1 else set()
    choices = {key: [run[key].choice for run in runs] for key in everywhere}
    moved = sum(len(set(each)) > 1 for each in choices.values())
    right = {key: sum(run[key].right for run in runs) for key in everywhere}
    accuracies = [_mean([run[key].right for key in everywhere]) for run in runs]
    n = len(everywhere)
    return {
        "orders": len(runs),
        "n": n,
        "unmatched": len(set().union(*runs)) - n,
        "accuracy": accuracies,
        "moved": _share(moved, n),
        "moved_between_two": math.fsum(map(disagreement, choices.values())) / n if n else None,
        "right_in_all": sum(times == len(runs) for times in right.values()) / n if n else None,
        "right_in_some": sum(times > 0 for times in right.values()) / n if n else None,
    }


class _Pair(NamedTuple):
    """Two runs, and the answers that both have."""

    first: Run
    second: Run
    both: Sequence[Key]
    questions: int
    unmatched: int


def _paired(first: Records, second: Records) -> _Pair:
    one, two = run_answers(first), run_answers(second)
    both = sorted(one.keys() & two.keys())
    questions = len({id_ for id_, _ in both})
    return _Pair(one, two, both, questions, len({id_ for id_, _ in one.keys() | two.keys()}) - questions)


def _share(count: int, n: int) -> ShareFigures | None:
    return as_fields(share(count, n)) if n else None


def run_answers(records: Records) -> Run:
    """Return the answers by question and repeat; those that failed are left out."""
    answers = Outcomes(records).answers()
    return {(answer.id, answer.sample): answer for answer in answers if answer.outcome.failed is None}


def _gap(one: Run, other: Run, both: Iterable[Key], shared: Mapping[str, int]) -> GapFigures | None:
    keys = list(both)
    return gap_figures({key: [other[key].right] for key in keys}, {key: [one[key].right] for key in keys}, shared)


def gap_figures(
    before: Mapping[Key, Sequence[bool]], after: Mapping[Key, Sequence[bool]], shared: Mapping[str, int]
) -> GapFigures | None:
    """Return the difference of two accuracies, after less before, on the same keys; several answers are one mean.

    Repeats of one question make one pair, and questions about one clip one cluster.
    """
    sums: dict[str, list[float]] = {}
    for key in before:
        pair = sums.setdefault(key[0], [0, 0, 0])
        pair[0] += sum(before[key]) / len(before[key])
        pair[1] += sum(after[key]) / len(after[key])
        pair[2] += 1
    pairs = [
        PairedShares(first / times, second / times, f"clip {shared[id_]}" if id_ in shared else f"id {id_}")
        for id_, (first, second, times) in sums.items()
    ]
    if not pairs:
        return None
    found = bounds(pairs, TAIL)
    return {"gap": found.difference, "low": found.low, "high": found.high}


def disagreement(choices: Sequence[str | None]) -> float:
    """Return the share of pairs of answers whose choices differ; no answer is a choice of its own."""
    pairs = [(a, b) for place, a in enumerate(choices) for b in choices[place + 1 :]]
    return sum(a != b for a, b in pairs) / len(pairs)


def _mean(marks: Sequence[bool]) -> float | None:
    return sum(marks) / len(marks) if marks else None


class Order(NamedTuple):
    """A run with its options rotated."""

    turns: int
    """By how many places."""
    records: Iterable[Record]


class _Shares(NamedTuple):
    """The options of one answer, in the data set's own order."""

    shares: Sequence[float]
    gold: int | None


def order_average(orders: Sequence[Order]) -> AverageFigures | None:
    """Average the probability of each option over the orders; None where answers carry no probabilities."""
    runs = [dict(_by_key(order)) for order in orders]
    if not any(runs):
        return None
    everywhere = sorted(set.intersection(*(set(run) for run in runs)))
    answers = [_mean_answer([run[key] for run in runs]) for key in everywhere]
    known = any(shares.gold is not None for run in runs for shares in run.values())
    right = sum(answer.right for answer in answers)
    return {
        "orders": len(runs),
        "n": len(answers),
        "unmatched": len(set().union(*runs)) - len(answers),
        "strict": as_fields(share(right, len(answers))) if answers and known else None,
        "calibration": calibration_figures(answers) if known else None,
    }


def _by_key(order: Order) -> Iterable[tuple[Key, _Shares]]:
    for record in order.records:
        options = stored_logprobs(record)
        shares = None if options is None else probabilities(options)
        if shares is not None and "score" in record:
            gold = record["score"].get("gold_index")
            turns = order.turns % len(shares)
            own = [shares[(place - turns) % len(shares)] for place in range(len(shares))]
            yield (record["id"], record["sample"]), _Shares(own, None if gold is None else (gold + turns) % len(own))


def _mean_answer(each: Sequence[_Shares]) -> Confidence:
    """Return the confidence in the option with the highest mean share, the first of equals."""
    means = [sum(column) / len(each) for column in zip(*(one.shares for one in each), strict=True)]
    place = means.index(max(means))
    gold = each[0].gold
    return Confidence(means[place], place == gold, brier_score(means, gold), is_argmax=True, letter_mass=1.0)


def compare_related(run: StoredRun, task: str) -> RelatedFigures:
    """Compare a run with the plain one of its folder, or with every order where its options are rotated."""
    about = run.info["tasks"][task]
    form, shared = form_of_task(about), about["shared_clips"]
    if form == PLAIN_FORM:
        return {}
    forms = runs_of_same_questions(run, task)
    same_words = {one: other for one, other in forms.items() if _prompt(other, task) == about["prompt_hash"]}
    compared: RelatedFigures = {}
    if (
        form.answer != PLAIN_FORM.answer
        and (plain := forms.get(form._replace(answer=PLAIN_FORM.answer, budget=0))) is not None
    ):
        compared["vs_plain"] = style_effect(plain.records(task), run.records(task), shared)
    if form.audio != PLAIN_FORM.audio and (plain := same_words.get(form._replace(audio=PLAIN_FORM.audio))) is not None:
        effect = audio_effect(plain.records(task), run.records(task), shared)
        compared["audio_ablation"] = {"audio": form.audio, **effect}
    if form.permute:
        compared |= _compare_orders({one.permute: r for one, r in same_words.items() if one[:2] == form[:2]}, task)
    return compared


def _compare_orders(orders: Mapping[int, StoredRun], task: str) -> RelatedFigures:
    if len(orders) < 2:
        return {}
    each = [Order(turns, orders[turns].records(task)) for turns in sorted(orders)]
    effect = order_effect([orders[turns].records(task) for turns in sorted(orders)])
    average = order_average(each)
    return {"order_sensitivity": effect, **({} if average is None else {"order_averaged": average})}


def _prompt(run: StoredRun, task: str) -> str:
    return run.info["tasks"][task]["prompt_hash"]
