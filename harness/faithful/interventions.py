"""Make the interventions on the chains of a stored run; pure, so that a training can use them too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import TaskError, format_error
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import ChainEdit, Task
from dtbench.harness.faithful.chain_layout import ChainLayout, find_chain
from dtbench.harness.faithful.options import INTERVENTION_NAMES, refuse_unknown
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.store.faithful_types import LeftOutFigures

CONTROL, SHUFFLED = "control", "shuffled clips"
EDITED = ("description", "step")
"""Those that a task makes, as kinds of its edits."""
NUMBERS: Mapping[str, int] = MappingProxyType({name: number for number, name in enumerate(INTERVENTION_NAMES)})


class Intervention(NamedTuple):
    """One changed chain of one question."""

    name: str
    sample: Sample
    repeat: int
    """Which of the run's answers to the question."""
    kept: str
    """The option that the run's own answer has."""
    begun: str
    """The beginning of the answer that the model continues; empty where it is asked anew."""
    target: str | None
    """The option that the change leads to; None where it leads nowhere."""

    @property
    def key(self) -> tuple[str, int]:
        """The key of its record."""
        return self.sample.id, NUMBERS[self.name]


class ChangedRun(NamedTuple):
    """The interventions on a run, and how many of its answers have none."""

    interventions: Sequence[Intervention]
    ids: Sequence[str]
    """The questions whose answers were looked at."""
    chains: int
    left_out: LeftOutFigures

    @property
    def questions(self) -> int:
        """How many answers were looked at."""
        return len(self.ids)


class _Answered(NamedTuple):
    sample: Sample
    choice: str
    layout: ChainLayout | None
    edits: Sequence[ChainEdit]


def make_interventions(
    stored: StoredTask, data: Dataset, *, repeat: int = 0, limit: int | None = None, only: Sequence[str] = ()
) -> ChangedRun:
    """Make every intervention on the chains of a run's task, or those that are named; none needs a model."""
    refuse_unknown(only)
    places, texts = data.places(), dict[str, str]()
    for record in stored.records():
        if record["sample"] == repeat and "error" not in record and record["id"] in places:
            texts[record["id"]] = record["response"]["text"]
    asked = [sample for sample in data.samples if sample.id in texts][:limit]
    answered = [one for sample in asked if (one := _read(stored, sample, texts[sample.id])) is not None]
    chains = [one for one in answered if one.layout is not None]
    made = [
        Intervention(name, one.sample, repeat, one.choice, begun, target)
        for place, one in enumerate(answered)
        for name, begun, target in _of_one(one, _donor(answered, place))
        if not only or name in only
    ]
    unedited = sum(not one.edits for one in chains)
    left_out: LeftOutFigures = {
        "no_answer": len(asked) - len(answered),
        "no_chain": len(answered) - len(chains),
        "no_edit": unedited,
    }
    return ChangedRun(made, [sample.id for sample in asked], len(chains), left_out)


def _read(stored: StoredTask, sample: Sample, text: str) -> _Answered | None:
    """Read one answer of the run; None where it has no option."""
    choice = stored.read(sample, text).choice
    if choice is None:
        return None
    layout = find_chain(text, stored.chain)
    edits = () if layout is None else _edits(stored.task, sample, layout.chain)
    return _Answered(sample, choice, layout, [edit for edit in edits if edit.option != choice])


def _edits(task: Task, sample: Sample, chain: str) -> Sequence[ChainEdit]:
    """Return the first edit of each kind that a task makes of a chain; a TaskError for a kind that there is not."""
    try:
        every = task.chain_edits(sample.as_published(), chain)
    except Exception as error:  # someone else's code
        raise TaskError(f"{task.name}: chain_edits() of {sample.id!r} failed with {format_error(error)}.") from error
    by_kind = {edit.kind: edit for edit in reversed(every)}
    if unknown := by_kind.keys() - EDITED:
        known = " and ".join(EDITED)
        raise TaskError(
            f"{task.name}: chain_edits() of {sample.id!r} has the kind {min(unknown)!r}; {known} are known."
        )
    return [by_kind[kind] for kind in EDITED if kind in by_kind]


class _Change(NamedTuple):
    name: str
    begun: str
    target: str | None


def _of_one(one: _Answered, donor: _Answered | None) -> Iterator[_Change]:
    """Yield what is given to the model in place of one answer."""
    layout = one.layout
    if layout is not None:
        unchanged = next((edit.unchanged for edit in one.edits), None)
        whole = layout.closed_with(layout.chain)
        yield _Change(CONTROL, whole if unchanged is None else layout.open_with(unchanged), None)
        for edit in one.edits:
            yield _Change(edit.kind, layout.open_with(edit.text), edit.option)
        yield _Change("empty", layout.closed_with(""), None)
        for share in (25, 50, 75):
            yield _Change(f"cut {share} %", layout.closed_with(layout.cut_at(share / 100)), None)
        yield _Change("filler", layout.closed_with(layout.filler()), None)
        if donor is not None and donor.layout is not None:
            led = donor.choice if donor.choice in one.sample.choices else None
            yield _Change("other reasoning", layout.closed_with(donor.layout.chain), led if led != one.choice else None)
    if one.sample.clips:
        yield _Change(SHUFFLED, "", None)


def _donor(answered: Sequence[_Answered], place: int) -> _Answered | None:
    """Return the next answer with a chain that ends with another of this question's options, else the next one."""
    own, first = answered[place], None
    for step in range(1, len(answered)):
        other = answered[(place + step) % len(answered)]
        if other.layout is None:
            continue
        if other.choice != own.choice and other.choice in own.sample.choices:
            return other
        first = first or other
    return first
