"""What a run does about its tasks: models that are let go in time, and a summary that is never out of date."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from dtbench.harness.core.errors import MachineryError, ModelError
from dtbench.harness.core.model import Notify
from dtbench.harness.core.schema import Prompt, Response, Sample
from dtbench.harness.core.task import Task
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import RunJob, begin_run, make_plans, run_benchmarks
from dtbench.harness.run.signals import no_signals


class Birds(Task):
    name = "birds"

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        return [Sample(f"{self.name}-{n}", "Which?", ("crow", "jay"), "crow", Path("clip")) for n in range(4)]


class Bells(Birds):
    name = "bells"


class Noting:
    """Answers with the first option, and notes when it is started, asked and let go."""

    listens = False
    rate = 16000
    limit_seconds: float | None = None

    def __init__(self, name: str, notes: list[str], *, fails: Sequence[str] = (), starts: bool = True) -> None:
        self.name, self.notes, self.fails, self.starts = name, notes, fails, starts

    async def start(self, notify: Notify) -> None:
        self.notes.append(f"{self.name} starts")
        if not self.starts:
            raise MachineryError("no GPU is free")

    async def generate(self, prompt: Prompt) -> Response:
        if prompt.id in self.fails:
            raise ModelError("cannot be read", again=False)
        return Response("(A)")

    def describe(self) -> Mapping[str, Any]:
        return {"name": "noting"}

    async def aclose(self) -> None:
        self.notes.append(f"{self.name} is let go")


def ask(out: Path, tasks: Sequence[Task], models: Sequence[Noting], *, last: bool = True) -> None:
    request = RunRequest(
        model="noting", tasks=[task.name for task in tasks], task_objects=tasks, out=out, max_failed=0.5
    )
    with begin_run(RunJob(request, make_plans(request), models, last), quiet=True) as begun:
        asyncio.run(begun.ask(no_signals))
        begun.finish()


def test_the_model_of_a_task_is_let_go_before_that_of_the_next_comes_up(tmp_path: Path) -> None:
    notes: list[str] = []
    ask(tmp_path / "run", [Birds(), Bells()], [Noting("one", notes), Noting("other", notes)])
    assert notes == ["one starts", "one is let go", "other starts", "other is let go"]


def test_a_model_that_is_needed_again_is_kept(tmp_path: Path) -> None:
    notes: list[str] = []
    both = Noting("one", notes)
    ask(tmp_path / "run", [Birds(), Bells()], [both, both])
    assert notes == ["one starts", "one starts", "one is let go"]
    notes.clear()
    ask(tmp_path / "next", [Birds()], [both], last=False)
    assert notes == ["one starts"]


def test_a_resumed_run_that_stops_before_it_ends_has_no_summary_of_the_time_before(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    ask(folder, [Birds()], [Noting("one", [], fails=["birds-2"])])
    assert (folder / "summary.json").is_file()
    with pytest.raises(MachineryError, match="no GPU is free"):
        ask(folder, [Birds()], [Noting("one", [], starts=False)])
    assert not (folder / "summary.json").exists()


class EndedByASignal(Noting):
    """Sends its process the signal of an end just when the last task has been asked, and takes a while to be let go."""

    async def aclose(self) -> None:
        if len(self.notes) == 1:
            asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGTERM)
        else:
            await asyncio.sleep(0.01)
        await super().aclose()


def test_models_are_let_go_also_where_an_interrupt_falls_between_the_last_answer_and_the_end(tmp_path: Path) -> None:
    notes: list[str] = []
    model = EndedByASignal("one", notes)
    request = RunRequest(
        model="noting", model_object=model, tasks=["birds"], task_objects=[Birds()], out=tmp_path / "run"
    )
    with pytest.raises(KeyboardInterrupt):
        run_benchmarks(request, quiet=True)
    assert notes == ["one starts", "one is let go", "one is let go"]
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["status"] == "interrupted"
