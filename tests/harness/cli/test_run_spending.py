"""Runs that may only use so much money, or so many tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import Chat, Turn, chatting
from command import Done, call
from runs import audible_data, records, status

from dtbench.harness.core.model import Priced
from dtbench.harness.core.price import Price
from dtbench.harness.run.spending import cost_words
from dtbench.harness.store.run_folder import StoredRun
from dtbench.models.backends import open_model

QUESTIONS = 60
EACH = 10
"""Tokens of an answer of this endpoint: 7 read, 3 written."""
PRICES = ("-M", "price_in=100000", "-M", "price_out=1000000")
"""3.70 US dollars an answer."""


def asked(tmp_path: Path, chat: Chat, *more: str) -> Done:
    if not (tmp_path / "data").exists():
        audible_data(tmp_path / "data", QUESTIONS)
    where = ("--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "run", "--concurrency", "4")
    return call("run", "--model", chat.url, "-M", "model=tiny", *where, *more)


def spent(tmp_path: Path) -> Any:
    return json.loads((tmp_path / "run" / "summary.json").read_text())["spent"]


def test_a_limit_of_tokens_ends_a_run_in_order_over_all_starts_and_more_goes_on(tmp_path: Path) -> None:
    with chatting() as chat:
        done = asked(tmp_path, chat, "--max-tokens-in-all", "100")
        assert (done.code, status(tmp_path / "run")) == (130, "interrupted")
        first = len(records(tmp_path / "run", "mmar"))
        assert 10 <= first <= 13, "those in flight are finished, no more"
        assert f"note: --max-tokens-in-all 100 is reached: {7 * first} input and {3 * first} output tokens" in done.err
        assert "The same command with a higher --max-tokens-in-all goes on from here." in done.err
        assert "go on where it stopped" not in done.err, "it would stop at once"
        again = asked(tmp_path, chat, "--max-tokens-in-all", "100")
        assert again.code == 130
        assert len(chat.asked) == first, "what may be used is used: nothing is asked"
        assert asked(tmp_path, chat, "--max-tokens-in-all", "300").code == 130
        second = len(records(tmp_path / "run", "mmar"))
        assert 30 <= second <= 33
        assert asked(tmp_path, chat, "--max-tokens-in-all", "100000").code == 0
        assert len(chat.asked) == QUESTIONS
    assert spent(tmp_path) == {"tokens_in": 7 * QUESTIONS, "tokens_out": 3 * QUESTIONS}
    assert StoredRun.open(tmp_path / "run").info["request"]["max_tokens_in_all"] == 100000


def test_a_limit_of_money_ends_a_run_and_the_summary_has_the_cost(tmp_path: Path) -> None:
    with chatting() as chat:
        done = asked(tmp_path, chat, "--max-cost", "20", *PRICES)
        count = len(records(tmp_path / "run", "mmar"))
        assert (done.code, 6 <= count <= 9) == (130, True)
        assert f"note: --max-cost 20 is reached: {3.7 * count:,.2f} USD for {7 * count} input" in done.err
        done = asked(tmp_path, chat, *PRICES)
        assert done.code == 0
        assert "spent        222.00 USD for 420 input and 180 output tokens, over all starts" in done.out
    assert spent(tmp_path) == {"tokens_in": 420, "tokens_out": 180, "cost": pytest.approx(3.7 * QUESTIONS)}
    assert StoredRun.open(tmp_path / "run").info["endpoint"]["price"] == {"in": 100000, "out": 1000000}


def test_a_cost_of_less_than_ten_cents_is_told_with_two_digits() -> None:
    assert [cost_words(cost) for cost in (0.0, 0.00035, 0.0123, 0.1, 1234.5)] == [
        *("0.00 USD", "0.00035 USD", "0.012 USD", "0.10 USD", "1,234.50 USD")
    ]


def test_other_prices_are_not_another_run(tmp_path: Path) -> None:
    with chatting() as chat:
        assert asked(tmp_path, chat, "--limit", "3", *PRICES).code == 0
        assert asked(tmp_path, chat, "-M", "price_in=1", "-M", "price_out=2").code == 0
        assert len(chat.asked) == QUESTIONS


def test_failed_replies_are_paid_for_too(tmp_path: Path) -> None:
    with chatting(Turn("cut", finish_reason="error")) as chat:
        assert asked(tmp_path, chat, "--limit", "2", *PRICES).code == 0
        assert len(chat.asked) == 3
    assert spent(tmp_path) == {"tokens_in": 21, "tokens_out": 9, "cost": pytest.approx(11.1)}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["--max-cost", "5"], "--max-cost 5: what tiny costs is not known: give -M price_in=... and -M price_out=..."),
        (["--max-cost", "0"], "--max-cost 0"),
        (["-M", "price_in=5"], "-M price_in=5: give -M price_out=... as well."),
        (["--max-tokens-in-all", "9", "--shard", "1/2"], "--max-tokens-in-all with --shard 1/2: a shard does not see"),
    ],
)
def test_a_limit_that_cannot_be_kept_is_refused_in_one_line(tmp_path: Path, given: list[str], problem: str) -> None:
    with chatting() as chat:
        assert problem in asked(tmp_path, chat, *given).refusal()
        assert problem in asked(tmp_path, chat, *given, "--dry-run").refusal()
        assert chat.asked == []


def test_an_endpoint_that_reports_no_tokens_cannot_be_limited(tmp_path: Path) -> None:
    body = json.dumps({"choices": [{"message": {"content": "(A)"}, "finish_reason": "stop"}]}).encode()
    with chatting(default=Turn(body=body)) as chat:
        done = asked(tmp_path, chat, "--max-tokens-in-all", "100")
        assert done.code == 130
        assert "the endpoint does not report the tokens of its answers" in done.err
        assert len(chat.asked) <= 4


def test_a_dry_run_estimates_the_cost_from_an_earlier_run(tmp_path: Path) -> None:
    with chatting() as chat:
        assert asked(tmp_path, chat, "--limit", "10", *PRICES).code == 0
        done = asked(tmp_path, chat, *PRICES, "--dry-run")
    assert "350 tokens in, 150 tokens out, about 185.00 USD" in done.out, done.out


def test_a_sweep_goes_on_with_the_next_model_where_a_limit_ends_one(tmp_path: Path) -> None:
    audible_data(tmp_path / "data", QUESTIONS)
    limits = ("--max-tokens-in-all", "100", "-M", "model=tiny", "--concurrency", "4")
    with chatting() as one, chatting() as two:
        where = ("--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "sweep")
        assert call("sweep", one.url, two.url, *where, *limits).code == 130
        assert [10 <= len(chat.asked) <= 13 for chat in (one, two)] == [True, True]


@pytest.mark.parametrize(
    ("tokens", "cost"),
    [
        ({"prompt_tokens": 1000, "completion_tokens": 100}, 0.033),
        ({"prompt_tokens": 1000, "completion_tokens": 100, "audio_tokens": 0}, 0.0035),
        ({"prompt_tokens": 1000, "completion_tokens": 100, "audio_tokens": 400}, 0.0153),
        ({"input_tokens": 1000, "output_tokens": 100, "audio_tokens": 5000}, 0.033),
        ({}, 0.0),
    ],
)
def test_sound_may_have_a_price_of_its_own_and_what_is_not_told_apart_costs_the_higher(
    tokens: dict[str, int], cost: float
) -> None:
    assert Price(2.5, 10, 32).of_usage(tokens) == pytest.approx(cost)
    assert Price(2.5, 10).of_usage({"prompt_tokens": 1000, "completion_tokens": 100}) == pytest.approx(0.0035)


def test_a_hosted_family_knows_its_price_and_that_of_no_other_model() -> None:
    def price(*options: tuple[str, str]) -> Price | None:
        model = open_model("gpt-audio", dict(options), ask=False)
        assert isinstance(model, Priced)
        return model.price

    assert price() == Price(2.5, 10.0, 32.0)
    assert price(("price_in", "3"), ("price_audio", "9")) == Price(3.0, 10.0, 9.0)
    assert price(("model", "gpt-audio-mini")) is None
    assert price(("model", "gpt-audio-mini"), ("price_in", "0.6"), ("price_out", "2.4")) == Price(0.6, 2.4)
