"""Small data sets of made-up items, in each layout that the benchmarks are published in."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Item = dict[str, Any]

TOPICS = ("a bird", "a bell", "two drums", "the sea", "a lorry", "applause")
MODALITIES = ("sound", "music", "speech", "mix-sound-music", "mix-sound-speech", "mix-music-speech")
LAYERS = ("Signal Layer", "Perception Layer", "Semantic Layer", "Cultural Layer")


def tone(
    seconds: float = 0.2, rate: int = 16000, channels: int = 1, kind: str = "WAV", subtype: str | None = None
) -> bytes:
    """The bytes of a short tone, encoded."""
    import numpy
    import soundfile

    times = numpy.arange(int(seconds * rate)) / rate
    wave = 0.3 * numpy.sin(2 * numpy.pi * 440 * times)
    out = io.BytesIO()
    soundfile.write(out, numpy.stack([wave] * channels, axis=1), rate, format=kind, subtype=subtype)
    return out.getvalue()


def published_clips(count: int) -> list[bytes]:
    """Clips as mixed as the published ones: rates, channels, float, and MP3, FLAC and OGG under the name of .wav."""
    kinds = [
        tone(),
        tone(kind="MP3"),
        tone(rate=48000, channels=2),
        tone(kind="FLAC"),
        tone(rate=44100, channels=6, subtype="FLOAT"),
        tone(kind="OGG"),
    ]
    return [kinds[number % len(kinds)] for number in range(count)]


def mmar_items(count: int = 6, version: int = 2) -> list[Item]:
    """Items with the fields of MMAR v1, or v2."""
    items = []
    for number in range(count):
        start = f"00-00-{number:02}_00-00-{number + 10:02}"
        item: Item = {
            "id": f"made-up-{number}_{start}",
            "audio_path": f"./audio/clip of {number}.wav",
            "question": f"What is heard,\nin scene {number}?",
            "choices": [TOPICS[(number + step) % len(TOPICS)] for step in range(2 + number % 3)],
            "answer": TOPICS[number % len(TOPICS)],
            "modality": MODALITIES[number % len(MODALITIES)],
            "category": LAYERS[number % len(LAYERS)],
            "sub-category": "Content Analysis" if number % 2 else "Music Theory",
            "language": None if number % 2 else "en",
            "source": "youtube",
            "url": "https://example.org/watch",
            "timestamp": "00:00:00,00:00:10",
        }
        if version == 2:
            item |= {"thinking": "Made up.", "cue": ["made up"], "rubric": [{"name": "A", "choices": [0, 1]}]}
        items.append(item)
    return items


def mmau_items(count: int = 6, split: str = "test-mini") -> list[Item]:
    """Items with the fields of MMAU's JSON; as there, one category is a list and one item has its gold twice."""
    items = []
    for number in range(count):
        id_ = f"00000000-0000-4000-8000-{number:012}"
        choices = [TOPICS[(number + step) % len(TOPICS)] for step in range(4)]
        choices[3] = f" {choices[3]}" if number == 4 else choices[3]  # some published options begin with a space
        items.append(
            {
                "id": id_,
                "audio_id": f"./{split}-audios/{id_}.wav",
                "question": f"Which of these is heard in scene {number}?",
                "choices": choices[:3] + choices[:1] if number == 1 else choices,
                "answer": "" if split == "test" else TOPICS[number % len(TOPICS)],
                "dataset": "made up",
                "task": ("sound", "music", "speech")[number % 3],
                "split": split,
                "category": ["Reasoning"] if number == 2 else "Information Extraction",
                "sub-category": "Counting" if number % 2 else "Lyrical Reasoning",
                "difficulty": ("easy", "hard", "medium")[number % 3],
            }
        )
    return items


def mmsu_items(count: int = 6) -> list[Item]:
    """Items with the fields of MMSU: two options or four, the text "None" as an option."""
    items = []
    for number in range(count):
        id_ = f"made_up_task_{number:04}"
        four = number % 3
        items.append(
            {
                "id": id_,
                "task_name": "made_up_task",
                "audio_path": f"/audio/{id_}.wav",
                "question": f"What is heard in scene {number}?",
                "choice_a": TOPICS[number % len(TOPICS)],
                "choice_b": "None" if number == 1 else TOPICS[(number + 1) % len(TOPICS)],
                "choice_c": TOPICS[(number + 2) % len(TOPICS)] if four else None,
                "choice_d": TOPICS[(number + 3) % len(TOPICS)] if four else None,
                "answer_gt": TOPICS[(number + (number % 4 if four else 0)) % len(TOPICS)] if number != 1 else "None",
                "category": "Reasoning" if number % 2 else "Perception",
                "sub-category": "Paralinguistics" if number % 3 else "Linguistics",
                "sub-sub-category": "Speaker Traits",
                "linguistics_sub_discipline": "None",
            }
        )
    return items


def write_json(path: Path, items: Sequence[object]) -> None:
    """A JSON list, or JSON lines where the name ends so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), encoding="utf-8")
    else:
        path.write_text(json.dumps(items, ensure_ascii=False, indent=1), encoding="utf-8")


def write_clips(root: Path, items: Sequence[Item], key: str) -> None:
    """The clips of items, as files under their published names."""
    for item, data in zip(items, published_clips(len(items)), strict=True):
        path = root / item[key].lstrip("./")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def write_tar(archive: Path, items: Sequence[Item], key: str) -> None:
    """The clips of items, in an archive of one folder."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        for item, data in zip(items, published_clips(len(items)), strict=True):
            member = tarfile.TarInfo(item[key].lstrip("./"))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def mmar_v1_archive(folder: Path) -> None:
    """As `BoJack/MMAR` on the hub."""
    write_json(folder / "MMAR-meta.json", mmar_items(version=1))
    write_tar(folder / "mmar-audio.tar.gz", mmar_items(), "audio_path")


def mmar_v2_archive(folder: Path) -> None:
    """GitHub's metadata beside the hub's audio."""
    write_json(folder / "MMAR-meta.jsonl", mmar_items())
    write_tar(folder / "mmar-audio.tar.gz", mmar_items(), "audio_path")


def mmar_v2_folder(folder: Path) -> None:
    """The same, unpacked."""
    write_json(folder / "MMAR-meta.jsonl", mmar_items())
    write_clips(folder, mmar_items(), "audio_path")


def mmau_json_folder(folder: Path) -> None:
    """As `Sakshi113/MMAU` on GitHub, audio unpacked."""
    write_json(folder / "mmau-test-mini.json", mmau_items())
    write_clips(folder, mmau_items(), "audio_id")


def mmau_json_archive(folder: Path) -> None:
    """As `Sakshi113/MMAU` on GitHub, audio as it is downloaded."""
    write_json(folder / "mmau-test-mini.json", mmau_items())
    write_tar(folder / "test-mini-audios.tar.gz", mmau_items(), "audio_id")


def mmau_hub_parquet(folder: Path) -> None:
    """As `gamma-lab-umd/MMAU-test-mini` on the hub."""
    import pyarrow
    from pyarrow import parquet

    items = mmau_items()
    lettered = [[f"({letter}) {c}" for letter, c in zip("ABCD", item["choices"], strict=True)] for item in items]
    golds = [options[item["choices"].index(item["answer"])] for item, options in zip(items, lettered, strict=True)]
    more = ("id", "dataset", "task", "split", "category", "sub-category", "difficulty")
    table = pyarrow.table(
        {
            "context": pyarrow.array(
                [{"bytes": data, "path": None} for data in published_clips(len(items))], audio_type()
            ),
            "instruction": [item["question"] for item in items],
            "choices": lettered,
            "answer": golds,
            "other_attributes": [json.dumps({name: item[name] for name in more}) for item in items],
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, folder / "test_mini.parquet")


def mmau_lmms_parquet(folder: Path) -> None:
    """As `lmms-lab/mmau` on the hub: choices are a JSON string."""
    import pyarrow
    from pyarrow import parquet

    items = mmau_items()
    names = ("id", "question", "answer", "dataset", "task", "split", "sub-category", "difficulty")
    columns: dict[str, Any] = {name: [item[name] for item in items] for name in names}
    columns["category"] = ["Reasoning"] * len(items)
    columns["choices"] = [json.dumps(item["choices"]) for item in items]
    clips = [{"bytes": data, "path": "x.wav"} for data in published_clips(len(items))]
    columns["audio"] = pyarrow.array(clips, audio_type())
    (folder / "data").mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), folder / "data" / "test_mini-00000-of-00001.parquet")


def mmau_test_json(folder: Path) -> None:
    """The 9,000 without answers: GitHub's questions beside the hub's audio."""
    items = mmau_items(split="test")
    write_json(folder / "mmau-test.json", items)
    write_tar(folder / "test-audios.tar.gz", items, "audio_id")


def mmsu_parquet(folder: Path) -> None:
    """As `ddwang2000/MMSU` on the hub: three shards with audio inside."""
    import pyarrow
    from pyarrow import parquet

    items = mmsu_items()
    clips = published_clips(len(items))
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for shard in range(3):
        part = slice(2 * shard, 2 * shard + 2)
        columns: dict[str, Any] = {
            name: pyarrow.array([item[name] for item in items[part]], pyarrow.string())
            for name in items[0]
            if name != "audio_path"
        }
        audio = [
            {"bytes": data, "path": f"{item['id']}.wav"} for item, data in zip(items[part], clips[part], strict=True)
        ]
        columns["audio"] = pyarrow.array(audio, audio_type())
        parquet.write_table(pyarrow.table(columns), folder / "data" / f"train-{shard:05}-of-00003.parquet")


def mmsu_question_folder(folder: Path) -> None:
    """The older copy: `question/mmsu.jsonl` beside `audio/`, numbers among the options."""
    items = mmsu_items()
    items[3] |= {"choice_a": 3, "choice_b": "3 at most", "choice_c": 4, "choice_d": 5, "answer_gt": 4}
    write_json(folder / "question" / "mmsu.jsonl", items)
    write_clips(folder, items, "audio_path")
    # In the published folder, some clips have the ending of what they are.
    (folder / "audio" / f"{items[1]['id']}.wav").rename(folder / "audio" / f"{items[1]['id']}.mp3")


def mmsu_jsonl_folder(folder: Path) -> None:
    """The older copy with its metadata at the top."""
    write_json(folder / "mmsu.jsonl", mmsu_items())
    write_clips(folder, mmsu_items(), "audio_path")


def audio_type() -> Any:
    """The type of an audio column."""
    import pyarrow

    return pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


LAYOUTS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "mmar v1 json, tar.gz": ("mmar", mmar_v1_archive),
    "mmar v2 jsonl, tar.gz": ("mmar", mmar_v2_archive),
    "mmar v2 jsonl, folder": ("mmar", mmar_v2_folder),
    "mmau json, folder": ("mmau-mini", mmau_json_folder),
    "mmau json, tar.gz": ("mmau-mini", mmau_json_archive),
    "mmau hub parquet": ("mmau-mini", mmau_hub_parquet),
    "mmau lmms parquet": ("mmau-mini", mmau_lmms_parquet),
    "mmau test json, tar.gz": ("mmau-test", mmau_test_json),
    "mmsu parquet": ("mmsu", mmsu_parquet),
    "mmsu question/jsonl, folder": ("mmsu", mmsu_question_folder),
    "mmsu jsonl, folder": ("mmsu", mmsu_jsonl_folder),
}
"""Name of a layout -> the task that reads it, and what writes it into a folder."""
