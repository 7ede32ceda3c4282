"""AudioSet: clips of ten seconds with labels of an ontology. https://research.google.com/audioset/

`balanced_train_segments.csv` and `unbalanced_train_segments.csv` hold a line for each clip, below lines that begin with
`#`, and `ontology.json` names the labels; made up:

    AbCdEfGhIjK, 30.000, 40.000, "/m/0rain,/m/0roof"

    [{"id": "/m/0rain", "name": "Rain", "child_ids": ["/m/0roof"], "restrictions": []}]

Clips are named as those who fetched them do: `AbCdEfGhIjK`, `YAbCdEfGhIjK`, or with the start, in seconds or in
milliseconds, and perhaps the end: `AbCdEfGhIjK_30`, `AbCdEfGhIjK_30.000_40.000`, `AbCdEfGhIjK_30000_40000`. Its labels
are not all that is heard: none is offered as a wrong option, and its rows are drafts with labels as notes, for
`dtbench cot`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DataError
from dtbench.harness.core.records import read_json
from dtbench.training.data.converters.conversion import ClipIndex, Skipped, find_files, labels_note, read_cells
from dtbench.training.data.rows import TrainingRow

SEGMENTS = ("*balanced_train_segments.csv", "**/*balanced_train_segments.csv")
CELLS = 4


class SoundLabel(NamedTuple):
    """A label of the ontology."""

    name: str
    children: Sequence[str]


Ontology = Mapping[str, SoundLabel]


def audioset_rows(folder: Path) -> Iterator[TrainingRow | Skipped]:
    """Yield a draft for each clip of the training sets; those for evaluation are not read."""
    files = find_files(folder, SEGMENTS, "AudioSet")
    ontology = _read_ontology(find_files(folder, ("ontology.json", "**/ontology.json"), "AudioSet")[0])
    clips = ClipIndex(folder)
    for file in files:
        for where, cells in read_cells(file, ","):
            if cells[0].startswith("#"):
                continue
            if len(cells) != CELLS:
                raise DataError(f"{where}: {CELLS} cells are expected (YTID, start, end, labels), found {len(cells)}.")
            yield _row(cells, ontology, clips, where)


def _read_ontology(file: Path) -> Ontology:
    labels = {}
    for record in read_json(file):
        children = record.texts("child_ids") if record.get("child_ids") != [] else ()
        labels[record.text("id")] = SoundLabel(record.text("name"), children)
    return labels


def _row(cells: Sequence[str], ontology: Ontology, clips: ClipIndex, where: str) -> TrainingRow | Skipped:
    name, start, end, labels = (cell.strip() for cell in cells)
    clip = clips.find(*_names(name, start, end, where))
    if clip is None:
        return Skipped("its clip is not there")
    given = list(dict.fromkeys(label for label in labels.split(",") if label in ontology))
    if not given:
        return Skipped("the ontology has none of its labels")
    names = [ontology[label].name for label in given if not _is_above_another(label, given, ontology)]
    return TrainingRow(
        id=f"audioset-{name}-{float(start):g}",
        audio=clip,
        question="",
        choices=(),
        answer="",
        source="AudioSet",
        extra={"labels": names, "notes": labels_note(names), "groups": {"label": names[0]}},
    )


def _names(name: str, start: str, end: str, where: str) -> Iterator[str]:
    try:
        first, last = float(start), float(end)
    except ValueError:
        raise DataError(f"{where}: start and end must be seconds, found {start!r} and {end!r}.") from None
    for stem in (name, f"Y{name}"):
        for begin, finish in ((start, end), (f"{first:g}", f"{last:g}"), (f"{first * 1000:g}", f"{last * 1000:g}")):
            yield f"{stem}_{begin}_{finish}"
            yield f"{stem}_{begin}"
        yield stem


def _is_above_another(label: str, given: Sequence[str], ontology: Ontology) -> bool:
    """Return whether a label only says less than another one of the clip, as Animal beside Dog does."""
    below, open_ = set[str](), list(ontology[label].children)
    while open_:
        child = open_.pop()
        if child not in below and child in ontology:
            below.add(child)
            open_ += ontology[child].children
    return not below.isdisjoint(set(given) - {label})
