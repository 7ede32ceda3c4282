"""`python -m dtbench.training.mini.card FOLDER...` prints the table of the model card, a column for each checkpoint."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import run_many
from dtbench.tasks.mini_world.items import make_item
from dtbench.tasks.mini_world.questions import CATEGORIES
from dtbench.tasks.mini_world.splits import DIFFICULTIES, slots
from dtbench.training.mini import trial

TASK = "mini"
SPLIT, TWO_STEPS = "test", "hop-test"
MOST = 600
"""Questions of a split, where it has more."""


def checkpoint_figures(folder: Path) -> Mapping[str, str]:
    """Measure a checkpoint by real runs, and by its descriptions and reasoning word by word; heading -> figure."""
    plain, shuffled = _runs(folder)
    marks, steps = _marks(folder, SPLIT), _marks(folder, TWO_STEPS)
    recipe = json.loads((folder / "recipe.json").read_text()) if (folder / "recipe.json").is_file() else {}
    return {
        "seed": str(recipe.get("seed", "?")),
        "direct": _percent(plain["strict"]["accuracy"]),
        **{f"direct, {word}": _percent(_part(plain, "difficulty", word)) for word in DIFFICULTIES},
        **{f"direct, {word}": _percent(_part(plain, "category", word)) for word in CATEGORIES},
        "shuffled": _percent(shuffled["strict"]["accuracy"]),
        "listening": f"{100 * shuffled['audio_ablation']['gap']['gap']:+.1f}",
        **{f"{task}, {word}": _percent(marks[f"{task} {word}"]) for task in _TASKS for word in DIFFICULTIES},
        **{f"two steps, {task}, {kind}": _percent(steps[f"{task} {kind}"]) for task in _OF_PAIRS for kind in _PAIRS},
    }


_TASKS = ("describe", "notes")
_OF_PAIRS = ("direct", "notes")
_PAIRS = ("reasoned pair", "other pair", "held-out pair")


def _runs(folder: Path) -> Sequence[Mapping[str, Any]]:
    options = {"family": "mini"}
    with tempfile.TemporaryDirectory() as out:
        requests = [
            RunRequest(
                model=str(folder), backend="local", tasks=[TASK], out=Path(out) / "run", audio=audio, options=options
            )
            for audio in ("clip", "shuffle")
        ]
        return [result.summaries[0] for result in run_many(requests, quiet=True)]


def _marks(folder: Path, split: str) -> Mapping[str, float]:
    """Return which share of descriptions of clips, of answers, and of steps from notes, is right to the word."""
    import torch
    from transformers import Qwen3OmniMoeThinkerForConditionalGeneration

    from dtbench.training.mini.make import register_attention

    torch.set_num_threads(1)
    thinker = Qwen3OmniMoeThinkerForConditionalGeneration.from_pretrained(folder).eval()
    register_attention(thinker)
    return trial.make_trial([make_item(slot) for slot in slots(split)[:MOST]]).marks(thinker)


def _part(summary: Mapping[str, Any], heading: str, value: str) -> float:
    return float(summary["strict"]["groups"][heading][value]["accuracy"])


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def card_table(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table with a column for each checkpoint."""
    yield "| in % | " + " | ".join(f"seed {row['seed']}" for row in rows) + " |"
    yield "|---|" + "--:|" * len(rows)
    for heading in list(rows[0])[1:]:
        yield f"| {heading} | " + " | ".join(row[heading] for row in rows) + " |"


def main() -> None:
    """Print the table of the folders on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    print("\n".join(card_table([checkpoint_figures(folder) for folder in parser.parse_args().folders])))


if __name__ == "__main__":
    main()
