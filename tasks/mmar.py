"""MMAR: 1,000 questions that take several steps of reasoning about sound, music, speech and their mixes.

Two contents exist: v1 (`MMAR-meta.json`, on the hub) and v2 (`MMAR-meta.jsonl`, on GitHub since 2026-02), which
repairs six items and adds `thinking`, `cue` and `rubric`. An item, made up:

    {"id": "x_00-00-05_00-00-20", "audio_path": "./audio/x_00-00-05_00-00-20.wav", "question": "Which bird calls?",
     "choices": ["Crow", "Jay"], "answer": "Jay", "modality": "sound", "category": "Semantic Layer",
     "sub-category": "Content Analysis", "language": null}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.records import MetadataRecord, read_json
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.scorer import Column, Grouping, OfficialRule, ScriptInput
from dtbench.harness.core.task import Task
from dtbench.harness.score.official import text_rule
from dtbench.tasks.data.clips import ClipFolder
from dtbench.tasks.data.layouts import find_metadata, group_values, make_dataset

V2 = "v2-github"
V1 = "v1-hf"
MODALITIES = (
    "sound",
    "music",
    "speech",
    "mix-sound-music",
    "mix-sound-speech",
    "mix-music-speech",
    "mix-sound-music-speech",
)
LAYERS = ("Signal Layer", "Perception Layer", "Semantic Layer", "Cultural Layer")


class Mmar(Task):
    """Scored by the words of the right option; the prediction is its text."""

    name = "mmar"
    title = "MMAR: deep reasoning in speech, audio, music and their mix"
    paper = "https://arxiv.org/abs/2505.13032"
    licence = "cc-by-nc-4.0"
    size = 1000
    groupings = (
        Grouping("Modality", ("modality",), MODALITIES),
        Grouping("Category", ("category",), LAYERS),
        Grouping("Sub-category", ("sub-category",)),
    )
    columns = (
        Column("Avg"),
        *(Column(modality.removeprefix("mix-"), {"modality": modality}) for modality in MODALITIES),
    )
    prediction_keys = ("answer_prediction", "model_prediction", "model_output")
    script_input = ScriptInput({"json": "list", "jsonl": "lines"})

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        """Load the questions of the version that is there, v2 before v1."""
        return self.load(data_dir).samples

    def load(self, data_dir: Path | None) -> Dataset:
        """Load the samples; their version is v2 where they have rubrics."""
        metadata = find_metadata(self.name, data_dir, ("MMAR-meta.jsonl", "MMAR-meta.json"), folders=("MMAR",))
        clips = ClipFolder(metadata.root, ("mmar-audio.tar.gz", "mmar-audio.zip"))
        data = make_dataset((_sample(record, clips) for record in read_json(metadata.file)), metadata.file)
        version = V2 if any("thinking" in sample.item or "rubric" in sample.item for sample in data.samples) else V1
        notes = [*metadata.notes(), *clips.missing("audio")]
        if lost := len(data.unanswerable):
            repaired = "as published in v1; v2 (MMAR-meta.jsonl) repairs them"
            where = repaired if version == V1 else "unlike the published v2"
            notes.append(f"{lost} answers are not among their options, {where}")
        return Dataset(data.samples, version, data.source, notes)

    def version_of(self, items: Sequence[Mapping[str, Any]]) -> str | None:
        """Return v2 where every record has a rubric; without one it may be either."""
        return V2 if items and all("rubric" in item or "thinking" in item for item in items) else None

    def official(self, version: str) -> OfficialRule:
        """Return the rule of ddlBoJack/MMAR evaluation.py, the same in all its versions."""
        return text_rule


def _sample(record: MetadataRecord, clips: ClipFolder) -> Sample:
    for heading in ("modality", "category"):
        record.text(heading)
    record.get("sub-category")
    return Sample(
        id=record.text("id"),
        question=record.text("question"),
        choices=record.texts("choices"),
        answer=record.text("answer"),
        # Not <id>.wav: 46 ids differ from the name of their clip.
        audio=clips.clip(record, "audio_path"),
        groups=group_values(record.item, ("modality", "category", "sub-category", "language")),
        item=record.item,
    )
