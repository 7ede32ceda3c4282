"""`python -m dtbench.training.mini.make --seed S` trains a checkpoint by the recipe of the one in the box."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path

from dtbench.harness.core.model import Notify
from dtbench.tasks.mini_world.items import make_item
from dtbench.tasks.mini_world.splits import BASE, slots
from dtbench.training.mini import trial
from dtbench.training.mini.architecture import save_model
from dtbench.training.mini.audio import clip_features, word_labels
from dtbench.training.mini.trainer import MiniRecipe, MiniTraining, Worker


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
        chosen, lessons = training.lessons(items)
        clips = list(chosen)
        inputs = torch.from_numpy(features[clips]).float(), torch.from_numpy(labels[clips])
        losses.append(training.learn(*inputs, lessons))
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
