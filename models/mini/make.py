"""`python -m dtbench.models.mini.make --seed S`: the one recipe that the checkpoint in the box comes from."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dtbench.models.mini import trial
from dtbench.models.mini.architecture import build, save
from dtbench.models.mini.batches import Batch, batch
from dtbench.models.mini.features import features
from dtbench.models.mini.forward import understand
from dtbench.models.mini.lessons import Lesson, Teacher
from dtbench.tasks.mini_world.items import Item, made
from dtbench.tasks.mini_world.splits import BASE, slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What decides the outcome, beside the seed."""

    steps: int = 4000
    rows: int = 24
    clips: int = 16_000
    rate: float = 1.5e-3
    last_rate: float = 0.05
    """As a part of the first."""
    warm_up: int = 100
    balance: float = 0.01
    """How much an uneven use of the experts costs."""
    decay: float = 0.02
    questions: float = 1.0
    """About each clip, on average."""
    texts: float = 1.0
    """Lessons without a clip beside each, on average."""
    questioned: int = 16_000
    """How many of the clips questions are asked about."""


Say = Callable[[str], None]
Row = tuple[int, Sequence[Lesson]]
"""The place of a clip, and lessons about it."""
_TOGETHER = 16
"""How many batches are drawn at once, to be sorted by length."""


class Training:
    """A model on its way."""

    def __init__(self, seed: int, recipe: Recipe) -> None:
        import numpy as np
        import torch

        self.recipe = recipe
        self.model = build(seed)
        self.thinker = self.model.thinker
        self._teacher = Teacher(seed)
        self._dice = np.random.default_rng(seed)
        self._balance: list[Any] = []
        self._ready: list[Sequence[Row]] = []
        self._step = 0
        taught = [p for name, p in self.thinker.named_parameters() if not name.startswith("visual")]
        self._taught = taught
        self._optimizer = torch.optim.AdamW(taught, lr=recipe.rate, betas=(0.9, 0.98), weight_decay=recipe.decay)
        for layer in self.thinker.model.layers:
            layer.mlp.gate.register_forward_hook(lambda _, __, told: self._balance.append(told))
        quick_attention(self.thinker)

    def rate(self) -> float:
        """The learning rate of the coming step."""
        recipe = self.recipe
        done = self._step / recipe.steps
        cosine = recipe.last_rate + (1 - recipe.last_rate) * (1 + math.cos(math.pi * done)) / 2
        return recipe.rate * min(1.0, (self._step + 1) / recipe.warm_up) * cosine

    def lessons(self, items: Sequence[Item]) -> tuple[Sequence[int], Batch]:
        """Some of the clips, and lessons about them."""
        if not self._ready:
            self._ready = self._some_batches(items)
        chosen, rows = zip(*self._ready.pop(), strict=True)
        return chosen, batch(rows)

    def _some_batches(self, items: Sequence[Item]) -> list[Sequence[Row]]:
        """Batches of rows that are about equally long, in any order."""
        count = self.recipe.rows
        rows = []
        for number in self._dice.integers(len(items), size=_TOGETHER * count).tolist():
            questions = self._about(self.recipe.questions) if number < self.recipe.questioned else 0
            rows.append((number, self._teacher.about(items[number], questions, self._about(self.recipe.texts))))
        rows.sort(key=lambda row: sum(len(lesson.given) + len(lesson.said) for lesson in row[1]))
        batches = [rows[start : start + count] for start in range(0, len(rows), count)]
        return [batches[place] for place in self._dice.permutation(len(batches))]

    def _about(self, mean: float) -> int:
        return int(mean) + int(self._dice.random() < mean % 1)

    def learn(self, heard: Any, lessons: Batch) -> float:
        """One step; the loss before it."""
        import torch
        from torch.nn import functional as f

        for group in self._optimizer.param_groups:
            group["lr"] = self.rate()
        self._balance.clear()
        asked = lessons.wanted >= 0
        with torch.autocast("cpu", torch.bfloat16):
            told = self.thinker.lm_head(understand(self.thinker, heard, lessons)[asked])
        loss = f.cross_entropy(told.float(), lessons.wanted[asked])
        used = sum(_unevenness(*router) for router in self._balance) / len(self._balance)
        self._optimizer.zero_grad()
        (loss + self.recipe.balance * used).backward()
        torch.nn.utils.clip_grad_norm_(self._taught, 1.0)
        self._optimizer.step()
        self._step += 1
        return float(loss.detach())


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


def make(seed: int, recipe: Recipe, folder: Path, say: Say) -> None:
    """Train from scratch and write the checkpoint."""
    import torch

    started = time.monotonic()
    training = Training(seed, recipe)
    items = [made(slot) for slot in slots(BASE)[: recipe.clips]]
    heard = features(items)
    dev = trial.trial([made(slot) for slot in slots(BASE)[-trial.SIZE :]])
    say(f"{len(items)} clips ready after {time.monotonic() - started:.0f} s")
    losses = []
    for step in range(1, recipe.steps + 1):
        chosen, lessons = training.lessons(items)
        losses.append(training.learn(torch.from_numpy(heard[list(chosen)]).float(), lessons))
        if step % 100 == 0:
            say(f"{step} loss {sum(losses[-100:]) / 100:.4f} after {time.monotonic() - started:.0f} s")
        if step % 500 == 0 or step == recipe.steps:
            say(f"{step} {json.dumps(dev.marks(training.thinker))}")
            save(training.model, folder)
    (folder / "recipe.json").write_text(json.dumps({"seed": seed, **asdict(recipe)}, indent=1) + "\n")


def main() -> None:
    """Read the command line."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("mini-checkpoint"))
    parser.add_argument("--threads", type=int, default=2)
    for name, value in asdict(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    given = vars(parser.parse_args())
    torch.set_num_threads(given.pop("threads"))
    seed, out = given.pop("seed"), given.pop("out")
    make(seed, Recipe(**given), out, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
