"""Shards: the parts of one run that several processes write at once into one folder, without a server between them.

No file has two writers that could differ. Shard I of N appends to TASK.I-of-N.jsonl, TASK.I-of-N.questions.jsonl and
run.I-of-N.log, and replaces run.I-of-N.json, where its starts stand; run.json is linked into place by whoever comes
first, and whoever finds that all N have ended sums up, which two may do at once with the same outcome.

What is assumed of a network file system: links and renames are atomic, and what one machine has synced another one sees
in a file that it opens afterwards, as NFS promises. Locks are a guard against the same shard being started twice, no
more: where a file system has none, or none between machines, a run by shards is as right without them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dtbench.harness.core.errors import UserError

LABEL = re.compile(r"([1-9]\d{0,5})-of-([1-9]\d{0,5})")
_WRITTEN = re.compile(r"([1-9]\d{0,5})/([1-9]\d{0,5})")


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """One of several equal parts of a run."""

    of: int
    """How many parts there are."""
    number: int
    """From 1."""

    @classmethod
    def named(cls, label: str) -> Shard:
        """Return the shard that a label in a file's name means."""
        number, of = label.split("-of-")
        return cls(int(of), int(number))

    @property
    def label(self) -> str:
        """Return how file names say it."""
        return f"{self.number}-of-{self.of}"

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse_shard(text: str) -> Shard:
    """Return the shard that `--shard I/N` names."""
    match = _WRITTEN.fullmatch(text.strip())
    if match is None or int(match[1]) > int(match[2]):
        raise UserError(f"--shard {text}: I/N is expected, I from 1 to N, such as --shard 1/4.")
    return Shard(int(match[2]), int(match[1]))


def record_files(folder: Path, stem: str) -> list[Path]:
    """Return the files of records of a task: of shards, then the plain one, whose records stand over the others."""
    plain = folder / f"{stem}.jsonl"
    return [*files_of_shards(folder, stem, ".jsonl"), *([plain] if plain.exists() else [])]


def state_file(folder: Path, shard: Shard) -> Path:
    """Return where the starts of a shard stand."""
    return folder / f"run.{shard.label}.json"


def state_files(folder: Path) -> list[Path]:
    """Return the files of the starts of all shards, whatever their N."""
    return files_of_shards(folder, "run", ".json")


def has_shards(folder: Path) -> bool:
    """Whether shards have written to a folder, records or their starts."""
    names = (path.name.removesuffix(path.suffix) for path in folder.glob("*.*-of-*.json*"))
    return any(LABEL.fullmatch(name.rpartition(".")[2]) for name in names)


def files_of_shards(folder: Path, stem: str, suffix: str) -> list[Path]:
    """Return the files STEM.I-of-NSUFFIX in the order of N and I."""
    names = (path.name for path in folder.glob(f"{stem}.*-of-*{suffix}"))
    labels = (name.removeprefix(f"{stem}.").removesuffix(suffix) for name in names)
    shards = sorted(Shard.named(label) for label in labels if LABEL.fullmatch(label))
    return [folder / f"{stem}.{shard.label}{suffix}" for shard in shards]
