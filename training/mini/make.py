"""`python -m dtbench.training.mini.make --seed S` trains a checkpoint by the recipe of the one in the box."""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.model import Notify
from dtbench.tasks.mini_world.items import Item, make_item
from dtbench.tasks.mini_world.splits import BASE, slots
from dtbench.training.mini import trial
from dtbench.training.mini.architecture import build_model, save_model
from dtbench.training.mini.audio import clip_features, word_head, word_labels, word_loss
from dtbench.training.mini.examples import Teacher, TrainingExample
from dtbench.training.mini.forward import ExampleBatch, audio_states, make_batch, text_states


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniRecipe:
    """Everything that decides the outcome, beside the seed."""

    steps: int = 2000
    """Steps in which tasks are taught by themselves."""
    more: int = 900
    """Steps in which tasks are mixed."""
    rows: int = 24
    clips: int = 12_000
    rate: float = 1.5e-3
    more_rate: float = 8e-4
    last_rate: float = 0.05
    """The learning rate at the end of either part, as a share of its first."""
    warm_up: int = 100
    balance: float = 0.01
    """The weight of the loss for an uneven use of experts."""
    ears: float = 4.0
    """The weight of the loss for the words that are read from the tokens of the audio tower."""
    decay: float = 0.02
    questions: float = 1.0
    """The mean number of questions about a clip."""
    more_questions: float = 0.5
    """The same where tasks are mixed."""
    texts: float = 1.0
    """The mean number of examples of text with a clip."""
    more_texts: float = 2.5
    """The same where tasks are mixed."""
    questioned: float = 1.0
    """The share of clips that questions are asked about."""


Row = tuple[int, Sequence[TrainingExample]]
"""The index of a clip, and examples about it."""
_POOL = 16
"""How many batches are drawn at once, to be sorted by length."""


class Worker(NamedTuple):
    """One of several processes."""

    number: int = 0
    total: int = 1


SINGLE_PROCESS = Worker()


class MiniTraining:
    """Trains a model, or one process's part of it.

    Several processes may share the work: each has its part of the clips and of every batch, and gradients are averaged
    before each step. On a busy machine that is many times faster than several threads in one process, which wait for
    each other at every operation.
    """

    def __init__(self, seed: int, recipe: MiniRecipe, worker: Worker = SINGLE_PROCESS) -> None:
        import numpy as np

        self.recipe = recipe
        self.model = build_model(seed)
        self.thinker = self.model.thinker
        self._worker = worker
        self._teacher = Teacher(seed * worker.total + worker.number)
        self._dice = np.random.default_rng((seed, worker.number))
        self._balance: list[Any] = []
        self._ready: list[Sequence[Row]] = []
        self._step = 0
        self._head = word_head(self.model.config.thinker_config.audio_config.output_dim)
        learnt = [p for name, p in self.thinker.named_parameters() if not name.startswith("visual")]
        self._learnt = [*learnt, *self._head.parameters()]
        self._optimizer = self._new_optimizer()
        for layer in self.thinker.model.layers:
            layer.mlp.gate.register_forward_hook(lambda _, __, routing: self._balance.append(routing))
        register_attention(self.thinker)

    def _new_optimizer(self) -> Any:
        import torch

        return torch.optim.AdamW(self._learnt, betas=(0.9, 0.98), weight_decay=self.recipe.decay)

    def mix_tasks(self) -> None:
        """Mix tasks from here on, and let the learning rate rise once more."""
        self._teacher.mixed = True
        self._optimizer = self._new_optimizer()
        self._ready = []
        self._step = 0

    def rate(self) -> float:
        """Return the learning rate of the next step."""
        recipe, mixed = self.recipe, self._teacher.mixed
        done = self._step / (recipe.more if mixed else recipe.steps)
        cosine = recipe.last_rate + (1 - recipe.last_rate) * (1 + math.cos(math.pi * done)) / 2
        return (recipe.more_rate if mixed else recipe.rate) * min(1.0, (self._step + 1) / recipe.warm_up) * cosine

    def examples(self, items: Sequence[Item]) -> tuple[Sequence[int], ExampleBatch]:
        """Draw some of the clips, and examples about them."""
        if not self._ready:
            self._ready = self._draw_batches(items)
        clips, rows = zip(*self._ready.pop(), strict=True)
        return clips, make_batch(rows)

    def _draw_batches(self, items: Sequence[Item]) -> list[Sequence[Row]]:
        """Draw batches of rows of about equal length, in random order."""
        count = self.recipe.rows // self._worker.total
        recipe = self.recipe
        questions, texts = recipe.questions, recipe.texts
        if self._teacher.mixed:
            questions, texts = recipe.more_questions, recipe.more_texts
        rows = []
        for clip in self._dice.integers(len(items), size=_POOL * count).tolist():
            asks = self._round(questions) if clip < recipe.questioned * len(items) else 0
            rows.append((clip, self._teacher.about(items[clip], asks, self._round(texts))))
        rows.sort(key=lambda row: sum(len(example.prompt) + len(example.answer) for example in row[1]))
        batches = [rows[start : start + count] for start in range(0, len(rows), count)]
        return [batches[index] for index in self._dice.permutation(len(batches))]

    def _round(self, mean: float) -> int:
        return int(mean) + int(self._dice.random() < mean % 1)

    def learn(self, features: Any, labels: Any, examples: ExampleBatch) -> float:
        """Train a step on clips, their word labels and examples; return the loss of the examples before it."""
        import torch
        from torch.nn import functional as f

        for group in self._optimizer.param_groups:
            group["lr"] = self.rate()
        self._balance.clear()
        learnt = examples.targets >= 0
        clips = audio_states(self.thinker.audio_tower, features)
        logits = self.thinker.lm_head(text_states(self.thinker, clips, examples)[learnt])
        words = word_loss(self._head, clips, labels)
        loss = f.cross_entropy(logits, examples.targets[learnt])
        unevenness = sum(_unevenness(*router) for router in self._balance) / len(self._balance)
        self._optimizer.zero_grad(set_to_none=False)
        (loss + self.recipe.balance * unevenness + self.recipe.ears * words).backward()
        if self._worker.total > 1:
            average_gradients(self._learnt, self._worker.total)
        torch.nn.utils.clip_grad_norm_(self._learnt, 1.0)
        self._optimizer.step()
        self._step += 1
        return float(loss.detach())


def average_gradients(parameters: Sequence[Any], processes: int) -> None:
    """Give all processes the mean of their gradients."""
    import torch

    for parameter in parameters:
        if parameter.grad is None:  # of an expert that no token of this process chose
            parameter.grad = torch.zeros_like(parameter)
    gradients = torch.cat([parameter.grad.flatten() for parameter in parameters])
    torch.distributed.all_reduce(gradients)
    gradients /= processes
    sizes = [parameter.numel() for parameter in parameters]
    for parameter, part in zip(parameters, gradients.split(sizes), strict=True):
        parameter.grad.copy_(part.view_as(parameter))


def _unevenness(logits: Any, _: Any, experts_used: Any) -> Any:
    """1 where all experts are used alike, else more."""
    experts = logits.shape[-1]
    shares = experts_used.flatten().bincount(minlength=experts) / experts_used.numel()
    return experts * (shares * logits.float().softmax(-1).mean(0)).sum()


def register_attention(thinker: Any) -> None:
    """Use plain matrix products for attention: on CPUs faster with a mask than the fused kernel."""
    import torch
    from transformers import AttentionInterface

    def attend(module: Any, q: Any, k: Any, v: Any, mask: Any, scaling: float, **_: Any) -> tuple[Any, None]:
        scores = torch.matmul(q * scaling, k.transpose(2, 3)) + mask.to(q.dtype)
        return torch.matmul(scores.softmax(-1), v).transpose(1, 2).contiguous(), None

    AttentionInterface.register("mini_products", attend)
    thinker.model.config._experts_implementation = "eager"
    thinker.model.config._attn_implementation = "mini_products"


def train_checkpoint(seed: int, recipe: MiniRecipe, folder: Path, notify: Notify, worker: Worker) -> None:
    """Train from scratch; the first of the processes reports, and writes the checkpoint."""
    import torch

    started = time.monotonic()
    training = MiniTraining(seed, recipe, worker)
    own = slots(BASE)[: recipe.clips][worker.number :: worker.total]
    items = [make_item(slot) for slot in own]
    features, labels = clip_features(items), word_labels(items)
    first = worker.number == 0
    dev = trial.make_trial([make_item(slot) for slot in slots(BASE)[-trial.TRIAL_SIZE :]]) if first else None
    notify(f"{recipe.clips} clips ready after {time.monotonic() - started:.0f} s")
    losses = []
    last = recipe.steps + recipe.more
    for step in range(1, last + 1):
        if step == recipe.steps + 1:
            training.mix_tasks()
        chosen, examples = training.examples(items)
        clips = list(chosen)
        inputs = torch.from_numpy(features[clips]).float(), torch.from_numpy(labels[clips])
        losses.append(training.learn(*inputs, examples))
        if step % 100 == 0:
            notify(f"{step} loss {sum(losses[-100:]) / 100:.4f} after {time.monotonic() - started:.0f} s")
        if dev is not None and (step % 500 == 0 or step == last):
            notify(f"{step} {json.dumps(dev.marks(training.thinker))}")
            save_model(training.model, folder)
    if first:
        (folder / "recipe.json").write_text(json.dumps({"seed": seed, **asdict(recipe)}, indent=1) + "\n")


def run_process(number: int, count: int, seed: int, recipe: MiniRecipe, folder: Path, meeting: str) -> None:
    """Run one of several processes, which meet by a file."""
    _end_with_parent()
    import torch

    torch.set_num_threads(1)
    if count > 1:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        torch.distributed.init_process_group("gloo", f"file://{meeting}", rank=number, world_size=count)
    notify: Notify = (lambda line: print(line, flush=True)) if number == 0 else (lambda line: None)
    train_checkpoint(seed, recipe, folder, notify, Worker(number, count))
    if count > 1:
        torch.distributed.destroy_process_group()


def _end_with_parent() -> None:
    """End this process once the one that started it is gone.

    torch sends an interrupt for that, which processes that a script starts in the background ignore.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Train a checkpoint as the command line says."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("mini-checkpoint"))
    parser.add_argument("--processes", type=int, default=2, help="part of the recipe: another number, other weights")
    for name, value in asdict(MiniRecipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = vars(parser.parse_args())
    seed, out, count = options.pop("seed"), options.pop("out"), options.pop("processes")
    with tempfile.TemporaryDirectory() as folder:
        shared = (count, seed, MiniRecipe(**options), out, str(Path(folder) / "meeting"))
        torch.multiprocessing.spawn(run_process, shared, nprocs=count)


if __name__ == "__main__":
    from dtbench.training.mini.make import main as start

    start()  # by its name, so that the processes find what they run
