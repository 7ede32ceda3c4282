"""AVQA: questions with four choices about clips of VGGSound. https://mn.cs.tsinghua.edu.cn/avqa/

`train_qa.json` is a list; an item, made up:

    {"id": 7, "video_name": "AbCdEfGhIjK_000030", "video_id": 12, "question_text": "What is the sound in the video?",
     "multi_choice": ["rain", "a train", "a drum", "a cow"], "answer": 1, "question_relation": "Sound",
     "question_type": "Which"}

Others keep it as JSON lines, some with an `audio_path`. Clips are named `AbCdEfGhIjK_000030` or `AbCdEfGhIjK_30`. Many
questions are about what is seen (`question_relation`): they stay, as in the paper, and are told apart by their group.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dtbench.harness.core.records import MetadataRecord, read_json
from dtbench.training.data.converters.conversion import ClipIndex, Skipped, ask_about_audio, find_files
from dtbench.training.data.rows import TrainingRow


def avqa_rows(folder: Path) -> Iterator[TrainingRow | Skipped]:
    """Yield the training questions; those for validation lie in a file of their own, which is not read."""
    clips = ClipIndex(folder)
    for file in find_files(folder, ("train_qa.json", "train_qa*.jsonl", "*/train_qa.json"), "AVQA"):
        for record in read_json(file):
            yield _row(record, clips)


def _row(record: MetadataRecord, clips: ClipIndex) -> TrainingRow | Skipped:
    name = record.text("video_name")
    start = name.rpartition("_")[2]
    short = f"{name.rpartition('_')[0]}_{int(start)}" if start.isdecimal() else name
    path = record.item.get("audio_path")
    clip = clips.find(name, short, Path(path).stem if isinstance(path, str) else name)
    if clip is None:
        return Skipped("its clip is not there")
    choices = tuple(choice.strip() for choice in record.texts("multi_choice"))
    index = record.get("answer")
    if not isinstance(index, int) or not 0 <= index < len(choices):
        return Skipped("its answer is none of its choices")
    if len(set(choices)) < len(choices):
        return Skipped("two of its choices are the same")
    groups = {name: str(record.item[key]) for name, key in _GROUPS.items() if record.item.get(key)}
    return TrainingRow(
        id=f"avqa-{record.get('id')}",
        audio=clip,
        question=ask_about_audio(record.text("question_text")),
        choices=choices,
        answer=choices[index],
        source="AVQA",
        extra={"groups": groups},
    )


_GROUPS = {"relation": "question_relation", "type": "question_type"}
