"""End a chain of thought at its budget, token by token, as vLLM does for `thinking_token_budget`.

A chain begins behind the tokens of its opening tag, in the answer or already in the prompt where a chat template opens
it. Once it has as many tokens as the budget allows, the tokens of the closing tag follow, whatever is likelier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.extract.chain_tags import USUAL_TAGS, ChainTags


class TagTokens(NamedTuple):
    """The tokens of the tags around a chain."""

    opening: Sequence[int]
    closing: Sequence[int]

    @classmethod
    def of(cls, tokenizer: Any, chain: ChainTags | None) -> TagTokens:
        """Encode the tags with a tokenizer, as vLLM does."""
        opening, closing = (tokenizer.encode(tag, add_special_tokens=False) for tag in chain or USUAL_TAGS)
        if not opening or not closing or tokenizer.unk_token_id in (*opening, *closing):
            tags = " and ".join(chain or USUAL_TAGS)
            raise MachineryError(
                f"--think-budget: the tokenizer has no tokens for {tags}: name the tags of its chain of thought with "
                "-M chain=OPENING,CLOSING."
            )
        return cls(opening, closing)


class ChainUse(NamedTuple):
    """What became of the chain of an answer with a budget."""

    tokens: int
    """Tokens of the answer within its chain, without the tags."""
    was_cut: bool
    """Whether it was ended at the budget."""


class ChainBudget:
    """The chain of one answer that is being written; each chain of several has the whole budget."""

    def __init__(self, tags: TagTokens, budget: int, prompt: Sequence[int]) -> None:
        self._tags = tags
        self._budget = budget
        opened, closed = _last_place(prompt, tags.opening), _last_place(prompt, tags.closing)
        self._used = len(prompt) - opened - len(tags.opening) if opened > closed else None
        self._since: list[int] = []
        self._forced: list[int] = []
        self._tokens = 0
        self._was_cut = False
        self._end_if_used_up()

    @property
    def next_token(self) -> int | None:
        """The token that has to come next; None where any may."""
        return self._forced[0] if self._forced else None

    @property
    def use(self) -> ChainUse:
        """What became of the chain so far."""
        return ChainUse(self._tokens, self._was_cut)

    def push(self, token: int) -> None:
        """Take note of the next token of the answer."""
        if self._forced:
            del self._forced[0]
            self._was_cut = True
            return
        self._since.append(token)
        if self._used is None:
            if _ends_with(self._since, self._tags.opening):
                self._used, self._since = 0, []
        else:
            self._used += 1
            self._tokens += 1
            if _ends_with(self._since, self._tags.closing):
                self._tokens = max(0, self._tokens - len(self._tags.closing))
                self._used, self._since = None, []
        self._end_if_used_up()

    def _end_if_used_up(self) -> None:
        if self._used is not None and self._used >= self._budget:
            self._forced = list(self._tags.closing)
            self._used, self._since = None, []


def chain_use(tags: TagTokens, budget: int, prompt: Sequence[int], answer: Sequence[int]) -> ChainUse:
    """Return what became of the chain of a whole answer."""
    chain = ChainBudget(tags, budget, prompt)
    for token in answer:
        chain.push(token)
    return chain.use


def force_closing(chains: Sequence[ChainBudget | None], prompt_length: int) -> Any:
    """Return a processor of transformers that ends the chain of each row, None for a row without a budget."""
    import torch
    from transformers import LogitsProcessor

    class ForceClosing(LogitsProcessor):  # type: ignore[misc]
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            if input_ids.shape[1] > prompt_length:
                for chain, token in zip(chains, input_ids[:, -1].tolist(), strict=True):
                    if chain is not None:
                        chain.push(token)
            forced = {row: chain.next_token for row, chain in enumerate(chains) if chain is not None}
            ended = {row: token for row, token in forced.items() if token is not None}
            if ended:
                scores = scores.clone()
                scores[list(ended)] = -torch.inf
                scores[list(ended), list(ended.values())] = 0.0
            return scores

    return ForceClosing()


def _ends_with(tokens: Sequence[int], end: Sequence[int]) -> bool:
    return list(tokens[-len(end) :]) == list(end)


def _last_place(tokens: Sequence[int], part: Sequence[int]) -> int:
    """Return where the last of these parts begins; -1 where there is none."""
    places = range(len(tokens) - len(part), -1, -1)
    return next((place for place in places if list(tokens[place : place + len(part)]) == list(part)), -1)
