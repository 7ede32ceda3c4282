"""A model on its way: the recipe, and one step of it after the other.

Several processes may share the work: each holds its part of the clips and of every batch, and what they have learnt is
averaged before a step is made. On a busy machine that is many times faster than several threads in one process, which
wait for each other at every operation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dtbench.tasks.mini_world.items import Item
from dtbench.training.mini.architecture import build
from dtbench.training.mini.audio import head, missed
from dtbench.training.mini.batches import LessonBatch, batch
from dtbench.training.mini.forward import hear, understand_heard
from dtbench.training.mini.lessons import Lesson, Teacher


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniRecipe:
    """What decides the outcome, beside the seed."""

    steps: int = 1800
    """In which tasks are taught by themselves."""
    more: int = 600
    """Steps in which they are taught side by side."""
    rows: int = 24
    clips: int = 12_000
    rate: float = 1.5e-3
    more_rate: float = 8e-4
    last_rate: float = 0.05
    """As a part of the first, at the end of either."""
    warm_up: int = 100
    balance: float = 0.01
    """How much an uneven use of the experts costs."""
    ears: float = 4.0
    """How much the words count that are read from the tokens of the audio tower."""
    decay: float = 0.02
    questions: float = 1.0
    """About each clip, on average."""
    more_questions: float = 0.5
    """The same where tasks stand side by side."""
    texts: float = 1.0
    """Lessons of text beside each, on average."""
    more_texts: float = 2.5
    """The same where tasks stand side by side."""
    questioned: float = 1.0
    """The part of the clips that questions are asked about."""


Row = tuple[int, Sequence[Lesson]]
"""The place of a clip, and lessons about it."""
_TOGETHER = 16
"""How many batches are drawn at once, to be sorted by length."""


class Part(NamedTuple):
    """Which of several processes this is."""

    number: int = 0
    whole: int = 1


ALONE = Part()


class MiniTraining:
    """A model on its way, or one process's part in it."""

    def __init__(self, seed: int, recipe: MiniRecipe, part: Part = ALONE) -> None:
        import numpy as np

        self.recipe = recipe
        self.model = build(seed)
        self.thinker = self.model.thinker
        self._part = part
        self._teacher = Teacher(seed * part.whole + part.number)
        self._dice = np.random.default_rng((seed, part.number))
        self._balance: list[Any] = []
        self._ready: list[Sequence[Row]] = []
        self._step = 0
        self._head = head(self.model.config.thinker_config.audio_config.output_dim)
        taught = [p for name, p in self.thinker.named_parameters() if not name.startswith("visual")]
        taught += self._head.parameters()
        self._taught = taught
        self._optimizer = self._new_optimizer()
        for layer in self.thinker.model.layers:
            layer.mlp.gate.register_forward_hook(lambda _, __, told: self._balance.append(told))
        quick_attention(self.thinker)

    def _new_optimizer(self) -> Any:
        import torch

        return torch.optim.AdamW(self._taught, betas=(0.9, 0.98), weight_decay=self.recipe.decay)

    def go_side_by_side(self) -> None:
        """From here on tasks stand side by side, and the learning rate rises once more."""
        self._teacher.side_by_side = True
        self._optimizer = self._new_optimizer()
        self._ready = []
        self._step = 0

    def rate(self) -> float:
        """The learning rate of the coming step."""
        recipe, second = self.recipe, self._teacher.side_by_side
        done = self._step / (recipe.more if second else recipe.steps)
        cosine = recipe.last_rate + (1 - recipe.last_rate) * (1 + math.cos(math.pi * done)) / 2
        return (recipe.more_rate if second else recipe.rate) * min(1.0, (self._step + 1) / recipe.warm_up) * cosine

    def lessons(self, items: Sequence[Item]) -> tuple[Sequence[int], LessonBatch]:
        """Some of the clips, and lessons about them."""
        if not self._ready:
            self._ready = self._some_batches(items)
        chosen, rows = zip(*self._ready.pop(), strict=True)
        return chosen, batch(rows)

    def _some_batches(self, items: Sequence[Item]) -> list[Sequence[Row]]:
        """Batches of rows that are about equally long, in any order."""
        count = self.recipe.rows // self._part.whole
        recipe = self.recipe
        questions, texts = recipe.questions, recipe.texts
        if self._teacher.side_by_side:
            questions, texts = recipe.more_questions, recipe.more_texts
        rows = []
        for number in self._dice.integers(len(items), size=_TOGETHER * count).tolist():
            asked = self._about(questions) if number < recipe.questioned * len(items) else 0
            rows.append((number, self._teacher.about(items[number], asked, self._about(texts))))
        rows.sort(key=lambda row: sum(len(lesson.given) + len(lesson.said) for lesson in row[1]))
        batches = [rows[start : start + count] for start in range(0, len(rows), count)]
        return [batches[place] for place in self._dice.permutation(len(batches))]

    def _about(self, mean: float) -> int:
        return int(mean) + int(self._dice.random() < mean % 1)

    def learn(self, heard: Any, sounds: Any, lessons: LessonBatch) -> float:
        """One step on clips, what sounds in them, and lessons about them; the loss of the lessons before it."""
        import torch
        from torch.nn import functional as f

        for group in self._optimizer.param_groups:
            group["lr"] = self.rate()
        self._balance.clear()
        asked = lessons.wanted >= 0
        clips = hear(self.thinker.audio_tower, heard)
        told = self.thinker.lm_head(understand_heard(self.thinker, clips, lessons)[asked])
        unheard = missed(self._head, clips, sounds)
        loss = f.cross_entropy(told, lessons.wanted[asked])
        used = sum(_unevenness(*router) for router in self._balance) / len(self._balance)
        self._optimizer.zero_grad(set_to_none=False)
        (loss + self.recipe.balance * used + self.recipe.ears * unheard).backward()
        if self._part.whole > 1:
            average(self._taught, self._part.whole)
        torch.nn.utils.clip_grad_norm_(self._taught, 1.0)
        self._optimizer.step()
        self._step += 1
        return float(loss.detach())


def average(parameters: Sequence[Any], processes: int) -> None:
    """Give all processes the mean of their gradients; none of them is left out of a step."""
    import torch

    for parameter in parameters:
        if parameter.grad is None:  # of an expert that none of its own tokens chose
            parameter.grad = torch.zeros_like(parameter)
    together = torch.cat([parameter.grad.flatten() for parameter in parameters])
    torch.distributed.all_reduce(together)
    together /= processes
    sizes = [parameter.numel() for parameter in parameters]
    for parameter, part in zip(parameters, together.split(sizes), strict=True):
        parameter.grad.copy_(part.view_as(parameter))


def _unevenness(logits: Any, _: Any, chosen: Any) -> Any:
    """1 where all experts are used alike, more where they are not."""
    experts = logits.shape[-1]
    shares = chosen.flatten().bincount(minlength=experts) / chosen.numel()
    return experts * (shares * logits.float().softmax(-1).mean(0)).sum()


def quick_attention(thinker: Any) -> None:
    """Attention by plain products: on CPUs faster with a mask than the fused one."""
    import torch
    from transformers import AttentionInterface

    def attend(module: Any, q: Any, k: Any, v: Any, mask: Any, scaling: float, **_: Any) -> tuple[Any, None]:
        scores = torch.matmul(q * scaling, k.transpose(2, 3)) + mask.to(q.dtype)
        return torch.matmul(scores.softmax(-1), v).transpose(1, 2).contiguous(), None

    AttentionInterface.register("mini_products", attend)
    thinker.model.config._experts_implementation = "eager"
    thinker.model.config._attn_implementation = "mini_products"
