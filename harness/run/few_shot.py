"""`--num-fewshot N`: the task's first N examples stand before each question, as earlier turns with their own clips.

Examples are heard as they are in every listening test (`--audio`): only what is asked about is exchanged. Their options
are rotated with those of the questions (`--permute`). A question that is its own example is not asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.audio.prepare import hash_clip
from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError, DtbenchError, TaskError, UserError, format_error
from dtbench.harness.core.schema import FewShotExample, Prompt, Sample, clip_name
from dtbench.harness.core.task import Task
from dtbench.harness.store.form_types import ExamplesInfo

FLAG = "--num-fewshot"


def choose_examples(task: Task, data_dir: Path | None, count: int) -> tuple[Sample, ...]:
    """Return the first examples of a task; refuse more than there are, and one whose answer is not known."""
    if not count:
        return ()
    try:
        there = tuple(task.examples(data_dir))
    except DtbenchError:
        raise
    except Exception as error:  # someone else's code
        raise TaskError(f"{task.name}: examples() failed with {format_error(error)}.") from error
    if not there:
        raise UserError(
            f"{FLAG} {count}: {task.name} has no examples: leave it out, or give the task some: "
            "examples(self, data_dir) returns Samples with their answers."
        )
    if len(there) < count:
        raise UserError(
            f"{FLAG} {count}: {task.name} has no more examples than {len(there)}: {FLAG} {len(there)} takes all."
        )
    for sample in there[:count]:
        if not sample.answer or (sample.choices and sample.answer not in sample.choices):
            wanted = "the text of the right option" if sample.choices else "what is right"
            raise DataError(
                f"{task.name}: the example {sample.id!r} has the answer {sample.answer!r}, and {wanted} is expected."
            )
    return there[:count]


class AskedQuestions(NamedTuple):
    """The questions that are asked, and how many are not, as they are examples."""

    data: Dataset
    left_out: int


def without_examples(data: Dataset, examples: Sequence[Sample]) -> AskedQuestions:
    """Return the questions that are none of the examples, and how many were left out; a note of the data says it."""
    if not examples:
        return AskedQuestions(data, 0)
    known = set(map(_words, examples))
    own = [(_words(one), one.id, _clips(one)) for one in examples]

    def is_example(sample: Sample) -> bool:
        if _words(sample) not in known:
            return False
        return any(
            words == _words(sample) and (id_ == sample.id or clips == _clips(sample)) for words, id_, clips in own
        )

    kept = [place for place, sample in enumerate(data.samples) if not is_example(sample)]
    left_out = len(data.samples) - len(kept)
    if not left_out:
        return AskedQuestions(data, 0)
    what = "1 question is one of the examples and is" if left_out == 1 else f"{left_out} questions are examples and are"
    rest = data.select(kept)
    notes = [*data.notes, f"{what} not asked ({FLAG})"]
    return AskedQuestions(Dataset(rest.samples, data.version, data.source, notes), left_out)


def _words(sample: Sample) -> tuple[str, frozenset[str]]:
    return sample.question, frozenset(sample.choices)


def _clips(sample: Sample) -> tuple[str, ...]:
    return tuple(map(clip_name, sample.clips))


def examples_hash(examples: Sequence[Sample]) -> str:
    """Return twelve digits that differ where words, answers or clips of examples do; a lost clip has its name."""
    rows = []
    for one in examples:
        clips = []
        for clip in one.clips:
            try:
                clips.append(hash_clip(clip))
            except DataError:
                clips.append(Path(clip_name(clip)).name)
        rows.append([one.question, list(one.choices), one.answer, clips])
    return hashlib.sha256(json.dumps(rows).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def describe_examples(examples: Sequence[Sample], left_out: int) -> dict[str, Any]:
    """Return what run.json says of the examples of a task; nothing where there are none."""
    if not examples:
        return {}
    about: ExamplesInfo = {
        "ids": [sample.id for sample in examples],
        "sha256": examples_hash(examples),
        "left_out": left_out,
    }
    return {"num_fewshot": len(examples), "examples": about}


def as_turn(task: Task, sample: Sample, style: str, prompt: Prompt) -> FewShotExample:
    """Return an example as an earlier turn: worded as a question of this style, and answered as one."""
    try:
        return FewShotExample(prompt.text, task.example_answer(sample, style), prompt.clips)
    except DtbenchError:
        raise
    except Exception as error:  # someone else's code
        what = f"example_answer() of {sample.id!r} failed with {format_error(error)}"
        raise TaskError(f"{task.name}: {what}.") from error


def check_example_clips(examples: Sequence[Sample]) -> None:
    """Raise a DataError for a clip of an example that cannot be read: no question could be asked."""
    for one in examples:
        for clip in one.clips:
            hash_clip(clip)
