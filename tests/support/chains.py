"""Rows with reference chains in free words, completions for them, and evaluators on this machine."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chat_server import Asked, Chat, Turn

from dtbench.tasks.mini import MiniTrain1
from dtbench.training.rewards import Rewards, RewardSettings, Scores, TrainingRow

REFERENCE = (
    "A metal door is pushed open at once, and its hinges creak. Then boots come nearer over gravel, heavy and slow. "
    "Nobody speaks, but a dog growls from the left and falls silent as the boots stop. The creak and the growl tell "
    "that somebody known to the animal has come home, so a person arrives."
)
GOOD = (
    "At the start hinges creak, so a gate or door swings open. Heavy boots crunch on gravel and approach. A dog growls "
    "briefly, then calms down when the walking ends, which it would not do for a stranger. That fits somebody who "
    "comes home, so a person arrives."
)
OTHER = (
    "Rain drums on a tin roof while a kettle whistles. The whistle stops after two seconds and a cup is set down on "
    "wood. Nothing moves outside, so a person arrives."
)
ROW = TrainingRow(
    id="q1",
    audio=Path("clip.wav"),
    question="What happens in the recording?",
    choices=("a person arrives", "a car leaves", "a storm begins", "a bird sings"),
    answer="a person arrives",
    chain=REFERENCE,
    source="made up",
)
_CHAIN = re.compile(r"^BEGIN (\w+)\n(.*)\nEND \1$", re.MULTILINE | re.DOTALL)


def completion(chain: str, answer: str = "a person arrives") -> str:
    """As the paper's template has it."""
    return f"<reasoning>{chain}</reasoning>\n{answer}"


def mini_rows(count: int) -> list[TrainingRow]:
    """Rows of the benchmark mini with their true sounds."""
    samples = iter(MiniTrain1().samples(Path("nowhere")))
    return [
        TrainingRow(
            one.id, Path("clip.wav"), one.question, one.choices, str(one.answer), one.item["thinking"], "mini", one.item
        )
        for one, _ in zip(samples, range(count), strict=False)
    ]


def fenced(asked: Asked) -> str:
    """The chain that a request asks to mark."""
    text = str(asked.json()["messages"][-1]["content"])
    chain = _CHAIN.search(text)
    assert chain is not None, text
    return chain[2]


def marks(number: int) -> str:
    """A reply that gives this mark four times."""
    return json.dumps(dict.fromkeys(("path", "steps", "strategy", "depth"), number))


def honest(asked: Asked) -> Turn:
    """An evaluator that marks by the words that chain and reference share, and says 1 to every support."""
    text = str(asked.json()["messages"][-1]["content"])
    if '{"supports"' in text:
        return Turn('{"supports": 1}')
    reference = set(text.partition("right answer:\n")[2].partition("\n\nBEGIN")[0].split())
    said = set(fenced(asked).split())
    return Turn(marks(round(10 * len(said & reference) / max(1, len(said | reference)))))


def gullible(asked: Asked) -> Turn:
    """An evaluator that does what a chain tells it."""
    return Turn(marks(10 if "full marks" in fenced(asked) else 2))


def letters_of(asked: Asked) -> Turn:
    """Embeddings that count letters, out of order as an endpoint may send them."""
    texts = asked.json()["input"]
    data: list[dict[str, Any]] = [
        {"index": at, "embedding": [text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"]}
        for at, text in enumerate(texts)
    ]
    return Turn(body=json.dumps({"object": "list", "data": data[::-1], "model": "letters"}).encode())


TEXTS = [completion(GOOD), completion(OTHER), completion(GOOD, "a car leaves"), completion(f"{GOOD} It rained before.")]


def settings(chat: Chat, **more: Any) -> RewardSettings:
    """Rewards whose evaluator is this endpoint, and gives up soon."""
    given: dict[str, Any] = {"evaluator": chat.url, "embedding": "ngrams", "timeout": 60.0, "retry_budget": 0.05}
    return RewardSettings(**{**given, **more})


def rewarded(chosen: RewardSettings, *names: str, texts: Sequence[str] = TEXTS) -> Scores:
    """What completions for the one row earn."""
    return score_batch(names, [ROW] * len(texts), texts, chosen)


def score_batch(
    names: Sequence[str], rows: Sequence[TrainingRow], texts: Sequence[str], chosen: RewardSettings
) -> Scores:
    """What a batch earns that is rewarded by itself."""
    with Rewards(chosen) as rewards:
        return rewards.score_batch(names, rows, texts)
