"""How tokens are drawn, each row of a batch by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class SamplingSettings(NamedTuple):
    """What decides on a token."""

    temperature: float = 0.0
    """0 for the likeliest."""
    top_p: float = 1.0
    top_k: int = 0
    """0 for all."""
    min_p: float = 0.0
    repetition_penalty: float = 1.0


def steps(drawn: SamplingSettings, seeds: Sequence[int], attention: Any) -> Any:
    """What makes the likeliest token the drawn one, for a batch whose padding stands in front.

    Adding Gumbel noise and taking the highest is sampling, and with a generator a row an answer depends on its own seed
    alone, not on who else is in its batch, as transformers' sampling does.
    """
    import transformers

    made = [] if drawn.repetition_penalty == 1 else [_penalty(drawn.repetition_penalty, attention)]
    if drawn.temperature > 0:
        made += [transformers.TemperatureLogitsWarper(drawn.temperature)]
        made += [transformers.TopKLogitsWarper(drawn.top_k)] if drawn.top_k else []
        made += [transformers.TopPLogitsWarper(drawn.top_p)] if drawn.top_p < 1 else []
        made += [transformers.MinPLogitsWarper(drawn.min_p)] if drawn.min_p else []
        made += [_noise(seeds)]
    return transformers.LogitsProcessorList(made)


def _penalty(penalty: float, attention: Any) -> Any:
    """Tokens that were there are less likely; transformers' own counts the padding as said, and so the batch."""
    import torch
    from transformers import LogitsProcessor

    starts = attention.argmax(dim=1).tolist()

    class Penalty(LogitsProcessor):  # type: ignore[misc]
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            lowered = scores.clone()
            for row, start in enumerate(starts):
                there = input_ids[row, start:].unique()
                there = there[there < scores.shape[1]]
                found = scores[row, there]
                lowered[row, there] = torch.where(found < 0, found * penalty, found / penalty)
            return lowered

    return Penalty()


def _noise(seeds: Sequence[int]) -> Any:
    import torch
    from transformers import LogitsProcessor

    dice = [torch.Generator().manual_seed(seed) for seed in seeds]

    class Noise(LogitsProcessor):  # type: ignore[misc]
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            drawn = [torch.empty(scores.shape[1]).exponential_(generator=one) for one in dice]
            return scores - torch.stack(drawn).log().to(scores.device, scores.dtype)

    return Noise()
