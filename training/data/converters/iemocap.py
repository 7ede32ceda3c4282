"""IEMOCAP: acted dialogues with an emotion for each utterance. https://sail.usc.edu/iemocap/

`Session1/dialog/EmoEvaluation/Ses01F_impro01.txt` holds a line for each utterance, parted by tabs, made up:

    [6.2901 - 8.2357]	Ses01F_impro01_F000	neu	[2.5000, 2.5000, 2.5000]

and its clip is `Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav`. The question and its options are ours.
An emotion that listeners take for the right one, as frustration for anger, is never offered beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dtbench.harness.core.errors import DataError
from dtbench.training.data.converters.conversion import Skipped, find_files, with_distractors
from dtbench.training.data.rows import TrainingRow

QUESTION = "Which emotion does the speaker express?"
EMOTIONS = {
    "neu": "neutral",
    "hap": "happiness",
    "sad": "sadness",
    "ang": "anger",
    "sur": "surprise",
    "fea": "fear",
    "dis": "disgust",
    "fru": "frustration",
    "exc": "excitement",
}
ALIKE = ({"happiness", "excitement"}, {"anger", "frustration"}, {"anger", "disgust"}, {"surprise", "excitement"})
_LINE = re.compile(r"\[\s*[\d.]+\s*-\s*[\d.]+\s*\]\s+(?P<name>Ses\w+)\s+(?P<label>[a-z]{3})\b")


def iemocap_rows(folder: Path) -> Iterator[TrainingRow | Skipped]:
    """Yield a question for each utterance on whose emotion its listeners agreed."""
    for file in find_files(folder, ("Session*/dialog/EmoEvaluation/Ses*.txt",), "IEMOCAP"):
        session = file.parents[2]
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{file}: cannot be read ({error}).") from None
        for match in _LINE.finditer(text):
            yield _row(session, match["name"], match["label"])


def _row(session: Path, name: str, label: str) -> TrainingRow | Skipped:
    if label not in EMOTIONS:  # xxx: no majority, oth: an emotion without a name
        return Skipped("its listeners agreed on no emotion" if label == "xxx" else "its emotion has no name")
    clip = session / "sentences" / "wav" / name.rpartition("_")[0] / f"{name}.wav"
    if not clip.is_file():
        return Skipped("its clip is not there")
    emotion = EMOTIONS[label]
    near = {other for pair in ALIKE if emotion in pair for other in pair}
    return TrainingRow(
        id=f"iemocap-{name}",
        audio=clip,
        question=QUESTION,
        choices=with_distractors(emotion, set(EMOTIONS.values()) - near, name),
        answer=emotion,
        source="IEMOCAP",
        extra={"groups": {"emotion": emotion, "acted": "improvised" if "impro" in name else "scripted"}},
    )
