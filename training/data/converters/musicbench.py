"""MusicBench: captions of music with tempo, key, chords and beats. https://huggingface.co/datasets/amaai-lab/MusicBench

`MusicBench_train.json` is JSON lines, its clips lie below `datashare/`; an item, made up:

    {"dataset": "MusicBench", "location": "data_aug2/AbCdEfGhIjK_1.wav", "main_caption": "A slow guitar.",
     "alt_caption": "A guitar plays.", "prompt_aug": "", "prompt_ch": "The chords are C, G.", "prompt_bt": "",
     "prompt_bpm": "It is an Adagio.", "prompt_key": "The key is C major."}

It has no questions: its rows are drafts with a caption, for `dtbench cot`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dtbench.harness.core.records import MetadataRecord, read_json
from dtbench.training.data.converters.conversion import Skipped, find_files
from dtbench.training.data.rows import TrainingRow

FEATURES = ("prompt_bpm", "prompt_key", "prompt_ch", "prompt_bt", "prompt_aug")
"""Sentences about measurements of the clip; a caption may contain some of them already."""
CLIPS = ("datashare", ".")


def musicbench_rows(folder: Path) -> Iterator[TrainingRow | Skipped]:
    """Yield a draft for each clip; of the test sets, none."""
    for file in find_files(folder, ("MusicBench_train.json", "*/MusicBench_train.json"), "MusicBench"):
        for record in read_json(file):
            yield _row(record, file.parent)


def _row(record: MetadataRecord, folder: Path) -> TrainingRow | Skipped:
    location = record.text("location")
    if ".." in Path(location).parts or Path(location).is_absolute():
        raise record.wrong(f"'location' must be a path within the data set, found {location!r}")
    clip = next((path for root in CLIPS if (path := folder / root / location).is_file()), None)
    if clip is None:
        return Skipped("its clip is not there")
    caption = record.text("main_caption").strip()
    if not caption:
        return Skipped("it has no caption")
    more = [text.strip() for name in FEATURES if isinstance(text := record.item.get(name), str) and text.strip()]
    whole = " ".join((caption, *(text for text in more if text not in caption)))
    part, _, name = location.removesuffix(clip.suffix).rpartition("/")
    return TrainingRow(
        id=f"musicbench-{part.replace('/', '-') or 'data'}-{name}",
        audio=clip,
        question="",
        choices=(),
        answer="",
        source="MusicBench",
        extra={"caption": whole, "groups": {"part": part or "data"}},
    )
