"""`--think-budget` with `--backend local`: the rule is vLLM's, and the model in the box keeps to it."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from command import process
from engines import apart, need
from runs import records

from dtbench.models.local.chain_budget import ChainBudget, TagTokens

pytestmark = pytest.mark.engine

CASES = 6000
BUDGETS = (3, 18, 200)


class Case(NamedTuple):
    """Tags, a budget, a prompt, and what a model would say if nothing was forced."""

    opening: Sequence[int]
    closing: Sequence[int]
    budget: int
    prompt: Sequence[int]
    wishes: Sequence[int]


def drawn(chance: random.Random) -> Case:
    """A case with tags of one or three tokens; the template opens the chain, has closed it, or has none.

    An opening tag of several tokens in the prompt is left out: there vLLM lends the chain all but one of them.
    """
    long = chance.random() < 0.4
    opening, closing = ([1, 3, 3], [2, 4, 4]) if long else ([1], [2])
    prompts = [[9, 9], [9, *opening, 8, *closing, 8], *([] if long else [[9, *opening], [9, *opening, 8]])]
    prompt = chance.choice(prompts)
    is_open = prompt[-1] != 9 and closing[-1] not in prompt
    wishes: list[int] = []
    while len(wishes) < 30:
        tag = chance.random()
        if tag < 0.15 and is_open:
            wishes, is_open = [*wishes, *closing], False
        elif tag < 0.3 and not is_open:
            wishes, is_open = [*wishes, *opening], True
        else:
            wishes = [*wishes, chance.choice([5, 6, 7])]
    return Case(opening, closing, chance.randint(1, 8), prompt, wishes)


def written(case: Case) -> list[int]:
    chain, answer = ChainBudget(TagTokens(case.opening, case.closing), case.budget, case.prompt), list[int]()
    for wish in case.wishes:
        answer.append(wish if chain.next_token is None else chain.next_token)
        chain.push(answer[-1])
    return answer


def closes_twice(case: Case, answer: Sequence[int]) -> bool:
    """Whether a closing tag stands where no chain is open: then vLLM does not see the end of a later chain."""
    end, depth = case.closing[-1], int(case.closing[-1] not in case.prompt and case.opening[0] in case.prompt)
    for token in answer:
        depth = 1 if token == case.opening[0] else depth - (token == end)
        if depth < 0:
            return True
    return False


def test_a_chain_is_ended_where_vllm_itself_ends_it() -> None:
    need("vllm")
    chance = random.Random(19)
    cases = [drawn(chance) for _ in range(CASES)]
    theirs: list[list[int]] = json.loads(apart("vllm_chain_budgets", given=json.dumps(cases)).splitlines()[-1])
    ours = [written(case) for case in cases]
    kept = [not closes_twice(case, one) for case, one in zip(cases, ours, strict=True)]
    assert sum(kept) > 500
    told = list(itertools.compress(zip(cases, ours, theirs, strict=True), kept))
    assert [(case, one, other) for case, one, other in told if one != other] == []
    assert sum(list(case.wishes) != one for case, one, _ in told) > 200


@pytest.fixture(scope="module")
def curve(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Any]:
    """The curve of the model in the box over three budgets, and its records by budget."""
    need("transformers")
    out = tmp_path_factory.mktemp("budgets") / "out"
    asked = ("run", "--model", "mini", "--backend", "local", "--tasks", "mini", "--limit", "12", "--answer", "think")
    done = process(
        *asked, "--think-budget", ",".join(map(str, BUDGETS)), "-M", "max_tokens=60", "--out", str(out), "--json"
    )
    assert done.code == 0, done.err
    found: Sequence[Any] = json.loads(done.out)["budgets"]
    return found


def test_the_chains_of_the_model_in_the_box_end_at_their_budget_and_the_answer_goes_on(curve: Sequence[Any]) -> None:
    whole = {record["id"]: record["response"] for record in records(Path(curve[-1]["run"]), "mini")}
    assert not any(response["cut_at_budget"] for response in whole.values())
    went_on = 0
    for one in curve:
        for record in records(Path(one["run"]), "mini"):
            response, uncut = record["response"], whole[record["id"]]
            used = uncut["usage"]["reasoning_tokens"]
            assert response["cut_at_budget"] == (used >= one["budget"])
            assert response["usage"]["reasoning_tokens"] == min(used, one["budget"])
            if response["cut_at_budget"]:
                words = uncut["text"].split()[: one["budget"] + 1]  # its tokens are words
                assert response["text"].split()[: one["budget"] + 2] == [*words, "</think>"]
                went_on += not response["text"].endswith("</think>")
            else:
                assert response["text"] == uncut["text"]
    assert went_on > 0


def test_the_curve_names_who_was_cut(curve: Sequence[Any]) -> None:
    for one in curve:
        (use,) = one["budget_use"]
        cut = [record["id"] for record in records(Path(one["run"]), "mini") if record["response"]["cut_at_budget"]]
        assert (use["exact"], sorted(use["cut_ids"]), use["reached"]) == (True, sorted(cut), len(cut))
    assert len(curve[0]["budget_use"][0]["cut_ids"]) > len(curve[1]["budget_use"][0]["cut_ids"]) > 0
    assert curve[-1]["budget_use"][0]["cut_ids"] == []
