"""A checkpoint in a process whose memory does not take all questions at once: `python -m short_of_memory CHECKPOINT`.

Prints as JSON what was said meanwhile, the answers given one by one before, those given together then, and those given
in rounds when there is memory again, until batches are as large as before.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path

from called_birds import call
from sounds import encoded

from dtbench.harness.core.schema import Prompt
from dtbench.models.checkpoints.checkpoint import resolve_checkpoint
from dtbench.models.local.model import Local

QUESTIONS = 12
ROUNDS = 40
"""At most; how often memory ran out, and so how many batches have to fit, depends on what the threads held then."""
GROWN = f"transformers: trying batches of {QUESTIONS} again"
LEFT = 60 << 20
"""Bytes: the features of all questions take more, those of some do not."""


async def main(source: str) -> None:
    """Answer, limit the memory, answer again."""
    checkpoint = resolve_checkpoint(source)
    assert checkpoint is not None
    options = {"batch_size": str(QUESTIONS), "max_tokens": "4", "dtype": "float32", "temperature": "0"}
    model = Local.from_checkpoint(checkpoint, options)
    said: list[str] = []
    await model.start(said.append)
    clips = [encoded(call(number), 16000).data for number in range(QUESTIONS)]
    prompts = [Prompt("Which bird?", Path("clip"), wav=clip) for clip in clips]
    alone = [(await model.generate(prompt)).text for prompt in prompts]
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + LEFT, resource.RLIM_INFINITY))
    together = [one.text for one in await asyncio.gather(*map(model.generate, prompts))]
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    later: list[list[str]] = []
    while not later or (said[-1:] != [GROWN] and len(later) < ROUNDS):
        later.append([one.text for one in await asyncio.gather(*map(model.generate, prompts))])
    await model.aclose()
    print(json.dumps({"said": said, "alone": alone, "together": together, "later": later}))


asyncio.run(main(sys.argv[1]))
