"""CochlScene: recordings of thirteen kinds of places. https://zenodo.org/records/7080122

Below `Train`, `Val` and `Test` lies a folder for each place, and in it its clips of ten seconds, named after the
place, who recorded it and when: `Train/SubwayStation/SubwayStation_user0001_12345678_000.wav`. Of `Val` and `Test` no
row is made. The question and its options are ours. A place that sounds like the right one, as a cafe for a restaurant,
is never offered beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dtbench.training.data.converters.conversion import ENDINGS, Skipped, find_files, with_distractors
from dtbench.training.data.rows import TrainingRow

QUESTION = "In what kind of place was this recorded?"
SCENES = {
    "Bus": "a bus",
    "Cafe": "a cafe",
    "Car": "a car",
    "CrowdedIndoor": "a crowded indoor place",
    "Elevator": "an elevator",
    "Kitchen": "a kitchen",
    "Park": "a park",
    "ResidentialArea": "a residential area",
    "Restaurant": "a restaurant",
    "Restroom": "a restroom",
    "Street": "a street",
    "Subway": "a subway train",
    "SubwayStation": "a subway station",
}
ALIKE = (
    {"Cafe", "Restaurant", "CrowdedIndoor"},
    {"CrowdedIndoor", "SubwayStation"},
    {"Subway", "SubwayStation"},
    {"Bus", "Car", "Subway"},
    {"Street", "ResidentialArea"},
    {"Park", "ResidentialArea"},
    {"Kitchen", "Restroom"},
)


def cochlscene_rows(folder: Path) -> Iterator[TrainingRow | Skipped]:
    """Yield a question for each clip for training, as many as there are."""
    for clip in find_files(folder, ("Train/*/*", "*/Train/*/*"), "CochlScene"):
        if clip.suffix.lower() in ENDINGS:
            yield _row(clip)


def _row(clip: Path) -> TrainingRow | Skipped:
    scene = clip.parent.name
    if scene not in SCENES:
        return Skipped("its folder is none of the thirteen places")
    near = {other for places in ALIKE if scene in places for other in places}
    return TrainingRow(
        id=f"cochlscene-{clip.stem}",
        audio=clip,
        question=QUESTION,
        choices=with_distractors(SCENES[scene], (SCENES[other] for other in SCENES.keys() - near), clip.stem),
        answer=SCENES[scene],
        source="CochlScene",
        extra={"groups": {"scene": scene}},
    )
