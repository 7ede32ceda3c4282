"""An endpoint whose answers follow from the request alone: right, wrong, after a chain, or none; whoever asks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from chat_server import Asked, Turn
from lm_eval_tasks import CAPITALS

_OPTION = re.compile(r"^\(([A-D])\) ", re.MULTILINE)
_COUNTRY = re.compile(r"What is the capital of (\w+)\?\nAnswer:$")


class Message(NamedTuple):
    """What the user said."""

    text: str
    clip: str
    """In base64; empty where there was none."""


def message_of(body: Mapping[str, Any]) -> Message:
    """The last message of a request."""
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return Message(content, "")
    text = next(part["text"] for part in content if part["type"] == "text")
    return Message(text, next((part["input_audio"]["data"] for part in content if part["type"] == "input_audio"), ""))


def odd_answer(asked: Asked) -> Turn:
    """What the endpoint says, cut at the stops of the request."""
    body = asked.json()
    text, clip = message_of(body)
    chance = int.from_bytes(hashlib.sha256(f"{text}{clip}".encode()).digest()[:4], "big")
    said = _of_country(text, chance) if _COUNTRY.search(text) else _of_options(text, chance)
    for stop in body.get("stop") or ():
        said = said.partition(stop)[0]
    return Turn(said)


def _of_options(text: str, chance: int) -> str:
    letters = _OPTION.findall(text)
    letter = letters[chance % len(letters)]
    forms = (f"({letter})", f"<think>It may be (A), or not.</think>Answer: {letter}", "I cannot hear it.", letter)
    return forms[chance // 7 % len(forms)]


def _of_country(text: str, chance: int) -> str:
    found = _COUNTRY.search(text)
    assert found is not None
    capital = CAPITALS[found[1]]
    forms = (f"It is {capital}.", capital, f"{capital.lower()}\n\nor Rome", "I do not know", "", "It is Rome.")
    return forms[chance % len(forms)]
