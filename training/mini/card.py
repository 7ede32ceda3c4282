"""`python -m dtbench.training.mini.card FOLDER...`: the table of the model card, a column for each checkpoint."""

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
SPLIT = "test"


def figures(folder: Path) -> Mapping[str, str]:
    """Heading -> figure: answers of real runs with transformers, and what the checkpoint says word by word."""
    heard, shuffled = _runs(folder)
    marks = _marks(folder)
    recipe = json.loads((folder / "recipe.json").read_text()) if (folder / "recipe.json").is_file() else {}
    return {
        "seed": str(recipe.get("seed", "?")),
        "direct": _percent(heard["strict"]["accuracy"]),
        **{f"direct, {word}": _percent(_part(heard, "difficulty", word)) for word in DIFFICULTIES},
        **{f"direct, {word}": _percent(_part(heard, "category", word)) for word in CATEGORIES},
        "shuffled": _percent(shuffled["strict"]["accuracy"]),
        "listening": f"{100 * shuffled['audio_ablation']['gap']['gap']:+.1f}",
        **{f"{task}, {word}": _percent(marks[f"{task} {word}"]) for task in _TOLD for word in DIFFICULTIES},
    }


_TOLD = ("describe", "notes")


def _runs(folder: Path) -> Sequence[Mapping[str, Any]]:
    options = {"family": "mini"}
    with tempfile.TemporaryDirectory() as out:
        asked = [
            RunRequest(
                model=str(folder), backend="local", tasks=[TASK], out=Path(out) / "run", audio=audio, options=options
            )
            for audio in ("clip", "shuffle")
        ]
        return [outcome.summaries[0] for outcome in run_many(asked, quiet=True)]


def _marks(folder: Path) -> Mapping[str, float]:
    """Shares of descriptions of the test's clips, and of steps from their notes, that are right to the word."""
    import torch
    from transformers import Qwen3OmniMoeThinkerForConditionalGeneration

    from dtbench.training.mini.training import quick_attention

    torch.set_num_threads(1)
    thinker = Qwen3OmniMoeThinkerForConditionalGeneration.from_pretrained(folder).eval()
    quick_attention(thinker)
    return trial.trial([make_item(slot) for slot in slots(SPLIT)]).marks(thinker)


def _part(summary: Mapping[str, Any], heading: str, value: str) -> float:
    return float(summary["strict"]["groups"][heading][value]["accuracy"])


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def table(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """The rows as Markdown, a column for each checkpoint: there are fewer of them than of figures."""
    yield "| in % | " + " | ".join(f"seed {one['seed']}" for one in rows) + " |"
    yield "|---|" + "--:|" * len(rows)
    for heading in list(rows[0])[1:]:
        yield f"| {heading} | " + " | ".join(one[heading] for one in rows) + " |"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    print("\n".join(table([figures(folder) for folder in parser.parse_args().folders])))


if __name__ == "__main__":
    main()
