"""Write each question of a run beside its answers, once, just before the first of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.schema import Clip, Findable
from dtbench.harness.core.task import Task
from dtbench.harness.core.text_table import TextTable
from dtbench.harness.score.run_questions import question_record
from dtbench.harness.store.question_files import question_heads
from dtbench.harness.store.run_folder import RunFolder
from dtbench.harness.store.types import Record, clip_hashes

_ABSENT, _WITHOUT_CLIP, _WHOLE = range(3)


class QuestionLog:
    """The questions of one task that lie in a run folder; a byte is held of each question of the data set."""

    def __init__(self, task: Task, data: Dataset, folder: RunFolder, *, own_clips: bool = True) -> None:
        self._task, self._folder = task, folder
        self._whole = data.whole
        self._own_clips = own_clips
        """Whether what is heard with a question is its own clip."""
        ids = self._whole.ids
        self._there = bytearray(len(ids))
        for head in question_heads(folder.path, task.name):
            place = head.place
            if place < len(ids) and ids[place] == head.id and self._whole.question_hash(place) == head.question_hash:
                self._there[place] = max(self._there[place], _WITHOUT_CLIP if head.lacks_clip else _WHOLE)

    def add(self, place: int, heard: Sequence[str]) -> None:
        """Append the question at a place of the whole data set, unless it is there with the hashes of its clips.

        `heard` are the hashes of what the model heard; clips that it did not, as a baseline hears none, are read.
        """
        heard = heard if self._own_clips else ()
        if self._there[place] >= (_WHOLE if heard else _WITHOUT_CLIP):
            return
        clips = self._whole.samples[place].clips
        hashes = heard if len(heard) == len(clips) else [self._hash_of(clip) for clip in clips]
        self._folder.append_question(self._task.name, question_record(self._task, self._whole, place, hashes))
        self._there[place] = _WITHOUT_CLIP if None in hashes else _WHOLE

    def _hash_of(self, clip: Path | Clip) -> str | None:
        """Return the hash of a clip; None where it cannot be read."""
        if isinstance(clip, Findable) and not clip.is_there():
            return None
        from dtbench.harness.audio.prepare import hash_clip  # hashlib: 5 ms that scoring does not need

        try:
            return hash_clip(clip)
        except Exception:  # a clip of someone else's code too; whoever needs the sound says what is wrong
            return None

    def add_answered(self, answered: Collection[tuple[str, int]], places: Iterable[int] | None = None) -> None:
        """Append the answered questions that are not there, as in an older run, of these places in the whole or all."""
        if not answered:
            return
        if places is None and _ABSENT not in self._there:
            return
        with_answer = TextTable()
        for id_, _ in answered:
            with_answer.add(id_)
        ids = self._whole.ids
        absent = (place for place in (range(len(ids)) if places is None else places) if self._there[place] == _ABSENT)
        lacking = {id_: place for place in absent if (id_ := ids[place]) in with_answer}
        for record in self._folder.every_record_as(self._task.name, Record) if lacking else ():
            place = lacking.get(record["id"])
            # A record of an old run has no such hash: its data as a whole is the run's, or the run was refused.
            if place is not None and record.get("question_hash") in {None, self._whole.question_hash(place)}:
                self.add(place, clip_hashes(record["audio"]))
