"""What a run will ask: which questions of which tasks, how often, in which form."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtbench.harness.errors import UserError
from dtbench.harness.schema import Dataset, Prompt, Sample
from dtbench.harness.task import Task, letters

AUDIO_MODES = ("clip", "silence", "noise", "shuffle")


@dataclass(frozen=True, slots=True)
class Form:
    """How questions are put."""

    template: str | None = None
    """A user's own words around {question} and {options}; None for the task's."""
    audio: str = "clip"
    """One of AUDIO_MODES: what the model hears in place of the clip."""
    permute: int = 0
    """By how many places the options are rotated."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """One task of a run."""

    task: Task
    data: Dataset
    samples: Sequence[Sample]
    """The questions that are asked, in the order of the data set."""
    repeats: int
    form: Form

    @property
    def expected(self) -> int:
        """How many answers there will be."""
        return len(self.samples) * self.repeats

    def prompts(self, finished: set[tuple[str, int]]) -> Iterator[tuple[Sample, Prompt]]:
        """What is still to be asked, a question's repeats together."""
        for place, sample in enumerate(self.samples):
            for repeat in range(self.repeats):
                if (sample.id, repeat) not in finished:
                    yield sample, self.prompt(place, repeat)

    def prompt(self, place: int, repeat: int) -> Prompt:
        """The prompt of one question, options rotated and clip exchanged as the form says."""
        sample = self.samples[place]
        shown = rotated(sample, self.form.permute)
        prompt = self.task.prompt(shown) if self.form.template is None else from_template(self.form.template, shown)
        return dataclasses.replace(
            prompt,
            audio=self._other_clip(place) if self.form.audio == "shuffle" else prompt.audio,
            choices=shown.choices,
            id=sample.id,
            repeat=repeat,
            seed=_seed(self.form.seed, sample.id, repeat),
        )

    def _other_clip(self, place: int) -> Any:
        """Another sample's clip, the same one at every call."""
        others = len(self.samples) - 1
        if others == 0:
            raise UserError("--audio shuffle needs at least two questions: raise --limit.")
        step = 1 + _seed(self.form.seed, self.samples[place].id, -1) % others
        return self.samples[(place + step) % len(self.samples)].audio

    def settings(self) -> dict[str, Any]:
        """What must be the same for a run to be resumed."""
        return {
            "data": {"version": self.data.version, "sha256": self.data.sha256, "source": self.data.source},
            "prompt": self.prompt_text(),
            "prompt_hash": self.prompt_hash(),
            "questions": len(self.samples),
            "ids_sha256": hashlib.sha256("\n".join(s.id for s in self.samples).encode()).hexdigest()[:12],
            "samples": self.repeats,
            "audio": self.form.audio,
            "permute": self.form.permute,
            "seed": self.form.seed,
        }

    def prompt_text(self) -> str:
        """The words around a question, with placeholders for what changes."""
        blank = Sample("id", "{question}", ("{option 1}", "{option 2}"), None, Path("clip"))
        prompt = self.task.prompt(blank) if self.form.template is None else from_template(self.form.template, blank)
        return f"{prompt.system}\n\n{prompt.text}" if prompt.system else prompt.text

    def prompt_hash(self) -> str:
        """Twelve digits that differ where the words differ."""
        return hashlib.sha256(self.prompt_text().encode()).hexdigest()[:12]


def rotated(sample: Sample, places: int) -> Sample:
    """The sample with its options moved up by some places, the first ones to the end."""
    step = places % len(sample.choices)
    return sample if step == 0 else dataclasses.replace(sample, choices=sample.choices[step:] + sample.choices[:step])


def from_template(template: str, sample: Sample) -> Prompt:
    """A user's own prompt: {question} and {options} filled in."""
    options = "\n".join(f"({letter}) {text}" for letter, text in zip(letters(), sample.choices, strict=False))
    text = template.replace("{question}", sample.question).replace("{options}", options)
    return Prompt(text=text, audio=sample.audio)


def read_template(path: Path) -> str:
    """The text of a prompt file; it must say where the question and the options go."""
    try:
        template = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--prompt {path}: cannot be read as UTF-8 text ({error}).") from None
    missing = [mark for mark in ("{question}", "{options}") if mark not in template]
    if missing:
        raise UserError(f"--prompt {path}: {' and '.join(missing)} is missing; write it where it shall stand.")
    return template


def chosen_samples(data: Dataset, limit: int | None, ids: Sequence[str] | None) -> Sequence[Sample]:
    """The first `limit` questions, or those with the given ids."""
    samples = data.samples
    if ids is not None:
        known = {sample.id for sample in samples}
        unknown = [id_ for id_ in ids if id_ not in known]
        if unknown:
            raise UserError(
                f"--ids: {len(unknown)} of {len(ids)} ids are not in {data.source} (first: {unknown[0]!r}). "
                f"Ids look like {samples[0].id!r}."
            )
        wanted = set(ids)
        samples = [sample for sample in samples if sample.id in wanted]
    if limit is not None:
        samples = samples[:limit]
    return samples


def _seed(seed: int, id_: str, repeat: int) -> int:
    """A seed of its own for every answer, the same in every run."""
    return int.from_bytes(hashlib.blake2b(f"{seed}\0{id_}\0{repeat}".encode(), digest_size=4).digest(), "big")
