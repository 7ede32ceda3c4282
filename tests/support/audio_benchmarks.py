"""Small data sets of made-up items in the layouts in which eight more benchmarks are published."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from small_data import tone

Item = dict[str, Any]
ANIMALS = ("A goose", "A lamb", "A crow, far away", "A frog")


def write_clip(file: Path, data: bytes | None = None) -> None:
    """Write a clip of a tone, with the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(tone() if data is None else data)


def write_lines(file: Path, items: Sequence[Item]) -> None:
    """Write items as JSON lines."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{json.dumps(item, ensure_ascii=False)}\n" for item in items), encoding="utf-8")


def write_rows(file: Path, items: Sequence[Item]) -> None:
    """Write items as CSV, its columns in the order of the first one's."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(items[0]))
        writer.writeheader()
        writer.writerows(items)


def write_parquet(file: Path, items: Sequence[Item]) -> None:
    """Write items as Parquet."""
    import pyarrow
    import pyarrow.parquet

    file.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(items)), file)


def write_adqa(folder: Path, *, hidden: bool = False) -> None:
    """Write DCASE 2026 Task 5: its development set, or the hidden one without answers."""
    name = "eval" if hidden else "dev"
    items = []
    for number in range(6):
        audio = f"{name}_audios/{name}_{number:04}.wav"
        choices = list(ANIMALS[: 2 + number % 3])
        item: Item = {
            "id": f"{name}_{number:04}",
            "audio_path": audio,
            "question_text": f"Which animal is heard in scene {number}?",
            "multi_choice": choices,
        }
        if not hidden:
            item["answer"] = choices[number % len(choices)]
        items.append(item)
        write_clip(folder / audio)
    write_lines(folder / ("eval-noanswer.jsonl" if hidden else "dev.jsonl"), items)


def write_big_bench_audio(folder: Path) -> None:
    """Write Big Bench Audio: questions only in the clips, MP3."""
    golds = {
        "formal_fallacies": ("valid", "invalid"),
        "navigate": ("Yes", "No"),
        "object_counting": ("7", "12"),
        "web_of_lies": ("No", "Yes"),
    }
    items: list[Item] = []
    for category, answers in golds.items():
        for answer in answers:
            number = len(items)
            file = f"data/question_{number}.mp3"
            items.append({"category": category, "official_answer": answer, "file_name": file, "id": number})
            write_clip(folder / file, tone(kind="MP3"))
    write_lines(folder / "metadata.jsonl", items)


def write_mmau_pro(folder: Path) -> None:
    """Write MMAU-Pro: closed questions about one clip and several, open ones, and instructions to follow."""
    blank: Item = {
        "length_type": "short",
        "perceptual_skills": ["Made up"],
        "reasoning_skills": [],
        "transcription": None,
        "task_classification": None,
        "task_identifier": None,
        "kwargs": {"N": None, "keywords": None},
        "sub-cat": None,
    }
    two = ["data/00000000-0000-4000-8000-000000000001.wav", "data/00000000-0000-4000-8000-000000000002.wav"]
    both = ["The first", "The second"]
    items: list[Item] = [
        {"id": "cl-1", "audio_path": two[:1], "question": "Which bird?", "answer": "Wren", "choices": ["Wren", "Owl"]},
        {"id": "cl-2", "audio_path": two, "question": "Which clip?", "answer": "The second", "choices": both},
        {"id": "op-1", "audio_path": two[:1], "question": "What happens?", "answer": "A boat passes.", "choices": []},
        {"id": "if-1", "audio_path": two[1:], "question": "Describe it. No commas.", "answer": None, "choices": []},
    ]
    for item, category in zip(items, ("sound", "multi", "open", "instruction following"), strict=True):
        item |= {**blank, "category": category}
    items[-1] |= {"task_identifier": "No Commas"}
    for clip in two:
        write_clip(folder / clip)
    write_parquet(folder / "test.parquet", items)


def write_sakura(folder: Path) -> None:
    """Write SAKURA: four tracks of pairs, a single-hop and a multi-hop question about each clip."""
    rows = {
        "Animal": ("owl", "(a) owl (b) goat", "(a) owl", "(a) it swims (b) it flies", "(b) it flies"),
        "Emotion": ("happy", "(a) happy (b) sad", " (a) happy", "(a) laughing (b) crying", "(a) laughing"),
        "Gender": ("female", "(a) female (b) male", "(a) female", "(a) soprano (b) bass", "(a) soprano"),
        "Language": ("German", "(a) French (b) German", "(b) German", "(a) Rome (b) Berlin", "(b) Berlin"),
    }
    for track, (label, options, answer, other_options, other_answer) in rows.items():
        items = [
            {
                "file": f"{label}_{number}.wav",
                "attribute_label": label,
                "single_instruction": f"What is heard in clip {number}? {options}",
                "single_answer": answer,
                "multi_instruction": f"What goes with it? {other_options}",
                "multi_answer": other_answer,
            }
            for number in range(2)
        ]
        for item in items:
            write_clip(folder / "data" / track / "audio" / str(item["file"]))
        write_rows(folder / "data" / track / "metadata.csv", items)


ORDERS = ("123", "132", "213", "231", "312", "321")


STAR_AUDIO = "starbench_audios"


def perception_items() -> list[Item]:
    """Items of perception, one about two clips."""
    return [
        {
            "id": f"range_azimuth_{number:03}",
            "question": "From which side comes the bell?",
            "options": ["Front-Right", "Back-Right", "Back-Left", "Front-Left"],
            "answer": "Front-Right",
            "audio_paths": [f"{STAR_AUDIO}/foundation_perception/spatial/{part}.wav" for part in parts],
            "task": "Foundational Acoustic Perception",
            "category": category,
            "sub-category": sub,
            "source": "made up",
        }
        for number, (category, sub, parts) in enumerate(
            [
                ("Absolute Perception Range", "range_azimuth", ["bell"]),
                ("Absolute Perception Range", "range_elevation", ["horn"]),
                ("Relative Perception", "relative_distance", ["bell", "horn"]),
            ]
        )
    ]


def spatial_items() -> list[Item]:
    """Items of spatial reasoning."""
    return [
        {
            "id": f"spatial_trajectory_{number:03}",
            "question": "How does the cart move?",
            "options": ["From left to right", "From right to left", "It stays"],
            "answer": "From right to left",
            "audio_paths": [f"{STAR_AUDIO}/holistic_reasoning/spatial/trajectory_{number}.wav"],
            "task": "Spatial Reasoning",
            "category": "Dynamic Trajectory Tracking",
            "source": "made up",
        }
        for number in range(2)
    ]


def temporal_items() -> list[Item]:
    """Items of temporal reasoning, each about three clips in their true order."""
    return [
        {
            "id": f"temporal_{sub}_{number:03}",
            "question": "Three clips were cut from one recording of a kettle. In which order do they belong?",
            "options": [" -> ".join(f"clip {place}" for place in order) for order in ORDERS] + ["I don't know."],
            "audio_paths": [f"{STAR_AUDIO}/holistic_reasoning/temporal/{sub}/seg_{part}.wav" for part in (1, 2, 3)],
            "uncut_audio_path": f"{STAR_AUDIO}/holistic_reasoning/temporal/{sub}/whole.wav",
            "global_caption": "A kettle warms up.",
            "task": "Temporal Reasoning",
            "category": "Continuous Processes",
            "sub-category": sub,
            "source": "made up",
        }
        for number, sub in enumerate(["OSM", "TAO"])
    ]


def write_star_bench(folder: Path) -> None:
    """Write STAR-Bench v1.0: perception, spatial reasoning in two channels, temporal reasoning over three clips."""
    for name, items in (
        ("foundation_perception", perception_items()),
        ("holistic_reasoning_spatial", spatial_items()),
        ("holistic_reasoning_temporal", temporal_items()),
    ):
        file = folder / "meta_info" / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(items), encoding="utf-8")
        for item in items:
            for clip in item["audio_paths"]:
                write_clip(folder / clip, tone(channels=2, rate=48000) if name.endswith("spatial") else None)


def write_muchomusic(folder: Path) -> None:
    """Write MuChoMusic as its copy with the clips inside: the options are one text, the answer has its letter."""
    options = "(A) Slow waltz\n(B) Fast polka\n(C) Calm drone\n(D) Loud, even march"
    rows = [
        {
            "context": {"bytes": tone(kind="MP3"), "path": None},
            "instruction": "Which texture leads the piece?",
            "choices": options,
            "answer": answer,
        }
        for answer in ("(A) Slow waltz", "(D) Loud, even march")
    ]
    write_parquet(folder / "data" / "test-00000-of-00001.parquet", rows)


def write_trea(folder: Path) -> None:
    """Write TREA: three tables whose ids begin at 0 in each, in two orders of columns."""
    options = {"order": "gong|Harp|Zip|Paper, torn", "count": "4|1|2|3", "duration": "bell|dog|cat|drip"}
    for task, texts in options.items():
        rows: list[Item] = []
        for number in range(2):
            head = {"id": number, "question": f"Which {task}?"}
            row: Item = head if task == "order" else dict(reversed(head.items()))
            row["audio_path"] = f"TREA_dataset/{task}/audios/{number}.wav"
            row |= {f"option{letter}": text for letter, text in zip("ABCD", texts.split("|"), strict=True)}
            rows.append({**row, "correct": "AD"[number]})
            write_clip(folder / str(row["audio_path"]))
        write_rows(folder / "TREA_dataset" / task / f"{task}.csv", rows)


def write_voicebench(folder: Path) -> None:
    """Write the multiple-choice parts of VoiceBench: the question and its options are only in the clip."""
    clip = {"bytes": tone(), "path": None}
    prompt = (
        "What should a gardener use?\nA. a hose\nB. a small can\nC. a bucket\nD. an engine\nSay which one is right."
    )
    for domain in ("biology", "law"):
        rows = [
            {
                "audio": clip,
                "prompt": prompt,
                "reference": letter,
                "question_id": 70000 + number,
                "category": domain,
                "src": "made up",
            }
            for number, letter in enumerate("BD")
        ]
        write_parquet(folder / "mmsu" / f"{domain}-00000-of-00001.parquet", rows)
    rows = [{"audio": clip, "prompt": prompt, "reference": letter} for letter in "AC"]
    write_parquet(folder / "openbookqa" / "test-00000-of-00001.parquet", rows)
