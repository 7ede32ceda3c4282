"""MMAU-test-mini: 1,000 questions about sounds, music and speech, with answers.

Two contents of test-mini are in use, and scores on them do not compare: v05.15.25 (current) and the one before
2025-05-15, which older harnesses still read. An item, made up, as in `mmau-test-mini.json`; the hub's parquet holds the
same in other columns, with `(A) ` in front of options and answer:

    {"id": "0000-...", "audio_id": "./test-mini-audios/0000-....wav", "question": "Which bird calls?",
     "choices": ["Crow", "Jay"], "answer": "Jay", "dataset": "AudioSet", "task": "sound", "split": "test-mini",
     "category": "Reasoning", "sub-category": "Acoustic Source Inference", "difficulty": "medium"}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.scorer import Column, Grouping, OfficialRule, ScriptInput
from dtbench.harness.core.task import Task
from dtbench.harness.score.official import text_rule
from dtbench.tasks.data.clips import ClipFolder
from dtbench.tasks.data.layouts import find_metadata
from dtbench.tasks.mmau.files import read_mmau
from dtbench.tasks.mmau.versions import detect_version, refuse_broken, version_of_records

METADATA = (
    "test_mini*.parquet",
    "test-mini*.parquet",
    "data/test_mini*.parquet",
    "data/test-mini*.parquet",
    "mmau-test-mini.json",
)
ARCHIVES = ("test-mini-audios.tar.gz", "test-mini-audios.zip")


class MmauMini(Task):
    """Scored by the words of the right option; the prediction is its text."""

    name = "mmau-mini"
    title = "MMAU-test-mini: massive multi-task audio understanding and reasoning"
    paper = "https://arxiv.org/abs/2410.19168"
    licence = "cc-by-nc-4.0"
    size = 1000
    groupings = (
        Grouping("Task", ("task",), ("sound", "music", "speech")),
        Grouping("Difficulty", ("difficulty",), ("easy", "hard", "medium")),
        Grouping("Sub-category", ("sub-category",)),
    )
    columns = (*(Column(name.title(), {"task": name}) for name in ("sound", "music", "speech")), Column("Avg"))
    prediction_keys = ("model_output", "model_prediction", "answer_prediction")
    script_input = ScriptInput({"": "list"})

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        """Load the questions of the version that is there."""
        return self.load(data_dir).samples

    def load(self, data_dir: Path | None) -> Dataset:
        """Load the samples and name their version; refuse the broken ones."""
        metadata = find_metadata(self.name, data_dir, METADATA, folders=("mmau", "MMAU", "MMAU-test-mini"))
        data = read_mmau(metadata, ARCHIVES)
        refuse_broken(data, metadata.file)
        version, notes = detect_version(data)
        if metadata.file.suffix == ".json":
            notes += ClipFolder(metadata.root, ARCHIVES).missing("test-mini-audios")
        if lost := len(data.unanswerable):
            notes.append(f"{lost} answers are not among their options")
        return Dataset(data.samples, version, data.source, [*metadata.notes(), *notes])

    def version_of(self, items: Sequence[Mapping[str, Any]]) -> str | None:
        """Return the published version that contains all of the records, if one does."""
        return version_of_records(items)

    def official(self, version: str) -> OfficialRule:
        """Return the rule of Sakshi113/MMAU evaluation.py since 2024-10-25."""
        return text_rule
