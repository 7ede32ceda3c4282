"""Choose tokens for each row of a batch by itself, and end a row at its stop strings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

STOP_MARGIN = 4
"""A character takes up to four tokens where the vocabulary is of bytes."""


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
    from transformers import LogitsProcessor

    noise = RowNoise(seeds)

    class Noise(LogitsProcessor):  # type: ignore[misc]
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            return scores + noise.draw(scores.shape[1], scores.device).to(scores.dtype)

    return Noise()


class RowNoise:
    """Gumbel noise for the rows of a batch: each from a generator of its own, drawn where the scores are.

    A generator gives other numbers on a GPU than on a CPU for one seed.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._seeds = seeds
        self._generators: list[Any] = []

    def draw(self, width: int, device: Any) -> Any:
        """Draw the noise of the next token: a row of this width per seed."""
        import torch

        if not self._generators:
            self._generators = [torch.Generator(device).manual_seed(seed) for seed in self._seeds]
        noise = torch.empty(len(self._seeds), width, device=device)
        for row, generator in zip(noise, self._generators, strict=True):
            row.exponential_(generator=generator)
        return noise.log_().neg_()


class StopStrings:
    """A criterion of transformers' generate that ends each row with the token that completes a stop string."""

    def __init__(self, stop: Sequence[str], prompt_length: int, decode: Callable[[Sequence[int]], str]) -> None:
        self.ends: dict[int, int] = {}
        """Row -> the number of tokens of its answer, for rows that reached a stop string."""
        self._stop = stop
        self._prompt_length = prompt_length
        self._decode = decode
        self._reach = STOP_MARGIN * max(map(len, stop)) + 1

    def __call__(self, tokens: Any, scores: Any, **more: Any) -> Any:
        """Say for each row whether it ends here."""
        import torch

        length = tokens.shape[1] - self._prompt_length
        for row, tail in enumerate(tokens[:, max(self._prompt_length, tokens.shape[1] - self._reach) :].tolist()):
            if row not in self.ends and any(words in self._decode(tail) for words in self._stop):
                self.ends[row] = length
        return torch.tensor([row in self.ends for row in range(len(tokens))], device=tokens.device)


def cut_at_stop(text: str, stop: Sequence[str]) -> str:
    """Return the text up to the first stop string in it, as vLLM does."""
    places = [place for words in stop if (place := text.find(words)) >= 0]
    return text[: min(places)] if places else text
