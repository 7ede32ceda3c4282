"""The loop itself, with models that do as they please."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import tracemalloc
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from made_up_run import settings_of

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import MachineryError, ModelError, TaskError
from dtbench.harness.core.schema import Clip, Prompt, Response, Sample, Score
from dtbench.harness.core.task import Task
from dtbench.harness.extract.answer import Extraction
from dtbench.harness.run.dispatch import DispatchSettings
from dtbench.harness.run.loop import TaskRun
from dtbench.harness.run.plan import PromptForm, TaskPlan
from dtbench.harness.run.retry import RetryPolicy
from dtbench.harness.run.worker_pool import Progress, Stop
from dtbench.harness.store.run_folder import RunFolder
from dtbench.harness.store.types import Record

SETTINGS = DispatchSettings(concurrency=4, retries=RetryPolicy(first_wait=0.0001))


class Birds(Task):
    name = "birds"

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        return []


class Model:
    """Answers with the first option, and counts."""

    listens = False
    rate = 16000
    limit_seconds: float | None = None

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.in_flight = self.most_in_flight = 0

    async def generate(self, prompt: Prompt) -> Response:
        self.asked.append(prompt.id)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(0)
            return self.answer(prompt)
        finally:
            self.in_flight -= 1

    def answer(self, prompt: Prompt) -> Response:
        return Response("(A)")

    def describe(self) -> Mapping[str, Any]:
        return {"name": "birdwatcher"}

    async def aclose(self) -> None:
        """Nothing is held."""


def plan(*samples: Sample, repeats: int = 1, task: Task | None = None) -> TaskPlan:
    return TaskPlan(task or Birds(), Dataset(samples, "own", "here"), repeats, PromptForm())


def birds(count: int, audio: Path | Clip = Path("clip")) -> list[Sample]:
    return [Sample(f"bird-{n}", f"Which bird calls in {n}?", ("crow", "jay"), "crow", audio) for n in range(count)]


def hold(
    folder: Path, model: Model, plan: TaskPlan, *, settings: DispatchSettings = SETTINGS, stop: Stop | None = None
) -> Progress:
    """Ask all that is missing in a folder."""
    with RunFolder.start(folder, settings_of({})) as run_folder:
        run = TaskRun(plan, model, run_folder, settings)
        asyncio.run(run.run(stop or Stop(), lambda progress: None))
    return run.progress


def records(folder: Path) -> dict[str, Record]:
    with RunFolder.start(folder, settings_of({})) as run_folder:
        return {record["id"]: record for record in run_folder.records("birds")}


def test_every_question_is_asked_once_and_counted(tmp_path: Path) -> None:
    model = Model()
    tally = hold(tmp_path / "run", model, plan(*birds(20)))
    assert sorted(model.asked) == sorted(f"bird-{number}" for number in range(20))
    assert tally == Progress(20, done=20, asked=20, correct=20)
    assert model.most_in_flight == 4


class Fickle(Model):
    """Fails every question so often before it answers."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def answer(self, prompt: Prompt) -> Response:
        if self.asked.count(prompt.id) <= self.times:
            raise ModelError("not now", again=True)
        return Response("(A)")


@pytest.mark.parametrize(("times", "attempts"), [(0, 1), (1, 2), (4, 5)])
def test_a_question_is_asked_up_to_five_times_and_each_is_counted(tmp_path: Path, times: int, attempts: int) -> None:
    hold(tmp_path / "run", Fickle(times), plan(*birds(10)))
    assert {record["response"]["attempts"] for record in records(tmp_path / "run").values()} == {attempts}


def test_a_model_that_never_answers_is_asked_five_times_for_each_of_eight(tmp_path: Path) -> None:
    model = Fickle(1000)
    patient = dataclasses.replace(SETTINGS, concurrency=1, max_failed=1.0)
    with pytest.raises(MachineryError, match="birds: the last 8 questions all failed, the run stops here"):
        hold(tmp_path / "run", model, plan(*birds(100)), settings=patient)
    assert len(model.asked) == 40
    assert {record["error"]["attempts"] for record in records(tmp_path / "run").values()} == {5}


class Broken(Model):
    """A model of someone's own that breaks over one question."""

    def answer(self, prompt: Prompt) -> Response:
        return Response({f"bird-{n}": "(A)" for n in range(10) if n != 5}[prompt.id])


def test_a_model_that_breaks_over_a_question_has_failed_it_and_is_asked_the_next(tmp_path: Path) -> None:
    tally = hold(tmp_path / "run", Broken(), plan(*birds(10)))
    assert (tally.done, tally.failed) == (10, 1)
    error = records(tmp_path / "run")["bird-5"]["error"]
    assert error["message"].startswith("the model failed with KeyError: 'bird-5' (test_loop.py, line ")
    assert error["attempts"] == 1


class Listener(Model):
    listens = True


class BadClip:
    """A clip of someone's own that cannot be read."""

    label = "bad clip"

    def read(self) -> bytes:
        raise RuntimeError("the tape is torn")


def test_a_clip_that_breaks_is_a_failed_question_and_says_nothing_of_the_model(tmp_path: Path) -> None:
    model = Listener()
    with pytest.raises(
        MachineryError, match=r"birds: all 20 questions failed\. The last one: bad clip: reading the clip"
    ):
        hold(tmp_path / "run", model, plan(*birds(20, BadClip())))
    found = records(tmp_path / "run")
    assert len(found) == 20
    assert model.asked == []
    assert found["bird-0"]["error"]["kind"] == "audio"
    assert "RuntimeError: the tape is torn" in found["bird-0"]["error"]["message"]


class Unjust(Birds):
    """A task whose score breaks."""

    def score(self, sample: Sample, extraction: Extraction) -> Score:
        raise ZeroDivisionError("no rule")


def test_a_task_that_cannot_score_ends_the_run_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        TaskError, match=r"^birds: scoring the answer to 'bird-0' failed with ZeroDivisionError: no rule"
    ):
        hold(tmp_path / "run", Model(), plan(*birds(20), task=Unjust()))


class Stopper(Model):
    """Wants the run to stop at its fifth question."""

    def __init__(self, stop: Stop) -> None:
        super().__init__()
        self.stop = stop

    def answer(self, prompt: Prompt) -> Response:
        self.stop.requested = self.stop.requested or len(self.asked) >= 5
        return Response("(A)")


def test_after_a_wish_to_stop_no_question_is_asked_and_every_answer_is_kept(tmp_path: Path) -> None:
    stop = Stop()
    model = Stopper(stop)
    tally = hold(tmp_path / "run", model, plan(*birds(50)), stop=stop)
    assert 5 <= len(model.asked) <= 8
    assert tally.done == len(records(tmp_path / "run")) == len(model.asked)


def test_memory_does_not_grow_with_the_number_of_repeats(tmp_path: Path) -> None:
    def peak(repeats: int) -> int:
        gc.collect()
        tracemalloc.start()
        hold(tmp_path / str(repeats), Model(), plan(*birds(20), repeats=repeats))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)  # what is imported and cached by the first
    few, many = peak(10), peak(100)
    assert many < few + 50_000, "1,800 more records of 500 bytes are held nowhere"
