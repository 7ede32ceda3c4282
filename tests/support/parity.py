"""The same questions about the same clips to transformers and vLLM: `python -m parity DATA OUT NAME CHECKPOINT ...`.

DATA is a folder of called_birds; in OUT, NAME.transformers.json and NAME.vllm.json become what the engine read, wrote
and how likely it found that, or are missing where NAME.transformers.log and NAME.vllm.log tell why.
The checkpoints are of tiny_checkpoints. Both engines take float32 and the likeliest token; vLLM gets the messages
that dtbench sends to its server, transformers one clip at a time, by nothing but its own documented calls.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import io
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import soundfile
from own_task import Birds
from tiny_checkpoints.catalogue import BASE, REFERENCE, TINY, Tiny
from vllm_process import QUIET

from dtbench.harness.audio.prepare import prepare_audio
from dtbench.harness.core.schema import Prompt
from dtbench.models.checkpoints.checkpoint import resolve_checkpoint
from dtbench.models.endpoint.wire import chat_body, fixed_fields
from dtbench.models.vllm.layout import engine_folders

RATE = 16000
TOKENS = 12


@dataclass(frozen=True, slots=True)
class Written:
    """What an engine made of one question."""

    read: Sequence[int]
    """The tokens of the prompt, a clip's places included."""
    tokens: Sequence[int]
    logprobs: Sequence[float]
    """Of each token, before any sampling."""
    text: str
    """Without a last character that is not whole."""


def main() -> None:
    """Ask both, transformers first: vLLM registers classes of its own with it."""
    data, out = map(Path, sys.argv[1:3])
    checkpoints = dict(zip(sys.argv[3::2], map(Path, sys.argv[4::2]), strict=True))
    birds = Birds()
    asked = [birds.prompt(sample) for sample in birds.samples(data)]
    prompts = [dataclasses.replace(one, wavs=(prepare_audio(one.audio, RATE, None).wav,)) for one in asked]
    import transformers  # noqa: F401 -- for all forks

    for name, checkpoint in checkpoints.items():
        forked(partial(by_transformers, TINY[name], checkpoint, prompts), out / f"{name}.transformers")
    os.environ.update(QUIET, VLLM_LOGGING_LEVEL="ERROR")
    served = [name for name in checkpoints if TINY[name].vllm is not None]
    if served:
        import vllm  # noqa: F401 -- for all forks
    for name in served:
        forked(partial(by_vllm, TINY[name], checkpoints[name], prompts), out / f"{name}.vllm")


def forked(ask: Callable[[], Sequence[Written]], place: Path) -> None:
    """Ask in a fork, which has everything imported and keeps to itself what it changes."""
    process = get_context("fork").Process(target=_keep, args=(ask, place))
    process.start()
    process.join()


def _keep(ask: Callable[[], Sequence[Written]], place: Path) -> None:
    with place.with_name(f"{place.name}.log").open("w") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
        answers = json.dumps(ask(), default=dataclasses.asdict)
    place.with_name(f"{place.name}.json").write_text(answers)


def by_transformers(tiny: Tiny, checkpoint: Path, prompts: Sequence[Prompt]) -> Sequence[Written]:
    """One question after the other, by this class."""
    import torch
    import transformers

    base = checkpoint / BASE if tiny.lora else checkpoint
    processor = transformers.AutoProcessor.from_pretrained(base, trust_remote_code=tiny.remote)
    kind = getattr(transformers, tiny.transformers)
    model, told = kind.from_pretrained(
        base, dtype=torch.float32, trust_remote_code=tiny.remote, output_loading_info=True
    )
    assert not told["missing_keys"], told["missing_keys"]
    if tiny.lora:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, checkpoint / REFERENCE)
    return [_written(model.eval(), _inputs(processor, prompt, tiny.mark), processor) for prompt in prompts]


def _inputs(processor: Any, prompt: Prompt, mark: str | None) -> Mapping[str, Any]:
    assert prompt.wav is not None
    words = {"type": "text", "text": prompt.text}
    if "Mistral" in type(processor.tokenizer).__name__:
        clip = {"type": "audio", "base64": base64.b64encode(prompt.wav).decode()}
        return dict(processor.apply_chat_template([{"role": "user", "content": [clip, words]}]))
    content = [{"type": "audio"}, words] if mark is None else f"{mark}\n{prompt.text}"
    message = {"role": "user", "content": content}
    template = processor.chat_template or processor.tokenizer.chat_template
    text = processor.apply_chat_template([message], template, add_generation_prompt=True, tokenize=False)
    samples, _ = soundfile.read(io.BytesIO(prompt.wav), dtype="float32")
    return dict(processor(text=[text], audio=[samples], return_tensors="pt"))


def _written(model: Any, inputs: Any, processor: Any) -> Written:
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
    tokens = made.sequences[0, -len(made.logits) :].tolist()
    likely = torch.cat(made.logits).float().log_softmax(-1)
    logprobs = [float(row[token]) for row, token in zip(likely, tokens, strict=True)]
    text = processor.tokenizer.decode(tokens, skip_special_tokens=True)
    return Written(inputs["input_ids"][0].tolist(), tokens, logprobs, text.rstrip("\ufffd"))


def by_vllm(tiny: Tiny, checkpoint: Path, prompts: Sequence[Prompt]) -> Sequence[Written]:
    """One question after the other, as vLLM's server would be asked."""
    from vllm import LLM, SamplingParams, _custom_ops
    from vllm.lora.request import LoRARequest

    _custom_ops._supports_onednn = _custom_ops._supports_onednn and tiny.onednn
    told = resolve_checkpoint(str(tiny.asked(checkpoint)))
    assert told is not None
    folders = asyncio.run(engine_folders(told, print))
    lora = None
    if modules := folders.flags.get("lora_modules"):
        named = json.loads(str(modules))
        lora = LoRARequest(named["name"], 1, named["path"])
    rank = {"enable_lora": True, "max_lora_rank": int(folders.flags["max_lora_rank"])} if lora else {}
    options = {"limit_mm_per_prompt": {"audio": 1}, **rank, **tiny.served()}
    engine = LLM(
        model=folders.source,
        dtype="float32",
        max_model_len=2048,
        max_num_seqs=4,
        enforce_eager=True,
        kv_cache_memory_bytes=32 << 20,  # the default takes nearly all of a machine's memory
        **options,
    )
    greedy = SamplingParams(temperature=0, max_tokens=TOKENS, logprobs=0)
    made = [engine.chat(_messages(prompt), greedy, use_tqdm=False, lora_request=lora)[0] for prompt in prompts]
    return [
        Written(one.prompt_token_ids, list(said.token_ids), _chosen(said), said.text)
        for one in made
        for said in one.outputs
    ]


def _messages(prompt: Prompt) -> Any:
    body = json.loads(b"".join(chat_body(fixed_fields("model", {}), prompt, None)))
    return body["messages"]


def _chosen(said: Any) -> Sequence[float]:
    """The log-probability of every token that was written."""
    return [float(step[token].logprob) for step, token in zip(said.logprobs, said.token_ids, strict=True)]


if __name__ == "__main__":
    main()
