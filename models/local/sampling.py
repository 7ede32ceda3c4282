"""Sample tokens, each row of a batch by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class SamplingSettings(NamedTuple):
    """How a token is sampled."""

    temperature: float = 0.0
    """0 for greedy decoding."""
    top_p: float = 1.0
    top_k: int = 0
    """0 for all."""
    min_p: float = 0.0
    repetition_penalty: float = 1.0


def logits_processors(sampling: SamplingSettings, seeds: Sequence[int], attention: Any) -> Any:
    """Return processors that make greedy decoding sample, for a batch whose padding stands in front.

    Adding Gumbel noise and taking the highest is sampling. With a generator a row, an answer depends on its own seed
    alone; with transformers' own sampling it would depend on the other rows of its batch, too.
    """
    import transformers

    steps = [] if sampling.repetition_penalty == 1 else [_penalty(sampling.repetition_penalty, attention)]
    if sampling.temperature > 0:
        steps += [transformers.TemperatureLogitsWarper(sampling.temperature)]
        steps += [transformers.TopKLogitsWarper(sampling.top_k)] if sampling.top_k else []
        steps += [transformers.TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []
        steps += [transformers.MinPLogitsWarper(sampling.min_p)] if sampling.min_p else []
        steps += [_noise(seeds)]
    return transformers.LogitsProcessorList(steps)


def _penalty(penalty: float, attention: Any) -> Any:
    """Make tokens of the text less likely; transformers' own penalty would count the padding as text."""
    import torch
    from transformers import LogitsProcessor

    starts = attention.argmax(dim=1).tolist()

    class Penalty(LogitsProcessor):  # type: ignore[misc]
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            lowered = scores.clone()
            for row, start in enumerate(starts):
                used = input_ids[row, start:].unique()
                used = used[used < scores.shape[1]]
                score = scores[row, used]
                lowered[row, used] = torch.where(score < 0, score * penalty, score / penalty)
            return lowered

    return Penalty()


def _noise(seeds: Sequence[int]) -> Any:
    import torch
    from transformers import LogitsProcessor

    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    class Noise(LogitsProcessor):  # type: ignore[misc]
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            noise = [torch.empty(scores.shape[1]).exponential_(generator=generator) for generator in generators]
            return scores - torch.stack(noise).log().to(scores.device, scores.dtype)

    return Noise()
