"""A callback of ms-swift: gradients by module, what the clip does to the loss, and how far answers are from the policy.

A trainer that leaves the clip out of its forward pass trains a policy that is deaf, and its rewards rise all the same.
So the gradient of the loss with respect to what the audio tower gives is taken in every step, whether the tower learns
or not: where other gradients are and this one is not, the loss does not depend on the clip.
"""

from __future__ import annotations

import atexit
import sys
from collections.abc import Mapping
from typing import Any

from dtbench.training.engines.inside.swift_bridge import stop_engine

TOWER = "audio_tower"
HEARD = "grad_norm/audio_features"
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "audio_projector": ("multi_modal_projector", "audio_tower.proj"),
    "audio_tower": ("audio_tower",),
    "vision": ("visual", "vision_tower"),
}
"""Group -> what the names of its parameters hold; the first that fits counts, all others are the language model's."""


def group_of(parameter: str) -> str:
    """The part of the model that a parameter belongs to."""
    return next((group for group, signs in _GROUPS.items() if any(s in parameter for s in signs)), "language_model")


class Hearing:
    """The gradient that reaches the output of the audio tower, summed over a step."""

    def __init__(self, model: Any) -> None:
        self._squares = 0.0
        towers = [module for name, module in model.named_modules() if name.split(".")[-1] == TOWER]
        for tower in towers:
            tower.register_forward_hook(self._follow)
        self.has_tower = bool(towers)

    def taken(self, gather: Any, device: Any) -> float:
        """The norm since it was last taken, of all processes: one whose answers were all alike has nothing to learn."""
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
    """Put the callback into ms-swift's table."""
    from swift.callbacks import TrainerCallback, callbacks_map

    callbacks_map["dtbench"] = _watch(TrainerCallback)


def _watch(base: Any) -> Any:
    class Watch(base):  # type: ignore[misc]
        """Follows one trainer."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            atexit.register(leave_group)
            model = self.trainer.accelerator.unwrap_model(self.trainer.model)
            self.hearing, self.model = Hearing(model), model
            self.tower_learns = any(p.requires_grad for n, p in model.named_parameters() if group_of(n) == TOWER)
            if not self.hearing.has_tower:
                stop_engine(f"the model has no module named {TOWER}: whether the policy hears cannot be watched.")
            if not args.use_vllm:
                self._compare(True)  # costs time, so only in the first step

        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            accelerator = self.trainer.accelerator
            norms, heard = gradient_norms(self.model), self.hearing.taken(accelerator.gather, accelerator.device)
            if is_deaf(norms, heard, tower_learns=self.tower_learns):
                stop_engine("the policy is deaf: the loss does not depend on what the audio tower gives.")
            metrics = self.trainer._metrics["train"]  # where the trainer gathers its own figures for the log
            metrics[HEARD].append(heard)
            for group, norm in norms.items():
                metrics[f"grad_norm/{group}"].append(norm)

        def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            if not args.use_vllm:
                self._compare(False)

        def _compare(self, wanted: bool) -> None:
            """Let answers carry their log-probabilities, which the trainer then holds against its own."""
            self.trainer.request_config.logprobs = wanted
            self.trainer.disable_rollout_importance_sampling = False  # it is off where there is no vLLM

    return Watch


def leave_group() -> None:
    """Leave the other processes in good order: a thread of gloo's that outlives Python aborts one process in many."""
    from torch import distributed

    failed = getattr(sys, "last_value", None) is not None  # the others may wait for us elsewhere, and never come here
    if distributed.is_initialized() and not failed:
        distributed.destroy_process_group()


def is_deaf(norms: Mapping[str, float], heard: float, *, tower_learns: bool) -> bool:
    """Whether something was learnt in a step and nothing of it from the clips."""
    learnt = norms.get("clipped", 0.0) > 0
    return learnt and (heard == 0 or (tower_learns and not norms.get(TOWER)))


def gradient_norms(model: Any) -> dict[str, float]:
    """The norm of the gradient of each part and of all (`clipped`); none where a sharding optimiser holds them."""
    squares: dict[str, float] = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            group = group_of(name)
            squares[group] = squares.get(group, 0.0) + float(parameter.grad.detach().double().pow(2).sum())
    if not squares:
        return {}
    return {**{group: square**0.5 for group, square in squares.items()}, "clipped": sum(squares.values()) ** 0.5}
