"""`--think-budget`: the same questions with chains of several lengths, each in its own folder, and the curve."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from chat_server import Asked, Turn, chatting
from command import call
from runs import audible_data

from dtbench.harness.score.run_form import RunForm, form_of
from dtbench.harness.store.run_folder import StoredRun
from dtbench.models.backends import ModelUse, open_models

COUNT = 4
FIELD = ("-M", "think_budget_field=thinking_token_budget")
NEEDED = pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed: `make vllm`")


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    audible_data(Path("data"), COUNT)


def thinks(asked: Asked) -> Turn:
    """A server that ends a chain of 40 tokens at the budget, and tells its tokens."""
    budget = asked.json().get("thinking_token_budget", 40)
    used = min(40, budget)
    usage = {"prompt_tokens": 7, "completion_tokens": used + 3, "completion_tokens_details": {"reasoning_tokens": used}}
    text = f"<think>{'hm ' * used}</think>\nAnswer: (A)"
    message = {"role": "assistant", "content": text}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}
    return Turn(body=json.dumps(body).encode())


def test_each_budget_is_a_run_of_its_own_and_the_curve_tells_who_was_cut() -> None:
    with chatting(choose=thinks) as chat:
        arguments = ("run", "--model", chat.url, "--tasks", "mmar", "--data-dir", "data", "--out", "out", *FIELD)
        done = call(*arguments, "--think-budget", "64,16", "--json")
        assert done.code == 0, done
        sent = [asked.json()["thinking_token_budget"] for asked in chat.asked]
        assert sent == [16] * COUNT + [64] * COUNT
        shown = call(*arguments, "--think-budget", "16,64")
        assert shown.code == 0, shown
        assert len(chat.asked) == 2 * COUNT  # finished: nothing is asked again
    short, long = json.loads(done.out)["budgets"]
    assert [one["run"] for one in (short, long)] == ["out", "out/budget-64"]
    assert [one["budget_use"][0]["reached"] for one in (short, long)] == [COUNT, 0]
    assert [one["budget_use"][0]["mean_tokens"] for one in (short, long)] == [19, 43]
    assert all(one["budget_use"][0]["exact"] for one in (short, long))
    asked = [record["id"] for record in StoredRun.open(Path("out")).records("mmar")]
    assert [one["budget_use"][0]["cut_ids"] for one in (short, long)] == [asked, []]
    strict = short["tasks"][0]["strict"]["accuracy"]
    assert [short["budget_use"][0][name] for name in ("cut_strict", "uncut_strict")] == [strict, None]
    assert [long["budget_use"][0][name] for name in ("cut_strict", "uncut_strict")] == [None, strict]
    assert [form_of(StoredRun.open(Path(one["run"])).info) for one in (short, long)] == [
        RunForm(budget=16),
        RunForm(budget=64),
    ]
    assert "cut if cut if not" in " ".join(shown.out.split())
    rows = [line.split() for line in shown.out.splitlines() if line.strip().startswith(("16 ", "64 "))]
    assert [row[:2] for row in rows] == [["16", "mmar"], ["64", "mmar"]]


def test_tokens_of_a_chain_that_are_not_told_are_said_to_be_at_most() -> None:
    with chatting(Turn("<think>a</think>(A)")) as chat:
        arguments = ("--model", chat.url, "--tasks", "mmar", "--data-dir", "data", "--out", "out", *FIELD)
        done = call("run", *arguments, "--think-budget", "2,9")
    assert done.code == 0, done
    assert "the endpoint does not tell the tokens of the reasoning" in done.err


def test_one_budget_is_a_run_as_any_other_and_another_in_its_folder_is_another_run() -> None:
    with chatting(choose=thinks) as chat:
        arguments = ("run", "--model", chat.url, "--tasks", "mmar", "--data-dir", "data", "--out", "out", *FIELD)
        assert call(*arguments, "--think-budget", "16", "--json").code == 0
        assert StoredRun.open(Path("out")).info["tasks"]["mmar"]["think_budget"] == 16
        again = json.loads(call(*arguments, "--json").out)
        assert again["run"] == "out/budget-0"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--think-budget", "8"), "--think-budget: it is not known how a request to"),
        ((*FIELD, "--think-budget", "none"), "--think-budget none: numbers of tokens are expected"),
        ((*FIELD, "--think-budget", "0"), "--think-budget 0: numbers of tokens are expected"),
        ((*FIELD, "--think-budget", "8", "--answer", "forced"), "--think-budget: a forced answer has no chain"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_one_line_before_the_first_question(
    arguments: tuple[str, ...], complaint: str
) -> None:
    with chatting() as chat:
        done = call("run", "--model", chat.url, "--tasks", "mmar", "--data-dir", "data", "--out", "out", *arguments)
        assert chat.asked == []
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert complaint in done.err


@NEEDED
def test_vllm_that_is_started_for_it_is_told_where_a_chain_ends() -> None:
    (plain,) = open_models("mini", {}, [ModelUse(())], "vllm")
    (model,) = open_models("mini", {}, [ModelUse((), budgeted=True)], "vllm")
    assert "reasoning_config" not in plain.describe()["flags"]
    config = json.loads(model.describe()["flags"]["reasoning_config"])
    assert config == {"reasoning_start_str": "<think>", "reasoning_end_str": "</think>"}
    own = {"chain": "<r>,</r>", "reasoning_config": "{}"}
    (given,) = open_models("mini", own, [ModelUse((), budgeted=True)], "vllm")
    assert given.describe()["flags"]["reasoning_config"] == "{}"


def test_a_budget_may_lie_within_other_fields() -> None:
    deep = ("-M", "think_budget_field=chat_template_kwargs.thinking_budget")
    with chatting() as chat:
        arguments = ("run", "--model", chat.url, "--tasks", "mmar", "--data-dir", "data", "--out", "out", *deep)
        more = ("-M", 'chat_template_kwargs={"enable_thinking": true}', "--think-budget", "8", "--limit", "1")
        assert call(*arguments, *more).code == 0
        sent = chat.asked[0].json()
    assert sent["chat_template_kwargs"] == {"enable_thinking": True, "thinking_budget": 8}
