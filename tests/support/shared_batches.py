"""Checkpoints that answer with the local backend: `python -m shared_batches`, given jobs as JSON on stdin.

Prints as JSON for each job the answers, what its decoder read, and what was said meanwhile.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from called_birds import call
from sounds import encoded

from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.core.schema import Prompt
from dtbench.models.checkpoints.checkpoint import resolve_checkpoint
from dtbench.models.local.model import Local

OPTIONS = {"max_tokens": "6", "dtype": "float32", "temperature": "0"}
BATCH = 8
WORDS = ("Which bird?", "Which bird is it that calls here, the first or the second one?")


def prompts(seconds: Iterable[float]) -> Sequence[Prompt]:
    """A question about a clip of each length: some are longer than others, some have a system prompt."""
    clips = [encoded(call(number, length), 16000).data for number, length in enumerate(seconds)]
    plain = [Prompt(WORDS[number % 2], Path("clip"), wav=clip) for number, clip in enumerate(clips)]
    return [dataclasses.replace(one, system="Listen." if number % 3 else None) for number, one in enumerate(plain)]


def other_positions(decoder: Any) -> None:
    """A decoder that counts positions otherwise in a batch than alone."""

    def move(module: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        moved = kwargs["position_ids"] + (len(kwargs["inputs_embeds"]) - 1)
        return args, {**kwargs, "position_ids": moved}

    decoder.register_forward_pre_hook(move, with_kwargs=True)


def other_masks(decoder: Any) -> None:
    """A decoder that sees the padding."""
    decoder.register_forward_pre_hook(
        lambda module, args, kwargs: (args, {**kwargs, "attention_mask": None}), with_kwargs=True
    )


def other_inputs(decoder: Any) -> None:
    """A decoder that is given something of which nobody knows what it is."""
    decoder.register_forward_pre_hook(
        lambda module, args, kwargs: (args, {**kwargs, "states": kwargs["inputs_embeds"][0]}), with_kwargs=True
    )


def other_weights(decoder: Any) -> None:
    """A decoder that computes otherwise in a batch than alone, as with an adapter that a clip turns on."""

    def scale(module: Any, args: Any, kwargs: dict[str, Any], output: Any) -> None:
        if len(kwargs["inputs_embeds"]) == BATCH:
            output.last_hidden_state[..., ::2] *= 1.5

    decoder.register_forward_hook(scale, with_kwargs=True)


SPOILT: Mapping[str, Callable[[Any], None]] = {
    spoil.__name__: spoil for spoil in (other_positions, other_masks, other_inputs, other_weights)
}


def wait_for_the_next(model: Local, decoder: Any) -> None:
    """Let the first batch compute only when prompts of the next have been read; a minute at most."""
    assert model._weights is not None
    own, count, ahead = model._weights.read, iter(range(1, 1000)), threading.Event()

    def read(prompt: Prompt) -> Any:
        inputs = own(prompt)
        if next(count) > BATCH:
            ahead.set()
        return inputs

    def wait(module: Any, args: Any) -> None:
        assert ahead.wait(60), "no prompt of the next batch was read"

    model._weights.read = read  # type: ignore[method-assign]
    decoder.register_forward_pre_hook(wait)


async def asked(job: Mapping[str, Any]) -> dict[str, Any]:
    """The answers of a checkpoint, each with its counts of tokens, and how many prompts its decoder read at once."""
    checkpoint = resolve_checkpoint(job["checkpoint"])
    assert checkpoint is not None
    model = Local.from_checkpoint(checkpoint, {**OPTIONS, **job.get("options", {})})
    said: list[str] = []
    try:
        await model.start(said.append)
    except DtbenchError as error:
        return {"error": str(error), "kind": type(error).__name__}
    assert model._weights is not None
    decoder = model._weights._model.get_decoder()
    if "spoil" in job:
        SPOILT[job["spoil"]](decoder)
    if job.get("waits"):
        wait_for_the_next(model, decoder)
    read: list[int] = []

    def count(module: Any, given: Any, named: Any, output: Any) -> None:
        if (embedded := named.get("inputs_embeds")) is not None and embedded.shape[1] > 1:
            read.append(len(embedded))

    decoder.register_forward_hook(count, with_kwargs=True)
    answers = await asyncio.gather(*map(model.generate, prompts(job["seconds"])))
    about = model.describe()
    await model.aclose()
    told = [{"text": one.text, "ended": one.finish_reason, "usage": one.usage} for one in answers]
    return {"answers": told, "read": read, "said": said[1:], "about": about}


async def main() -> None:
    """Do each job."""
    print(json.dumps([await asked(job) for job in json.load(sys.stdin)]))


if __name__ == "__main__":
    asyncio.run(main())
