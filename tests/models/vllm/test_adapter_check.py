"""Whether an adapter makes a difference: asked of an engine with and without it, with log-probabilities."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from pathlib import Path

import pytest
from chat_server import Asked, Turn, chatting

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.schema import Prompt
from dtbench.models.endpoint.address import parse_addresses
from dtbench.models.vllm.adapter_check import adapter_difference

BASE: Mapping[str, float] = {"A": -0.5, "B": -1.5}


def difference(tuned: Turn, base: Turn) -> float | None:
    def by_name(asked: Asked) -> Turn:
        body = asked.json()
        assert (body["temperature"], body["logprobs"], body["ignore_eos"]) == (0, True, True)
        return {"adapter": tuned, "model": base}[body["model"]]

    with chatting(choose=by_name) as chat:
        (address,) = parse_addresses(chat.url)
        prompt = Prompt("Which bird?", Path("crow.wav"))
        asked = adapter_difference(address, prompt, tuned="adapter", base="model", seconds=30)
        return asyncio.run(asked)


def test_other_log_probabilities_are_a_difference() -> None:
    tuned = Turn(tokens=[{"A": -0.25, "B": -2.0}])
    assert difference(tuned, Turn(tokens=[BASE])) == pytest.approx(0.5)
    assert difference(Turn(tokens=[BASE, {"C": -1.0}]), Turn(tokens=[BASE, {"C": -1.125}])) == 0
    assert difference(Turn(tokens=[{"C": -1.0}]), Turn(tokens=[BASE])) == math.inf


def test_equal_ones_to_the_last_token_are_none() -> None:
    assert difference(Turn(tokens=[BASE, BASE]), Turn(tokens=[BASE, BASE])) is None


@pytest.mark.parametrize("turn", [Turn(status=404), Turn(), Turn(drop="at once"), Turn(body=b"{}")])
def test_an_engine_that_cannot_be_asked_is_one_line(turn: Turn) -> None:
    with pytest.raises(MachineryError, match=r"whether the adapter is on cannot be asked: .+") as refused:
        difference(turn, Turn(tokens=[BASE]))
    assert "\n" not in str(refused.value)
