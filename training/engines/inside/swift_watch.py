"""A callback of ms-swift: it logs gradients by module, and stops a policy that does not depend on the audio.

A trainer that leaves the clip out of its forward pass trains a deaf policy, and its rewards rise all the same. So every
step measures the gradient of the loss with respect to the output of the audio tower, whether the tower learns or not:
where other gradients are and this one is not, the loss does not depend on the clip.
"""

from __future__ import annotations

import atexit
import sys
from collections.abc import Mapping
from typing import Any

from dtbench.training.engines.inside.swift_adapter import stop_at_wrong_adapter
from dtbench.training.engines.inside.swift_bridge import AUDIO_GRADIENT, learns_deaf, stop_engine
from dtbench.training.engines.inside.swift_clips import TOWER, encode_clips_once

GROUPS: Mapping[str, tuple[str, ...]] = {
    "audio_projector": ("multi_modal_projector", "audio_tower.proj"),
    "audio_tower": ("audio_tower",),
    "vision": ("visual", "vision_tower"),
}
"""Group -> what names of its parameters contain; the first match counts, the rest is the language model."""


def parameter_group(parameter: str) -> str:
    """Return the part of the model that a parameter belongs to."""
    return next(
        (group for group, parts in GROUPS.items() if any(part in parameter for part in parts)), "language_model"
    )


class AudioGradient:
    """Accumulates the gradient that reaches the output of the audio tower."""

    def __init__(self, model: Any) -> None:
        self._squares = 0.0
        towers = [module for name, module in model.named_modules() if name.split(".")[-1] == TOWER]
        for tower in towers:
            tower.register_forward_hook(self._follow)
        self.has_tower = bool(towers)

    def take_norm(self, gather: Any, device: Any) -> float:
        """Return the norm over all processes since the last call: one whose answers were all alike learns nothing."""
        import torch

        squares = gather(torch.tensor([self._squares], device=device, dtype=torch.float32))
        self._squares = 0.0
        return float(squares.sum() ** 0.5)

    def _follow(self, module: Any, inputs: Any, output: Any) -> Any:
        import torch

        if not torch.is_grad_enabled():
            return output
        features = output if torch.is_tensor(output) else output[0]
        if not features.requires_grad:  # of a tower that does not learn
            features = features.detach().requires_grad_()
            if torch.is_tensor(output):
                output = features
            else:
                output.last_hidden_state = features
        features.register_hook(self._add)
        return output

    def _add(self, gradient: Any) -> None:
        self._squares += float(gradient.detach().double().pow(2).sum())


def register_watch() -> None:
    """Register the callback with ms-swift."""
    from swift.callbacks import TrainerCallback, callbacks_map

    callbacks_map["dtbench"] = _watch_class(TrainerCallback)


def _watch_class(base: Any) -> Any:
    class Watch(base):  # type: ignore[misc]
        """Watches one trainer."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            atexit.register(leave_group)
            model = self.trainer.accelerator.unwrap_model(self.trainer.model)
            self.audio_gradient, self.model = AudioGradient(model), model
            self.tower_learns = any(p.requires_grad for n, p in model.named_parameters() if parameter_group(n) == TOWER)
            if not self.audio_gradient.has_tower:
                stop_engine(f"the model has no module named {TOWER}: whether the policy hears cannot be watched.")
            stop_at_wrong_adapter(model)
            encode_clips_once(self.trainer, model)
            if not args.use_vllm:
                self._compare(True)  # costs time, so only in the first step

        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            accelerator = self.trainer.accelerator
            norms = gradient_norms(self.model)
            audio_norm = self.audio_gradient.take_norm(accelerator.gather, accelerator.device)
            if is_deaf(norms, audio_norm, tower_learns=self.tower_learns):
                stop_engine("the policy is deaf: the loss does not depend on what the audio tower gives.")
            metrics = self.trainer._metrics["train"]  # where the trainer gathers its own figures for the log
            metrics[AUDIO_GRADIENT].append(audio_norm)
            for group, norm in norms.items():
                metrics[f"grad_norm/{group}"].append(norm)

        def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            if not args.use_vllm:
                self._compare(False)

        def _compare(self, enabled: bool) -> None:
            """Request log-probabilities with answers, which the trainer then compares with its own."""
            self.trainer.request_config.logprobs = enabled
            self.trainer.disable_rollout_importance_sampling = False  # it is off where there is no vLLM

    return Watch


def leave_group() -> None:
    """Leave the process group in good order: a thread of gloo's that outlives Python aborts one process in many."""
    from torch import distributed

    failed = getattr(sys, "last_value", None) is not None  # the others may wait for us elsewhere, and never come here
    if distributed.is_initialized() and not failed:
        distributed.destroy_process_group()


def is_deaf(norms: Mapping[str, float], audio_norm: float, *, tower_learns: bool) -> bool:
    """Return whether a step learnt something, and nothing of it from the clips."""
    heard = min(audio_norm, norms.get(TOWER, 0.0)) if tower_learns else audio_norm
    return learns_deaf(heard, norms.get("clipped", 0.0))


def gradient_norms(model: Any) -> dict[str, float]:
    """Return the gradient norm of each part and of all (`clipped`); none where a sharding optimizer holds them."""
    squares: dict[str, float] = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            group = parameter_group(name)
            squares[group] = squares.get(group, 0.0) + float(parameter.grad.detach().double().pow(2).sum())
    if not squares:
        return {}
    return {**{group: square**0.5 for group, square in squares.items()}, "clipped": sum(squares.values()) ** 0.5}
