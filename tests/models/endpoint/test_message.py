"""Chains of thought that endpoints send apart from the answer, under every name and in every form that they have."""

from __future__ import annotations

from typing import Any

import pytest

from dtbench import extract
from dtbench.models.endpoint.message import message_text

CHOICES = ["Owl", "Jay"]
BOTH = "<think>It screams.</think>(B)"


def text_parts(*words: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": each} for each in words]


@pytest.mark.parametrize(
    "message",
    [
        {"reasoning_content": "It screams."},
        {"reasoning": "It screams."},
        {"thinking": "It screams."},
        {"reasoning_content": "It screams.", "reasoning": "It screams."},
        {"reasoning_content": "", "reasoning": "It screams."},
        {"reasoning_content": None, "reasoning_details": [{"type": "reasoning.text", "text": "It screams."}]},
        {"reasoning": None, "reasoning_details": [{"type": "reasoning.summary", "summary": "It screams."}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "c2VjcmV0"}, {"text": "It screams."}]},
        {"reasoning": "It screams.", "reasoning_details": [{"type": "reasoning.text", "text": "It screams."}]},
        {"reasoning": {"type": "reasoning", "summary": [{"type": "summary_text", "text": "It screams."}]}},
        {"reasoning_content": [{"type": "text", "text": "It screams."}]},
        {"reasoning": " It screams.\n"},
        # The tags are there as well, or one of them.
        {"reasoning_content": "<think>It screams.</think>"},
        {"reasoning_content": "It screams.\n</think>\n"},
        {"reasoning_content": "It screams.", "content": "</think>(B)"},
        {"reasoning_content": "It screams.", "content": "\n</think>(B)"},
        # The content has the chain once more.
        {"reasoning_content": "It screams.", "content": "<think>It screams.</think>(B)"},
        {"reasoning_content": "It screams.", "content": "<think>\nIt screams.\n</think>(B)"},
        {"reasoning_content": "It screams.", "content": "It screams.</think>(B)"},
        {"reasoning_content": "It screams.", "content": "[THINK]It screams.[/THINK](B)"},
        # The content comes in parts.
        {"content": [{"type": "thinking", "thinking": "It screams."}, *text_parts("(B)")]},
        {"content": [{"type": "thinking", "thinking": text_parts("It screams.")}, *text_parts("(B)")]},
        {"content": [{"type": "thinking", "thinking": "It screams.", "signature": "x"}, *text_parts("(", "B)")]},
        {"content": [{"type": "redacted_thinking", "data": "x"}, *text_parts("(B)")], "reasoning": "It screams."},
        {"content": [{"type": "reasoning", "summary": text_parts("It screams.")}, *text_parts("(B)")]},
        {"content": [{"type": "reasoning", "text": "It screams."}, {"type": "output_text", "text": "(B)"}]},
        {"content": [{"type": "thinking", "thinking": "It screams."}, *text_parts("(B)")], "reasoning": "It screams."},
    ],
    ids=str,
)
def test_a_chain_stands_once_in_tags_before_the_answer(message: dict[str, Any]) -> None:
    text = message_text({"role": "assistant", "content": "(B)", **message})
    assert text == BOTH
    assert extract(text, CHOICES).choice == "Jay"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"reasoning": "(B)"}, "(B)"),
        ({"reasoning": "A.", "content": [*text_parts("(B)"), {"type": "thinking", "thinking": "C."}]}, None),
        ({"reasoning": "First.", "content": "<think>Second.</think>(B)"}, None),
        ({"reasoning": "It screams.", "content": None}, "<think>It screams.</think>"),
        ({"reasoning": "It screams.", "content": ""}, "<think>It screams.</think>"),
        ({"reasoning": "", "reasoning_content": None, "thinking": False, "reasoning_details": []}, "(B)"),
        ({"reasoning": 7, "thinking": {"budget": 100}}, "(B)"),
        ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}, "(B)"),
        ({"content": None}, ""),
    ],
    ids=str,
)
def test_what_is_no_chain_adds_none_and_what_is_another_one_is_kept(message: dict[str, Any], text: str | None) -> None:
    made = message_text({"role": "assistant", "content": "(B)", **message})
    if text is None:
        assert extract(made, CHOICES).thinking in {"A.\nC.", "First.\nSecond."}
        assert extract(made, CHOICES).choice == "Jay"
    else:
        assert made == text


def test_parts_nested_without_end_are_left_out() -> None:
    part: Any = "It screams."
    for _ in range(2000):
        part = [part]
    assert message_text({"content": "(B)", "reasoning": part}) == "(B)"


def test_content_that_is_no_text_is_an_error() -> None:
    with pytest.raises(TypeError, match="content is not text"):
        message_text({"content": 7, "reasoning": "It screams."})
