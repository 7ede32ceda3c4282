"""MMSU: 5,000 questions about spoken language, from phonetics to reasoning.

Scored by the LETTER at a fixed place of the response, unlike MMAR and MMAU. An item, made up, without its audio:

    {"id": "gender_prediction_0000", "task_name": "gender_prediction", "question": "Who speaks?",
     "choice_a": "a man", "choice_b": "a woman", "choice_c": null, "choice_d": null, "answer_gt": "a woman",
     "category": "Perception", "sub-category": "Paralinguistics", "sub-sub-category": "Speaker Traits",
     "linguistics_sub_discipline": "None"}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.records import MetadataRecord, read_columns, read_json
from dtbench.harness.core.schema import Clip, Sample
from dtbench.harness.core.scorer import AnswerKey, Column, Grouping, OfficialRule, ScriptInput
from dtbench.harness.core.task import Task
from dtbench.harness.extract.answer import Extraction
from dtbench.harness.score.official import CarriedLetterRule, letter_rule
from dtbench.tasks.data.clips import ClipFolder, EmbeddedClip
from dtbench.tasks.data.layouts import find_metadata, group_values, make_dataset

PARQUET = "parquet-548e228"
FOLDER = "jsonl-folder"
COPIES_DIFFER = (
    "the audio in the hub's parquet files and in its audio folder differs in part: report which one a score used"
)
METADATA = ("data/train-*.parquet", "train-*.parquet", "question/mmsu.jsonl", "mmsu.jsonl")
ARCHIVES = ("audio.tar.gz", "audio.zip")
LETTERED = {"A": "choice_a", "B": "choice_b", "C": "choice_c", "D": "choice_d"}
HEADINGS = ("category", "sub-category", "sub-sub-category", "linguistics_sub_discipline", "task_name")
_COLUMNS = ("id", "task_name", "audio.path", "question", *LETTERED.values(), "answer_gt", *HEADINGS[:-1])


def _columns(short: str, category: str) -> tuple[Column, ...]:
    """Make the paper's columns of perception or reasoning; its paralinguistics are both kinds of speakers' traits."""
    return (
        Column(f"{short} Sem.", {"category": category, "sub-sub-category": "Semantics"}),
        Column(f"{short} Phon.", {"category": category, "sub-sub-category": "Phonology"}),
        Column(f"{short} Para.", {"category": category, "sub-category": "Paralinguistics"}),
        Column(f"{short} Avg", {"category": category}),
    )


class Mmsu(Task):
    """The prediction is a letter; the script of 2026 is the default, that of 2025 carries letters over."""

    name = "mmsu"
    title = "MMSU: massive multi-task spoken language understanding and reasoning"
    paper = "https://arxiv.org/abs/2506.04779"
    licence = "mit"
    size = 5000
    groupings = (
        Grouping("Category and sub-category", ("category", "sub-category"), absent=""),
        Grouping("Category", ("category",), absent=""),
    )
    columns = (
        *_columns("Per.", "Perception"),
        *_columns("Rea.", "Reasoning"),
        Column("Avg (All)"),
    )
    prediction_keys = ("response", "model_output", "model_prediction", "answer_prediction")
    official_versions = ("2026", "2025")
    decimals = "{:.4f}"
    script_input = ScriptInput(
        {"": "lines"}, skips_broken_lines=True, without_key="takes every record's response for empty"
    )

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        """Load the questions of the copy that is there, parquet first."""
        return self.load(data_dir).samples

    def load(self, data_dir: Path | None) -> Dataset:
        """Load the samples; the version names which of the two published copies they are."""
        metadata = find_metadata(self.name, data_dir, METADATA, folders=("MMSU",))
        notes = [COPIES_DIFFER, *metadata.notes()]
        if metadata.file.suffix == ".parquet":
            version = PARQUET
            rows: Iterable[Sample] = chain.from_iterable(map(_shard, metadata.files))
        else:
            version, clips = FOLDER, ClipFolder(metadata.root, ARCHIVES)
            rows = (_sample(record, clips.clip(record, "audio_path")) for record in read_json(metadata.file))
            notes += clips.missing("audio")
        data = make_dataset(rows, metadata.file)
        if lost := len(data.unanswerable):
            notes.append(f"{lost} answers are not among their options")
        return Dataset(data.samples, version, data.source, notes)

    def answer_key(self, item: Mapping[str, Any]) -> AnswerKey:
        """Return the options that are there, as text, and the right one."""
        answer = item["answer_gt"]
        return AnswerKey([text for _, text in _options(item)], None if answer is None else str(answer))

    def official(self, version: str) -> OfficialRule:
        """Return the rule of the 2026 script, or a new one of 2025, which is good for one file."""
        return CarriedLetterRule() if version == "2025" else letter_rule

    def submission(self, sample: Sample, extraction: Extraction) -> str:
        """Return the letter of the chosen option; empty where there is none."""
        matches = (letter for letter, text in _options(sample.item) if text == extraction.choice)
        return next(matches, "")


def _shard(shard: Path) -> Iterator[Sample]:
    for row, record in enumerate(read_columns(shard, _COLUMNS)):
        audio = record.item.pop("audio")
        item = {**record.item, "audio_path": (audio or {}).get("path")}
        yield _sample(MetadataRecord(record.where, item), EmbeddedClip(shard, row, "audio"))


def _sample(record: MetadataRecord, audio: Path | Clip) -> Sample:
    for heading in ("category", "sub-category"):
        record.text(heading)
    choices = tuple(_shown(record, key) for key in LETTERED.values() if record.item.get(key) is not None)
    if not choices:
        raise record.wrong("there is no option in choice_a to choice_d")
    return Sample(
        id=record.text("id"),
        question=record.text("question"),
        choices=choices,
        # Some answers and options of the older file are numbers; the record keeps them so, for the script.
        answer=_shown(record, "answer_gt"),
        audio=audio,
        groups=group_values(record.item, HEADINGS),
        item=record.item,
    )


def _shown(record: MetadataRecord, key: str) -> str:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise record.wrong(f"{key!r} must be text or a number, found {value!r}")
    return str(value)


def _options(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return letters and texts of the options that are there; two-option items have null for the others."""
    return [(letter, str(item[key])) for letter, key in LETTERED.items() if item.get(key) is not None]
