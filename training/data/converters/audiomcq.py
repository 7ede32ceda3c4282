"""AudioMCQ: multiple-choice questions with chains of thought. https://huggingface.co/datasets/inclusionAI/AudioMCQ

JSON lines: `data.jsonl` in the part with strong audio contribution, files below `datasets/` in the whole. Made up:

    {"source_dataset": "Clotho", "id": "17", "audio_path": "audio/Clotho/rain.wav", "question": "What falls?",
     "choices": ["rain", "snow", "sand", "hail"], "answer": "rain", "audio-contribution": "strong", "gemini_cot": "..."}

Its questions come from sets that benchmarks took clips from too: check the rows for overlap before training on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dtbench.harness.core.records import MetadataRecord, read_json
from dtbench.training.data.converters.conversion import ClipIndex, Skipped, find_files
from dtbench.training.data.rows import TrainingRow

CHAINS = ("gemini_cot", "unstructured_cot", "structured_cot")
"""Fields that may contain a chain; the first that does counts."""
PATTERNS = ("data.jsonl", "datasets/**/*.jsonl", "datasets/**/*.json", "*.jsonl")


def audiomcq_rows(folder: Path) -> Iterator[TrainingRow | Skipped]:
    """Yield every question whose clip is there."""
    clips = ClipIndex(folder)
    for file in find_files(folder, PATTERNS, "AudioMCQ"):
        for record in read_json(file):
            yield _row(record, folder, clips)


def _row(record: MetadataRecord, folder: Path, clips: ClipIndex) -> TrainingRow | Skipped:
    path = Path(record.text("audio_path"))
    clip = folder / path if not path.is_absolute() and (folder / path).is_file() else clips.find(path.stem)
    if clip is None:
        return Skipped("its clip is not there")
    choices = tuple(choice.strip() for choice in record.texts("choices"))
    answer = record.text("answer").strip()
    if answer not in choices:
        return Skipped("its answer is none of its choices")
    if len(set(choices)) < len(choices):
        return Skipped("two of its choices are the same")
    source = str(record.item.get("source_dataset") or "AudioMCQ")
    chain = next((text for name in CHAINS if isinstance(text := record.item.get(name), str) and text.strip()), "")
    contribution = record.item.get("audio-contribution")
    groups = {"dataset": source} | ({"contribution": str(contribution)} if contribution else {})
    return TrainingRow(
        id=f"audiomcq-{source}-{record.get('id')}",
        audio=clip,
        question=record.text("question").strip(),
        choices=choices,
        answer=answer,
        chain=chain.strip(),
        source="AudioMCQ",
        extra={"groups": groups},
    )
