"""An answer with the token of a picture, through ms-swift's own template: by itself it ends the training."""

from __future__ import annotations

import json
import os
import subprocess
import wave
from pathlib import Path
from typing import Any

import pytest
from trainer import MINI, engine_place

import dtbench

pytestmark = pytest.mark.engine
TOKENS = {"dog": "dog", "picture": "<|image_pad|>", "clip": "<|audio_pad|>", "end": "<|im_end|>"}
SCRIPT = """
import json
import sys
from types import SimpleNamespace

import torch
from swift.model import get_model_processor
from swift.rl_core.data import OnPolicySample
from swift.rlhf_trainers.utils import collate_to_grpo_micro_batch, encode_sample
from swift.template import get_template

model, clip, tokens, guarded = sys.argv[1:]
if guarded == "guarded":
    from dtbench.training.engines.inside.swift_placeholders import register_placeholders

    register_placeholders()
processor = get_model_processor(model, model_type="qwen3_omni_moe", load_model=False)[1]
template = get_template(processor)
template.set_mode("train")
ids = {name: processor.tokenizer.convert_tokens_to_ids(token) for name, token in json.loads(tokens).items()}
told = {"ids": ids, "padding": processor.tokenizer.pad_token_id}
for answer in (["dog", "end"], ["dog", "picture", "dog", "end"], ["clip", "dog", "end"]):
    answer = [ids[name] for name in answer]
    asked = {"messages": [{"role": "user", "content": "<audio>what is heard?"}], "audios": [clip]}
    sample = OnPolicySample.from_row(asked)
    choice = SimpleNamespace(
        message=SimpleNamespace(content="dog"),
        token_ids=answer,
        logprobs={"content": [{"logprob": -float(place)} for place in range(len(answer))]},
        finish_reason="stop",
    )
    taken = SimpleNamespace(
        response=SimpleNamespace(choices=[choice]), messages=None, response_token_ids=[], response_loss_mask=[],
        rollout_logprobs=[], rollout_infos={},
    )
    sample.apply_rollout_output(rollout_output=taken)
    try:
        sample.encoded = encode_sample(sample, template)
        batch = collate_to_grpo_micro_batch([sample], template, device=torch.device("cpu"), use_logits_to_keep=True)[1]
    except TypeError as error:
        told.setdefault("answers", []).append(type(error).__name__)
        continue
    told.setdefault("answers", []).append({
        "ids": sample.encoded["input_ids"][-len(answer):],
        "learnt": [label != -100 for label in sample.encoded["labels"][-len(answer):]],
        "logprobs": batch.rollout_per_token_logps[batch.completion_mask.bool()].tolist(),
    })
print(json.dumps(told))
"""


def encoded(folder: Path, guarded: str) -> Any:
    """What ms-swift makes of three answers, with or without the plug-in."""
    clip = folder / "clip.wav"
    with wave.open(str(clip), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(32000))
    command = [str(engine_place() / "bin" / "python"), "-c", SCRIPT, str(MINI), str(clip), json.dumps(TOKENS), guarded]
    root = str(Path(dtbench.__file__).parents[1])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_placeholder_in_an_answer_becomes_padding_that_nothing_is_learnt_from(tmp_path: Path) -> None:
    told = encoded(tmp_path, "guarded")
    dog, end, padding = told["ids"]["dog"], told["ids"]["end"], told["padding"]
    usual, with_picture, with_clip = told["answers"]
    assert usual == {"ids": [dog, end], "learnt": [True, True], "logprobs": [0.0, -1.0]}
    assert with_picture["ids"] == [dog, padding, dog, end]
    assert with_picture["learnt"] == [True, False, True, True]
    assert with_picture["logprobs"] == [0.0, -2.0, -3.0]
    assert with_clip == {"ids": [padding, dog, end], "learnt": [False, True, True], "logprobs": [-1.0, -2.0]}


def test_without_the_plug_in_ms_swift_looks_for_what_belongs_to_a_placeholder(tmp_path: Path) -> None:
    told = encoded(tmp_path, "bare")
    usual, with_picture, with_clip = told["answers"]
    assert usual["learnt"] == [True, True]
    assert with_picture == "TypeError"
    assert with_clip["ids"][0] == told["ids"]["clip"]  # a place for features that no clip gives
