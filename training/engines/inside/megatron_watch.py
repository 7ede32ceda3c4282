"""The watch of swift_watch.py for `megatron rlhf`, whose callbacks ms-swift registers and calls differently.

Megatron's optimizer holds each gradient in shards over all processes, so squares are added up over all of them. Its
log has the mean time of all steps; each step's own is added here. It was never run on GPUs: tests give it the shapes
of Megatron's optimizers.
"""

from __future__ import annotations

import atexit
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from dtbench.training.engines.inside.swift_bridge import AUDIO_GRADIENT, stop_engine
from dtbench.training.engines.inside.swift_clips import TOWER
from dtbench.training.engines.inside.swift_watch import GROUPS, AudioGradient, is_deaf, leave_group, parameter_group

_SHARDS = (
    ("model_float16_groups", "shard_fp32_from_float16_groups"),
    ("model_fp32_groups", "shard_fp32_groups"),
    ("float16_groups", "fp32_from_float16_groups"),
    ("fp32_from_fp32_groups", "fp32_from_fp32_groups"),
)
"""Where Megatron's optimizers, distributed or not, have parameters of the model and what of them they update."""


def register_megatron_watch() -> None:
    """Register the callback with Megatron's table, in a process that runs Megatron."""
    if "megatron.core" not in sys.modules:
        return
    from swift.megatron.callbacks import MegatronCallback, megatron_callbacks_map

    megatron_callbacks_map["dtbench"] = megatron_watch(MegatronCallback)


def megatron_watch(base: Any) -> Any:
    """Return the class of the callback."""

    class MegatronWatch(base):  # type: ignore[misc]
        """Watches one trainer."""

        def on_train_begin(self) -> None:
            atexit.register(leave_group)
            models = self.trainer.unwrapped_models
            self.audio = [AudioGradient(model) for model in models]
            self.names = {id(p): name for model in models for name, p in model.named_parameters()}
            learning = [p.requires_grad for m in models for n, p in m.named_parameters() if parameter_group(n) == TOWER]
            towers, learns = _sums([any(one.has_tower for one in self.audio), any(learning)])
            self.tower_learns = learns > 0
            self.figures: dict[str, float] = {}
            if not towers:
                stop_engine(f"the model has no module named {TOWER}: whether the policy hears cannot be watched.")

        def on_step_begin(self) -> None:
            self.began = time.monotonic()

        def on_step_end(self) -> None:
            squares = group_squares(self.trainer.optimizer, self.names, _counts())
            summed = dict(zip(squares, _sums(squares.values()), strict=True))
            norms = {group: square**0.5 for group, square in summed.items() if square}
            if norms:
                norms["clipped"] = sum(summed.values()) ** 0.5
            # Each of the processes that share a layer hears the same clip.
            heard = sum(one.take_norm(_gathered, _device()) ** 2 for one in self.audio)
            audio_norm = (heard / self.args.tensor_model_parallel_size) ** 0.5
            if is_deaf(norms, audio_norm, tower_learns=self.tower_learns):
                stop_engine("the policy is deaf: the loss does not depend on what the audio tower gives.")
            self.figures = {f"grad_norm/{group}": norm for group, norm in norms.items()}
            self.figures |= {AUDIO_GRADIENT: audio_norm, "step_time": time.monotonic() - self.began}

        def on_log(self, logs: dict[str, Any]) -> None:
            if "grad_norm" in logs:  # a step's, and not those of an evaluation
                logs.update(self.figures)

    return MegatronWatch


def group_squares(optimizer: Any, names: Mapping[int, str], counts: Callable[[Any], bool]) -> Mapping[str, float]:
    """Return the sum of squares of this process's part of the gradient, for each part of the model."""
    squares = dict.fromkeys([*GROUPS, "language_model"], 0.0)
    for parameter, shard in _shards(optimizer):
        gradient = getattr(shard, "decoupled_grad", None)
        gradient = shard.grad if gradient is None else gradient
        if gradient is not None and counts(parameter):
            group = parameter_group(names.get(id(parameter), ""))
            squares[group] += float(gradient.detach().double().pow(2).sum())
    return squares


def _shards(optimizer: Any) -> Iterator[tuple[Any, Any]]:
    for one in getattr(optimizer, "chained_optimizers", [optimizer]):
        for of_model, of_shards in _SHARDS:
            groups = zip(getattr(one, of_model, ()), getattr(one, of_shards, ()), strict=True)
            for parameters, shards in groups:
                yield from ((p, s) for p, s in zip(parameters, shards, strict=True) if s is not None)


def _counts() -> Callable[[Any], bool]:
    """Return what tells parameters that this process counts from those that another one holds as well."""
    from megatron.core.tensor_parallel import param_is_not_tensor_parallel_duplicate

    def counts(parameter: Any) -> bool:
        return not getattr(parameter, "shared", False) and param_is_not_tensor_parallel_duplicate(parameter)

    return counts


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _sums(values: Iterable[float]) -> list[float]:
    """Return each value summed over all processes."""
    import torch

    ours = torch.tensor([float(value) for value in values], device=_device(), dtype=torch.float64)
    if torch.distributed.is_initialized():
        torch.distributed.all_reduce(ours)
    return [float(value) for value in ours]


def _gathered(ours: Any) -> Any:
    """Return the sum over all processes, as a tensor."""
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.all_reduce(ours)
    return ours
