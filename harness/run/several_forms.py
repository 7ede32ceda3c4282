"""`--permute all` and `cyclic`, and several paraphrases: the same questions in several forms, a run for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.option_orders import MOST_ORDERS, order_count
from dtbench.harness.run.planned_words import planned_words
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import make_plans

MOST_RUNS = 240
"""Ten paraphrases in all orders of four options."""


def runs_of(request: RunRequest) -> Sequence[RunRequest]:
    """Return a run for each order and paraphrase that a request asks for, the plain order first."""
    words = planned_words(request)
    numbers: Iterable[int | None] = (request.wording,)
    if words is not None and request.wording is None:
        assert words.file is not None
        numbers = range(1, words.file.most + 1)
    orders = list(_orders(request))
    runs = [replace(request, permute=order, wording=number) for number in numbers for order in orders]
    if len(runs) > 1 and len(request.think_budget) > 1:
        raise UserError("--think-budget: with several orders or paraphrases one budget at a time is possible.")
    if len(runs) > MOST_RUNS:
        raise UserError(
            f"--permute {request.permute} with --paraphrase {request.paraphrase}: these are {len(runs)} runs, and "
            f"{MOST_RUNS} at most are allowed: take --permute cyclic, or one paraphrase with --wording."
        )
    return runs


def _orders(request: RunRequest) -> Iterator[int | str]:
    if request.permute not in {"all", "cyclic"}:
        yield request.permute
        return
    plain = replace(request, permute=0, paraphrase=None, wording=None)
    options = max(len(sample.choices) for plan in make_plans(plain) for sample in plan.data.samples)
    if options < 2:
        raise UserError(f"--permute {request.permute}: no question has several options: leave it out.")
    yield 0
    if request.permute == "cyclic":
        yield from range(1, options)
    else:
        yield from (f"all:{order}" for order in range(2, order_count(options) + 1))


def drawn_note(request: RunRequest) -> str:
    """Say that questions with many options are asked in some of their orders; nothing where all are asked."""
    if request.permute != "all":
        return ""
    plans = make_plans(replace(request, permute=0, paraphrase=None, wording=None))
    many = sum(len(sample.choices) > 4 for plan in plans for sample in plan.data.samples)
    if not many:
        return ""
    return f"{many} questions have more than 4 options: {MOST_ORDERS} of their orders are asked, drawn by --seed"
