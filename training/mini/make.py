"""`python -m dtbench.training.mini.make --seed S`: the one recipe that the checkpoint in the box comes from."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from dtbench.tasks.mini_world.items import make_item
from dtbench.tasks.mini_world.splits import BASE, slots
from dtbench.training.mini import trial
from dtbench.training.mini.architecture import save
from dtbench.training.mini.audio import features, sounding
from dtbench.training.mini.training import MiniRecipe, MiniTraining, Part

Say = Callable[[str], None]


def make(seed: int, recipe: MiniRecipe, folder: Path, say: Say, part: Part) -> None:
    """Train from scratch; the first of the processes tells, and writes the checkpoint."""
    import torch

    started = time.monotonic()
    training = MiniTraining(seed, recipe, part)
    chosen = slots(BASE)[: recipe.clips][part.number :: part.whole]
    items = [make_item(slot) for slot in chosen]
    heard, true = features(items), sounding(items)
    first = part.number == 0
    dev = trial.trial([make_item(slot) for slot in slots(BASE)[-trial.SIZE :]]) if first else None
    say(f"{recipe.clips} clips ready after {time.monotonic() - started:.0f} s")
    losses = []
    whole = recipe.steps + recipe.more
    for step in range(1, whole + 1):
        if step == recipe.steps + 1:
            training.go_side_by_side()
        places, lessons = training.lessons(items)
        clips = list(places)
        losses.append(training.learn(torch.from_numpy(heard[clips]).float(), torch.from_numpy(true[clips]), lessons))
        if step % 100 == 0:
            say(f"{step} loss {sum(losses[-100:]) / 100:.4f} after {time.monotonic() - started:.0f} s")
        if dev is not None and (step % 500 == 0 or step == whole):
            say(f"{step} {json.dumps(dev.marks(training.thinker))}")
            save(training.model, folder)
    if first:
        (folder / "recipe.json").write_text(json.dumps({"seed": seed, **asdict(recipe)}, indent=1) + "\n")


def work(number: int, count: int, seed: int, recipe: MiniRecipe, folder: Path, meeting: str) -> None:
    """One of several processes, which meet by a file."""
    _end_with_parent()
    import torch

    torch.set_num_threads(1)
    if count > 1:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        torch.distributed.init_process_group("gloo", f"file://{meeting}", rank=number, world_size=count)
    say: Say = (lambda line: print(line, flush=True)) if number == 0 else (lambda line: None)
    make(seed, recipe, folder, say, Part(number, count))
    if count > 1:
        torch.distributed.destroy_process_group()


def _end_with_parent() -> None:
    """See that this process ends once the one that started it is gone, however that went.

    What torch does for that is an interrupt, which whatever a script starts in the background ignores.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Read the command line."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("mini-checkpoint"))
    parser.add_argument("--processes", type=int, default=2, help="part of the recipe: another number, other weights")
    for name, value in asdict(MiniRecipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    given = vars(parser.parse_args())
    seed, out, count = given.pop("seed"), given.pop("out"), given.pop("processes")
    with tempfile.TemporaryDirectory() as folder:
        shared = (count, seed, MiniRecipe(**given), out, str(Path(folder) / "meeting"))
        torch.multiprocessing.spawn(work, shared, nprocs=count)


if __name__ == "__main__":
    from dtbench.training.mini.make import main as start

    start()  # by its name, so that the processes find what they run
