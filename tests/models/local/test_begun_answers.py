"""A rendered prompt gets the beginning of an answer, and no tag twice."""

from __future__ import annotations

import pytest

from dtbench.harness.extract.chain_tags import USUAL_TAGS, ChainTags
from dtbench.models.local.inputs import with_begun


@pytest.mark.parametrize(
    ("rendered", "begun", "whole"),
    [
        ("assistant\n", "<think>Hm", "assistant\n<think>Hm"),
        ("<|assistant|>", "<think>Hm", "<|assistant|><think>Hm"),
        ("assistant", "<think> Hm", "assistant <think> Hm"),
        ("assistant\n<think>\n", "<think>\nHm", "assistant\n<think>\nHm"),
        ("assistant\n<think>\n", "Hm", "assistant\n<think>\nHm"),
        ("assistant\n", "", "assistant\n"),
    ],
)
def test_the_beginning_stands_behind_the_prompt(rendered: str, begun: str, whole: str) -> None:
    assert with_begun(rendered, begun, USUAL_TAGS) == whole


def test_the_models_own_tag_is_not_doubled_either() -> None:
    assert with_begun("x: <reason>", "<reason> Hm", ChainTags("<reason>", "</reason>")) == "x: <reason> Hm"
