"""What the records of a task say of how they were made: by which prompt, and of which clips.

run.json says it too, for a whole run, and can be changed without its records; the clips stand in the records alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from dtbench.harness.core.text_table import TextMap
from dtbench.harness.store.types import AskedRecord, Record

Kind = TypeVar("Kind", Record, AskedRecord)


class OtherPrompt(NamedTuple):
    """An answer to another prompt than run.json says."""

    id: str
    prompt_hash: str


class OtherClip(NamedTuple):
    """A question that was asked with other audio in another run."""

    id: str
    before: str
    after: str


@dataclass(slots=True)
class RecordProvenance:
    """The prompts and clips of the answers to one task."""

    clips: TextMap = field(default_factory=TextMap)
    """The hash of the clip, by question."""
    unhashed: int = 0
    """How many answers to a clip have no hash: they were made before clips were hashed."""
    prompts: dict[str, str] = field(default_factory=dict)
    """Hashes of prompts, each with the first question that was asked so."""

    def watch(self, records: Iterable[Kind]) -> Iterator[Kind]:
        """Yield records as they are, and note what those with an answer say."""
        for record in records:
            if "error" not in record:
                self.add(record)
            yield record

    def add(self, record: Record | AskedRecord) -> None:
        """Note what one record says."""
        self.prompts.setdefault(record["prompt_hash"], record["id"])
        audio = record["audio"]
        if audio is None:
            return
        if "clip_hash" in audio:
            self.clips[record["id"]] = audio["clip_hash"]
        else:
            self.unhashed += 1

    @property
    def listened(self) -> bool:
        """Whether there are answers to clips."""
        return bool(self.clips or self.unhashed)

    def other_prompt(self, prompt_hash: str) -> OtherPrompt | None:
        """Return the first answer that was given to another prompt than the one with this hash; None where all fit."""
        return next((OtherPrompt(id_, other) for other, id_ in self.prompts.items() if other != prompt_hash), None)

    def other_clips(self, after: RecordProvenance) -> list[OtherClip]:
        """Return the questions of both runs that were asked with different audio."""
        both = ((id_, clip, after.clips.get(id_)) for id_, clip in self.clips.items())
        return [OtherClip(id_, clip, other) for id_, clip, other in both if other is not None and other != clip]
