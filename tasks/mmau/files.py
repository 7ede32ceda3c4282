"""Read the layouts of MMAU: GitHub's JSON, the hub's parquet, and the parquet of lmms-lab."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.records import MetadataRecord, column_names, read_columns, read_json
from dtbench.harness.core.schema import Clip, Sample
from dtbench.tasks.data.clips import ClipFolder, EmbeddedClip
from dtbench.tasks.data.layouts import MetadataFiles, group_values, make_dataset

HEADINGS = ("task", "difficulty", "sub-category", "category", "dataset")
_HUB_COLUMNS: tuple[str, ...] = ("instruction", "choices", "answer", "other_attributes")
_LMMS_COLUMNS: tuple[str, ...] = ("id", "question", "choices", "answer", "split", *HEADINGS)
_PREFIX = re.compile(r"^\(([A-Z])\) ?")


def read_mmau(metadata: MetadataFiles, archives: tuple[str, ...], withheld: bool = False) -> Dataset:
    """Read the questions of any layout, all with the fields and options of GitHub's JSON."""
    if metadata.file.suffix == ".parquet":
        rows = (row for shard in metadata.files for row in _parquet_rows(shard))
        samples = (_sample(without_letters(record), clip, withheld) for record, clip in rows)
    else:
        clips = ClipFolder(metadata.root, archives)
        samples = (_sample(record, clips.clip(record, "audio_id"), withheld) for record in read_json(metadata.file))
    return make_dataset(samples, metadata.file)


def without_letters(record: MetadataRecord) -> MetadataRecord:
    """Return the record with `(A) text` as `text`, where each option has its own letter in front."""
    choices, answer = record.texts("choices"), record.item.get("answer") or ""
    prefixes = [_PREFIX.match(choice) for choice in choices]
    if [prefix and prefix[1] for prefix in prefixes] != list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(choices)]):
        return record
    stripped = {"choices": [_PREFIX.sub("", choice) for choice in choices], "answer": _PREFIX.sub("", answer)}
    return MetadataRecord(record.where, record.item | stripped)


def _sample(record: MetadataRecord, audio: Path | Clip, withheld: bool) -> Sample:
    for heading in ("task", "difficulty", "sub-category"):
        record.text(heading)
    return Sample(
        id=record.text("id"),
        question=record.text("question"),
        choices=record.texts("choices"),
        answer=None if withheld else record.text("answer"),
        audio=audio,
        groups=group_values(record.item, HEADINGS),
        item=record.item,
    )


def _parquet_rows(shard: Path) -> list[tuple[MetadataRecord, EmbeddedClip]]:
    column, columns, as_item = "audio", _LMMS_COLUMNS, _lmms_item
    if "instruction" in column_names(shard):
        column, columns, as_item = "context", _HUB_COLUMNS, _hub_item
    # The path inside the audio column is read only to be sure that the column is there.
    records = read_columns(shard, (*columns, f"{column}.path"))
    return [
        (MetadataRecord(record.where, as_item(record)), EmbeddedClip(shard, row, column))
        for row, record in enumerate(records)
    ]


def _hub_item(record: MetadataRecord) -> dict[str, Any]:
    more = _parsed(record, "other_attributes")
    if not isinstance(more, dict):
        raise record.wrong("'other_attributes' must be a JSON object")
    return {
        "id": more.get("id"),
        "audio_id": _audio_id(more),
        "question": record.get("instruction"),
        "choices": record.get("choices"),
        "answer": record.get("answer"),
        **{name: value for name, value in more.items() if name != "id"},
    }


def _lmms_item(record: MetadataRecord) -> dict[str, Any]:
    item = {name: value for name, value in record.item.items() if name != "audio"}
    return {**item, "audio_id": _audio_id(item), "choices": _parsed(record, "choices")}


def _audio_id(item: Mapping[str, Any]) -> str:
    """Return the path as GitHub's JSON has it, for exports that ask for it."""
    folder = "test-audios" if item.get("split") == "test" else "test-mini-audios"
    return f"./{folder}/{item.get('id')}.wav"


def _parsed(record: MetadataRecord, key: str) -> Any:
    """Parse a field whose text is JSON."""
    try:
        return json.loads(record.text(key))
    except json.JSONDecodeError as error:
        raise record.wrong(f"{key!r} must be JSON ({error.msg})") from None
