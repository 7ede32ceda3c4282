"""MagnaTagATune: music with tags from a game. https://mirg.city.ac.uk/codeapps/the-magnatagatune-dataset

`annotations_final.csv` has tabs between its cells: `clip_id`, a column of 0 and 1 for each of 188 tags, and `mp3_path`;
made up:

    "clip_id"	"guitar"	"no piano"	"slow"	"mp3_path"
    "2"	"1"	"0"	"1"	"a/some_band-some_record-01-some_song-30-59.mp3"

Below the folders `0` to `f` lie the clips, in the folder itself or in one within it. As is usual, `0` to `b` are for
training, `c` for validation and `d` to `f` for tests, of which no row is made. A 0 only says that players did not
agree on a tag: none is offered as a wrong option, and its rows are drafts with tags as notes, for `dtbench cot`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dtbench.harness.core.errors import DataError
from dtbench.training.data.converters.conversion import ClipIndex, Skipped, find_files, labels_note, read_cells
from dtbench.training.data.rows import TrainingRow

FILES = ("annotations_final.csv", "*/annotations_final.csv")
TRAINING_FOLDERS = frozenset("0123456789ab")


def magnatagatune_rows(folder: Path) -> Iterator[TrainingRow | Skipped]:
    """Yield a draft for each clip of the training folders that has a tag."""
    (file, *_) = find_files(folder, FILES, "MagnaTagATune")
    lines = read_cells(file, "\t")
    where, header = next(lines, (f"{file}, line 1", []))
    if len(header) < 3 or header[0] != "clip_id" or header[-1] != "mp3_path":
        raise DataError(f"{where}: clip_id, tags and mp3_path are expected with tabs between them, found {header[:3]}.")
    clips = ClipIndex(folder)
    for where, cells in lines:
        if len(cells) != len(header):
            raise DataError(f"{where}: {len(header)} cells are expected, as in the first line, found {len(cells)}.")
        tags = [tag for tag, cell in zip(header[1:-1], cells[1:-1], strict=True) if cell == "1"]
        yield _row(cells[0], tags, Path(cells[-1]), clips)


def _row(id_: str, tags: Sequence[str], path: Path, clips: ClipIndex) -> TrainingRow | Skipped:
    if path.parent.name not in TRAINING_FOLDERS:
        return Skipped("its folder is for validation or tests")
    if not tags:
        return Skipped("players agreed on no tag")
    clip = clips.find(path.stem)
    if clip is None:
        return Skipped("its clip is not there")
    if not clip.stat().st_size:  # three of the published ones are
        return Skipped("its clip is empty")
    return TrainingRow(
        id=f"magnatagatune-{id_}",
        audio=clip,
        question="",
        choices=(),
        answer="",
        source="MagnaTagATune",
        extra={"labels": list(tags), "notes": labels_note(tags), "groups": {"label": tags[0]}},
    )
