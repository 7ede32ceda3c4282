"""Let no answer that contains the token of a clip or a picture end a training.

A model may sample such a token at any place (`<|image_pad|>`; seen once, in about half a million answers of our small
one). When ms-swift then encodes the answer for training, it looks for the picture that belongs there, and the engine
ends with a TypeError. Here the token becomes padding, and nothing is learnt at its place; the rest of the answer trains
as usual. Rewards read the answer as it was written.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain
from typing import Any


def register_placeholders() -> None:
    """Let ms-swift's samples take answers without placeholders; its templates say which tokens those are."""
    from swift.rl_core.data import OnPolicySample
    from swift.template import Template

    known: set[int] = set()
    padding = 0
    find, take = Template._init_placeholder_tokens, OnPolicySample.apply_rollout_output

    def find_placeholders(self: Any) -> None:
        nonlocal padding
        find(self)
        known.update(self.placeholder_tokens)
        tokenizer = self.tokenizer
        padding = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id

    def take_answer(self: Any, **settings: Any) -> None:
        take(self, **settings)
        hide_placeholders(self, known, padding)

    Template._init_placeholder_tokens, OnPolicySample.apply_rollout_output = find_placeholders, take_answer


def hide_placeholders(sample: Any, placeholders: Collection[int], padding: int) -> None:
    """Replace the placeholders in a sample's answers, and take them out of what is learnt; most samples have none."""
    turns = _turns(sample.response_token_ids)
    if not any(token in placeholders for turn in turns for token in turn):
        return
    learnt = _turns(sample.response_loss_mask) or [[1] * len(turn) for turn in turns]
    pairs = [list(zip(turn, mask, strict=True)) for turn, mask in zip(turns, learnt, strict=True)]
    sample.response_token_ids = [[padding if token in placeholders else token for token in turn] for turn in turns]
    sample.response_loss_mask = [[0 if token in placeholders else one for token, one in turn] for turn in pairs]
    if sample.rollout_logprobs:
        # ms-swift keeps one for each learnt token, and may keep one more for the end.
        tokens = [token for token, one in chain.from_iterable(pairs) if one]
        logprobs = list(chain.from_iterable(sample.rollout_logprobs))
        kept = [one for one, token in zip(logprobs, tokens, strict=False) if token not in placeholders]
        sample.rollout_logprobs = [kept + logprobs[len(tokens) :]]


def _turns(ids: Any) -> list[list[int]]:
    """Return a list for each turn; an answer in one turn may come as one list."""
    return [ids] if ids and not isinstance(ids[0], list | tuple) else list(ids)
