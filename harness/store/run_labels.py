"""How runs are called where several stand side by side: names that can be told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dtbench.harness.core.errors import UserError, one_line
from dtbench.harness.store.run_folder import StoredRun


def repetition(runs: Sequence[Path]) -> str | None:
    """Say which run is named twice, by whatever path; None where each is named once."""
    places = [path.resolve() for path in runs]
    twice = next((path for path, place in zip(runs, places, strict=True) if places.count(place) > 1), None)
    return None if twice is None else f"{twice} is named twice; name each run once."


def refuse_repeated(runs: Sequence[Path]) -> None:
    """Refuse a run that is named twice."""
    if line := repetition(runs):
        raise UserError(line)


def run_labels(runs: Sequence[StoredRun], given: Sequence[str] = ()) -> list[str]:
    """Return a label for each run: the given one, or its model's name with the folder where two are alike."""
    if len(given) > len(runs):
        count = "1 run is" if len(runs) == 1 else f"{len(runs)} runs are"
        raise UserError(f"--label {given[len(runs)]}: there is no run for it; {count} named.")
    if twice := [label for label, times in Counter(given).items() if times > 1]:
        raise UserError(f"--label {twice[0]}: given to two runs; each label is one run's.")
    if blank := [label for label in given if not label.strip()]:
        raise UserError(f"--label {blank[0]!r}: a text is expected.")
    names = [model_label(run) for run in runs]
    names[: len(given)] = given
    times = Counter(names)
    ends = short_ends([run.path.resolve() for run in runs])
    return [
        name if place < len(given) or times[name] == 1 else f"{name} ({end})"
        for place, (name, end) in enumerate(zip(names, ends, strict=True))
    ]


def model_label(run: StoredRun) -> str:
    """Return the name of a run's model in one line; of a checkpoint by its path, the last folder."""
    model = run.info["model"]
    name = str(model.get("model") or model.get("name") or run.info["endpoint"].get("spec") or run.path.name)
    if name.startswith(("/", "./", "../", "~")):
        name = Path(name).name or name
    return one_line(name)


def short_ends(paths: Sequence[Path]) -> list[str]:
    """Return the ends of paths by which they can be told apart."""
    for count in range(1, max((len(path.parts) for path in paths), default=0)):
        ends = [one_line(Path(*path.parts[-count:]).as_posix()) for path in paths]
        if len({*ends}) == len(paths):
            return ends
    return [f"{one_line(path.as_posix())}, {place}" for place, path in enumerate(paths, start=1)]
