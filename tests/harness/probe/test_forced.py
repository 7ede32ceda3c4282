"""Where the chain of a forced text ends and its answer begins."""

from __future__ import annotations

import pytest

from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.harness.probe.forced import answer_start

REASON = ChainTags("<reasoning>", "</reasoning>")


@pytest.mark.parametrize(
    ("text", "tags", "answer"),
    [
        ("<think> two tones </think> <answer> two", None, "<answer> two"),
        ("<think>two</think>two", None, "two"),
        ("<reasoning>it is low</reasoning>\nlow tone", REASON, "low tone"),
        ("low tone", None, "low tone"),
        ("<think> two tones and then", None, ""),
        ("<think> two tones </think>", None, ""),
    ],
)
def test_the_answer_begins_behind_the_chain(text: str, tags: ChainTags | None, answer: str) -> None:
    assert text[answer_start(text, tags) :] == answer
