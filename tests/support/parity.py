"""The same clips and the same question to transformers and to vLLM: `python -m parity NAME CHECKPOINT OUT`.

OUT becomes a JSON file of what each read, wrote and how likely it thought that. The checkpoint is one of
tiny_checkpoints; both engines take float32 and the likeliest token, and neither stops before the last.
"""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile
from called_birds import call
from sounds import encoded
from tiny_checkpoints.catalogue import TINY, Tiny
from vllm_process import QUIET

RATE = 16000
TOKENS = 12
LENGTHS = (1.0, 1.0, 2.0, 0.6)
"""Seconds of the clips."""
QUESTION = "What is the sound? Answer A, B, C or D."


@dataclass(frozen=True, slots=True)
class Written:
    """What an engine made of one clip."""

    read: Sequence[int]
    """The tokens of the prompt, a clip's places included."""
    tokens: Sequence[int]
    logprobs: Sequence[float]
    """Of each token, before any sampling."""


def main() -> None:
    """Ask both, transformers first: vLLM registers classes of its own with it."""
    name, checkpoint, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    tiny, found = TINY[name], {}
    clips = [encoded(call(number, seconds), RATE).data for number, seconds in enumerate(LENGTHS)]
    if tiny.transformers is not None:
        found["transformers"] = by_transformers(tiny.transformers, checkpoint, clips)
    found["vllm"] = by_vllm(tiny, checkpoint, clips)
    out.write_text(json.dumps(found, default=dataclasses.asdict))


def by_transformers(kind: str, checkpoint: Path, clips: Sequence[bytes]) -> Sequence[Written]:
    """One clip after the other, by this class."""
    import torch
    import transformers

    processor = transformers.AutoProcessor.from_pretrained(checkpoint)
    model, told = getattr(transformers, kind).from_pretrained(checkpoint, dtype=torch.float32, output_loading_info=True)
    assert not told["missing_keys"], told["missing_keys"]
    model.eval().generation_config.eos_token_id = None  # every answer has the same length
    return [_written(model, _inputs(processor, clip)) for clip in clips]


def _inputs(processor: Any, clip: bytes) -> Any:
    parts = [{"type": "audio"}, {"type": "text", "text": QUESTION}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": parts}], add_generation_prompt=True, tokenize=False
    )
    samples, _ = soundfile.read(io.BytesIO(clip), dtype="float32")
    return processor(text=[text], audio=[samples], return_tensors="pt")


def _written(model: Any, inputs: Any) -> Written:
    import torch

    with torch.inference_mode():
        made = model.generate(
            **inputs,
            max_new_tokens=TOKENS,
            do_sample=False,
            pad_token_id=0,
            return_dict_in_generate=True,
            output_logits=True,
        )
    tokens = made.sequences[0, -TOKENS:].tolist()
    likely = torch.cat(made.logits).float().log_softmax(-1)
    logprobs = [float(row[token]) for row, token in zip(likely, tokens, strict=True)]
    return Written(inputs["input_ids"][0].tolist(), tokens, logprobs)


def by_vllm(tiny: Tiny, checkpoint: Path, clips: Sequence[bytes]) -> Sequence[Written]:
    """One clip after the other, as vLLM's server would be asked."""
    os.environ.update(QUIET, VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_LOGGING_LEVEL="ERROR")
    from vllm import LLM, SamplingParams

    options = {"limit_mm_per_prompt": {"audio": 1}, **tiny.vllm}
    engine = LLM(
        model=str(checkpoint),
        dtype="float32",
        max_model_len=2048,
        max_num_seqs=len(clips),
        enforce_eager=True,
        kv_cache_memory_bytes=32 << 20,  # the default takes nearly all of a machine's memory
        **options,
    )
    greedy = SamplingParams(temperature=0, max_tokens=TOKENS, ignore_eos=True, logprobs=0)
    made = [engine.chat(_conversation(clip), greedy, use_tqdm=False)[0] for clip in clips]
    return [Written(one.prompt_token_ids, list(said.token_ids), _chosen(said)) for one in made for said in one.outputs]


def _chosen(said: Any) -> Sequence[float]:
    """The log-probability of every token that was written."""
    return [float(step[token].logprob) for step, token in zip(said.logprobs, said.token_ids, strict=True)]


def _conversation(clip: bytes) -> Any:
    audio = {"data": base64.b64encode(clip).decode(), "format": "wav"}
    parts = [{"type": "input_audio", "input_audio": audio}, {"type": "text", "text": QUESTION}]
    return [{"role": "user", "content": parts}]


if __name__ == "__main__":
    main()
