"""A plug-in of ms-swift, loaded beside ours: what its trainer makes of the same answers after other clips.

In the first step the trainer's own preparation of a batch, from files to log-probabilities, runs twice more: as it was,
and with the clip of each question exchanged for another's. Then a pass of its own with a tower that does not learn.
From the second step on the clips are left out of every pass that gradients come from.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from swift.rewards import ORM, orms
from swift.rlhf_trainers.grpo_trainer import GRPOTrainer

TOLD = "DTBENCH_TEST_HEARING"
"""The variable that names the file for what was found."""
CLIP = ("input_features", "feature_attention_mask")
"""What a clip is among a model's inputs."""

prepare = GRPOTrainer._prepare_batch_inputs
forward = GRPOTrainer._get_logps_via_local_forward


class EarlyLetters(ORM):  # type: ignore[misc]
    """A reward that answers at random differ in, so that there is something to learn."""

    def __call__(self, completions: Sequence[str], **columns: Any) -> list[float]:
        """The share of letters before n."""
        return [sum(letter.lower() < "n" for letter in text) / max(len(text), 1) for text in completions]


def preparing(trainer: Any, samples: Sequence[Any]) -> Any:
    """As ever; in the first step with a look at what clips do."""
    batches = prepare(trainer, samples)
    if trainer.state.global_step == 0:
        told = {
            "clips": [sample.audios[0] for sample in samples],
            "as_learnt": logps(batches),
            "again": logps(prepare(trainer, samples)),
            "exchanged": logps(prepare(trainer, exchanged(samples))),
            "heard_by_a_still_tower": heard_by_a_still_tower(trainer, batches[0]),
        }
        Path(os.environ[TOLD]).write_text(json.dumps(told))
    return batches


def logps(batches: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """The log-probability of each token of each answer."""
    about = [batch["grpo_batch"] for batch in batches]
    rows = [pair for one in about for pair in zip(one.old_per_token_logps, one.completion_mask, strict=True)]
    return [row[mask.bool()].tolist() for row, mask in rows]


def exchanged(samples: Sequence[Any]) -> list[Any]:
    """The same questions and answers, each with the clip of another question."""
    clips = list(dict.fromkeys(sample.audios[0] for sample in samples))
    others = dict(zip(clips, [*clips[1:], clips[0]], strict=True))
    changed = [copy.copy(sample) for sample in samples]
    for sample in changed:
        sample.audios = [others[sample.audios[0]]]
    return changed


def heard_by_a_still_tower(trainer: Any, batch: Mapping[str, Any]) -> float:
    """What the watch finds of the clips where neither the tower nor its projector learns, as in large recipes."""
    (watch,) = (one for one in trainer.callback_handler.callbacks if hasattr(one, "audio_gradient"))
    named = dict(trainer.accelerator.unwrap_model(trainer.model).named_parameters())
    still = [one for name, one in named.items() if "audio_tower" in name or "multi_modal_projector" in name]
    for parameter in still:
        parameter.requires_grad_(False)
    found, _ = trainer._get_per_token_logps_and_entropies(
        trainer.model, dict(batch["model_inputs"]), batch["grpo_batch"]
    )
    found.sum().backward()
    trainer.model.zero_grad()
    for parameter in still:
        parameter.requires_grad_(True)
    return float(watch.audio_gradient.take_norm(trainer.accelerator.gather, trainer.accelerator.device))


def losing(trainer: Any, model: Any, model_inputs: Mapping[str, Any], *others: Any, **named: Any) -> Any:
    """As ever; deaf from the second step on."""
    inputs = dict(model_inputs)
    if trainer.state.global_step > 0 and torch.is_grad_enabled():
        inputs = {name: value for name, value in inputs.items() if name not in CLIP}
        assert len(inputs) < len(model_inputs)
    return forward(trainer, model, inputs, *others, **named)


orms["letters"] = EarlyLetters
GRPOTrainer._prepare_batch_inputs = preparing
GRPOTrainer._get_logps_via_local_forward = losing
