"""What lm-eval sends to the model `dtbench`: messages and clips, as prompts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import FewShotExample, Prompt


def prompt_of(context: object, **media: Any) -> Prompt:
    """The prompt of a real request of lm-eval."""
    instance = pytest.importorskip("lm_eval.api.instance", reason="lm-eval is an extra")
    from dtbench.harness.lm_eval.model import read_requests

    text = context if isinstance(context, str) else json.dumps(context)
    request = instance.Instance("generate_until", {}, (text, {"until": []}, media), 0, metadata=("sounds", 3, 1))
    (read,) = read_requests([request], seed=0)
    found: Prompt = read.prompt
    return found


def turns(*contents: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[place % 2], "content": content} for place, content in enumerate(contents)]


def test_several_clips_go_where_the_text_has_their_marks() -> None:
    prompt = prompt_of("Is <audio> louder than <audio>?", audio=[b"one", b"other"])
    assert prompt.text == "Is {audio 1} louder than {audio 2}?"
    assert [clip.read() for clip in prompt.clips if hasattr(clip, "read")] == [b"one", b"other"]
    single = prompt_of("Listen <audio> well.", audio=[b"one"])
    assert (single.text, len(single.clips)) == ("Listen well.", 1)
    assert prompt_of("Which?").clips == ()


def test_earlier_turns_are_examples() -> None:
    prompt = prompt_of([{"role": "system", "content": "Listen."}, *turns("1+1?", "2", "2+2?")])
    assert (prompt.system, prompt.text) == ("Listen.", "2+2?")
    assert prompt.examples == (FewShotExample("1+1?", "2"),)


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (turns("1+1?", "2"), "its messages are user, assistant; dtbench sends questions of a user and their answers"),
        (turns("<audio> what?", "2", "<audio> and?"), "its examples have clips, which lm-eval passes to no model"),
    ],
)
def test_turns_that_cannot_be_sent_are_one_line(messages: list[dict[str, str]], said: str) -> None:
    with pytest.raises(UserError, match=said):
        prompt_of(messages, audio=[b"one"])
