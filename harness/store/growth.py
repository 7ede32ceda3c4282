"""How a run grows: the folder goes on with other questions, tasks or repeats, and run.json says what was asked last.

The answers that a start does not ask for stay where they are; readers leave them out and count them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dtbench.harness.store.identity import effective_model
from dtbench.harness.store.jsonl import Key
from dtbench.harness.store.types import AnyInfo, TaskInfo


@dataclass(frozen=True, slots=True)
class AskedAnswers:
    """Which answers the last start asked for."""

    ids: frozenset[str] | None
    """None for every question in the folder."""
    samples: int | None
    """How many to each; None for all."""

    def cover(self, key: Key) -> bool:
        """Return whether the answer with this key was asked for."""
        return (self.ids is None or key.id in self.ids) and (self.samples is None or key.sample < self.samples)


def asked_answers(info: Mapping[str, Any], task: str) -> AskedAnswers:
    """Return which answers to a task the last start asked for."""
    about = info["tasks"].get(task, {})
    ids = about.get("ids")
    return AskedAnswers(None if ids is None else frozenset(ids), about.get("samples"))


def grow(info: AnyInfo, settings: Mapping[str, Any]) -> AnyInfo:
    """Return the run.json of a folder that goes on with these settings; tasks that they lack are kept aside."""
    before: Mapping[str, Any] = info
    known = {**before.get("other_tasks", {}), **before["tasks"]}
    others = {
        name: _with_own_model(about, effective_model({**before, "tasks": known}, name), settings.get("model", {}))
        for name, about in known.items()
        if name not in settings.get("tasks", {})
    }
    head = {name: value for name, value in before.items() if name not in {"track", "other_tasks"}}
    return cast("AnyInfo", {**head, **settings, **({"other_tasks": others} if others else {})})


def _with_own_model(about: Mapping[str, Any], model: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in model.items() if name not in shared or shared[name] != value}
    return {**{name: value for name, value in about.items() if name != "model"}, **({"model": own} if own else {})}


def asks_the_same(info: AnyInfo, settings: Mapping[str, Any]) -> bool:
    """Whether a start with these settings asks for the answers that the last one asked for."""
    before, now = (
        {name: (about.get("ids_sha256", about.get("chains")), about.get("samples")) for name, about in tasks.items()}
        for tasks in (cast("Mapping[str, Any]", info["tasks"]), settings.get("tasks", {}))
    )
    return bool(before == now) and info.get("calls") == settings.get("calls")


def without_needless_ids(about: Mapping[str, Any], there: Callable[[], Iterable[Key]]) -> Mapping[str, Any]:
    """Leave out the list of questions where the folder holds answers to no others; `there` reads what it holds."""
    if "ids" not in about or not {key.id for key in there()} <= set(about["ids"]):
        return about
    return {name: value for name, value in about.items() if name != "ids"}


@dataclass(frozen=True, slots=True)
class UnaskedAnswers:
    """The answers to a task that lie in the folder and that the last start did not ask for."""

    count: int = 0
    other_questions: bool = False
    """Whether some are to questions that it did not ask."""
    samples: int = 0
    """How many answers a question has at most, those that were asked for included."""

    @classmethod
    def of(cls, others: Collection[Key], asked: AskedAnswers) -> UnaskedAnswers:
        """Count the answers with these keys, none of which was asked for."""
        elsewhere = asked.ids is not None and any(key.id not in asked.ids for key in others)
        return cls(len(others), elsewhere, max((key.sample + 1 for key in others), default=0))

    def notes(self, about: TaskInfo, folder: Path) -> list[str]:
        """Say how many there are, and how to count them."""
        if not self.count:
            return []
        flags = [option.partition(" ")[0] for option in about.get("chosen_by", ())]
        ways = [f"without {' and '.join(flags)}"] if self.other_questions and flags else []
        ways += [f"with --samples {self.samples}"] if self.samples > about["samples"] else []
        how = f"; run it {' and '.join(ways)} to count them" if ways else ""
        answers = "1 more answer" if self.count == 1 else f"{self.count} more answers"
        return [f"{answers} of this task {'lies' if self.count == 1 else 'lie'} in {folder}{how}"]


def other_task_notes(info: Mapping[str, Any], folder: Path) -> list[str]:
    """Say which tasks the folder holds answers of beside those that were asked for last, and how to count them."""
    others = list(info.get("other_tasks", {}))
    if not others:
        return []
    every = ",".join([*info["tasks"], *others])
    return [f"{folder} holds answers of {' and '.join(others)} too; run it with --tasks {every} to count them"]
