"""The budget of a chain, token by token: where it begins, when it is ended, and what is counted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.models.local.chain_budget import ChainBudget, ChainUse, TagTokens, chain_use

ONE = TagTokens([1], [2])
THREE = TagTokens([1, 1, 3], [2, 2, 4])
A, B = 7, 8


def written(tags: TagTokens, budget: int, prompt: Sequence[int], wishes: Sequence[int]) -> tuple[list[int], ChainUse]:
    """What a model that wishes for these tokens writes; a forced token takes the place of a wish."""
    chain, answer = ChainBudget(tags, budget, prompt), list[int]()
    for wish in wishes:
        answer.append(wish if chain.next_token is None else chain.next_token)
        chain.push(answer[-1])
    assert chain_use(tags, budget, prompt, answer) == chain.use
    return answer, chain.use


@pytest.mark.parametrize(
    ("tags", "budget", "prompt", "wishes", "answer", "use"),
    [
        (ONE, 2, [9], [1, A, A, A, B], [1, A, A, 2, B], ChainUse(2, True)),
        (ONE, 2, [9], [1, A, 2, B, B, B], [1, A, 2, B, B, B], ChainUse(1, False)),
        (ONE, 2, [9], [A, A, A, A], [A, A, A, A], ChainUse(0, False)),  # no chain
        (ONE, 2, [9, 1], [A, A, A, B], [A, A, 2, B], ChainUse(2, True)),  # the template opens it
        (ONE, 2, [9, 1, 5], [A, A, B], [A, 2, B], ChainUse(1, True)),  # a token of it stands in the prompt
        (ONE, 1, [9, 1, 5], [A, B], [2, B], ChainUse(0, True)),
        (ONE, 2, [9, 1, 2], [A, A, A], [A, A, A], ChainUse(0, False)),  # the template closes it
        (ONE, 2, [9], [1, A, 2, 1, A, A, A], [1, A, 2, 1, A, A, 2], ChainUse(3, True)),  # each has its own
        (ONE, 2, [9], [1, A, A], [1, A, A], ChainUse(2, False)),  # ended elsewhere: nothing was forced
        (THREE, 2, [9], [1, 1, 3, A, A, B, B, B, B], [1, 1, 3, A, A, 2, 2, 4, B], ChainUse(2, True)),
        (THREE, 4, [9], [1, 1, 3, A, 2, 2, 4, B], [1, 1, 3, A, 2, 2, 4, B], ChainUse(1, False)),
        (THREE, 2, [1, 1, 3], [A, A, B, B, B, B], [A, A, 2, 2, 4, B], ChainUse(2, True)),
    ],
)
def test_a_chain_is_ended_after_as_many_tokens_as_its_budget(
    tags: TagTokens, budget: int, prompt: Sequence[int], wishes: Sequence[int], answer: Sequence[int], use: ChainUse
) -> None:
    assert written(tags, budget, prompt, wishes) == (answer, use)


class Words:
    """A tokenizer of whole words, with 0 for those that it does not know."""

    unk_token_id = 0

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return [{"<think>": 1, "</think>": 2}.get(text, 0)]


def test_tags_are_the_usual_ones_unless_the_model_has_its_own_and_unknown_ones_are_one_clear_error() -> None:
    assert TagTokens.of(Words(), None) == ONE
    with pytest.raises(MachineryError, match="no tokens for <a> and <b>: name the tags of its chain of thought"):
        TagTokens.of(Words(), ChainTags("<a>", "<b>"))
