from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from chat_server import Turn, chatting

import dtbench
from dtbench import DtbenchError, MachineryError, NoClip, Prompt, Response, Run, Sample, Task, TaskError, UserError

COUNT = 6


def second(choices: tuple[str, ...]) -> str:
    return choices[1]


async def slow(prompt: Prompt) -> Response:
    await asyncio.sleep(0.02)
    return Response(prompt.choices[0])


def dtbench_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("dtbench")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def small(model: Any, out: Path, **options: Any) -> Run:
    return dtbench.run(model, "mini", out=out, **{"limit": COUNT, **options})


def test_a_run_from_python_has_the_figures_of_the_command(tmp_path: Path) -> None:
    dtbench_command("run", "--model", "first", "--tasks", "mini", "--limit", str(COUNT), "--out", str(tmp_path / "cli"))
    by_hand, by_command = small("first", tmp_path / "python"), dtbench.load(tmp_path / "cli")
    assert by_hand.summary["tasks"] == by_command.summary["tasks"]
    assert by_hand.info["model"] == by_command.info["model"]
    assert by_hand.status == by_command.status == "done"


def test_a_script_prints_nothing_and_its_interrupt_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import itertools, sys, time, dtbench\n"
        "asked = itertools.count()\n"
        "def wait(choices):\n"
        "    time.sleep(0.02 if next(asked) < 40 else 2)\n"
        "    return choices[0]\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        f"        dtbench.run(wait, 'mini', out={str(tmp_path / 'run')!r}, limit=int(sys.argv[1]))\n"
        "    except KeyboardInterrupt:\n"
        "        sys.exit(7)\n"
    )
    process = subprocess.Popen([sys.executable, script, "400"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = tmp_path / "run" / "mini.jsonl"
    while not lines.exists() or lines.read_bytes().count(b"\n") < 3:
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    said = process.communicate()
    assert (process.returncode, *said) == (7, b"", b"")
    run = dtbench.load(tmp_path / "run")
    answered = len(list(run.records()))
    assert run.status == "interrupted"
    assert run.summary["tasks"][0]["missing"] == 400 - answered > 0

    done = subprocess.run([sys.executable, script, str(answered + 2)], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    again = dtbench.load(tmp_path / "run")
    assert (again.status, len(list(again.records()))) == ("done", answered + 2)


def test_a_loop_that_runs_already_is_no_hindrance(tmp_path: Path) -> None:
    async def cell() -> Run:
        return small(slow, tmp_path / "run")

    assert asyncio.run(cell()).status == "done"


def test_a_thread_is_no_hindrance_and_two_runs_stand_side_by_side(tmp_path: Path) -> None:
    runs: dict[str, Run] = {}

    def work(name: str) -> None:
        runs[name] = small(slow, tmp_path / name)

    threads = [threading.Thread(target=work, args=[name]) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: run.scores()["n"] for name, run in runs.items()} == {"a": COUNT, "b": COUNT}


def test_signal_handlers_are_left_as_they_are_while_a_run_lasts(tmp_path: Path) -> None:
    seen = set()

    async def model(prompt: Prompt) -> str:
        seen.add((signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)))
        return prompt.choices[0]

    async def cell() -> tuple[object, object]:
        before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        await dtbench.run_async(model, "mini", limit=2, out=tmp_path / "run")
        return before

    assert seen == {asyncio.run(cell())} - {None}


def test_a_cancelled_run_is_stored_as_interrupted_and_its_model_is_closed(tmp_path: Path) -> None:
    class Slow:
        listens, rate = False, 16000
        limit_seconds: float | None = None
        closed = 0
        answered = asyncio.Event()

        async def generate(self, prompt: Prompt) -> Response:
            await asyncio.sleep(0.01)
            self.answered.set()
            return Response(prompt.choices[0])

        def describe(self) -> Mapping[str, Any]:
            return {"name": "slow"}

        async def aclose(self) -> None:
            self.closed += 1

    model = Slow()

    async def cell() -> None:
        task = asyncio.create_task(dtbench.run_async(model, "mini", out=tmp_path / "run", concurrency=1))
        await model.answered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cell())
    assert model.closed == 1
    assert dtbench.load(tmp_path / "run").status == "interrupted"
    assert small("first", tmp_path / "other").status == "done", "nothing is left that disturbs another run"


def test_progress_is_shown_where_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small("first", tmp_path / "run")
    assert capsys.readouterr() == ("", "")
    small("first", tmp_path / "run", progress=True)
    assert f"{COUNT} of {COUNT} answers are there already" in capsys.readouterr().err


def test_several_tasks_and_options_are_those_of_the_command(tmp_path: Path) -> None:
    request: Mapping[str, Any] = {"limit": 2, "answer": "think", "seed": 5, "min_evidence": "chosen", "samples": 2}
    run = dtbench.run("random", ["mini", "mini-train-1"], out=tmp_path / "run", options={"seed": 3}, **request)
    assert run.tasks == ["mini", "mini-train-1"]
    about = run.info["tasks"]["mini"]
    assert (about["questions"], about["samples"], about["seed"]) == (2, 2, 5)
    assert (about["answer"], about["min_evidence"]) == ("think", "chosen")
    assert run.info["model"]["seed"] == 3
    with pytest.raises(UserError, match="has several tasks; name one of mini, mini-train-1"):
        run.scores()


def test_a_client_of_openai_answers_run_after_run_and_stays_open(tmp_path: Path) -> None:
    openai = pytest.importorskip("openai", reason="openai is an extra")
    with chatting(default=Turn("A")) as chat:
        client = openai.AsyncOpenAI(base_url=chat.url, api_key="a key of the test")
        for name in ("a", "b"):
            run = small(client, tmp_path / name, options={"model": "tiny", "temperature": 0.5})
            assert (run.status, run.model) == ("done", "tiny")
            assert run.info["model"]["sampling"]["temperature"] == 0.5
        assert not client.is_closed()
        with pytest.raises(UserError, match="which model of AsyncOpenAI"):
            small(client, tmp_path / "c")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda out: dtbench.run("first", "mini", out=out, lmit=3), "run: unknown setting 'lmit'. Did you mean limit"),
        (lambda out: dtbench.run("first", "mini", out=out, limit="x"), 'limit = "x": a whole number is expected'),
        (lambda out: dtbench.run(3, "mini", out=out), "the model is int: a name, a URL, a function"),  # type: ignore[arg-type]
        (lambda out: dtbench.run(Response, "mini", out=out), "the model is the class Response"),
        (lambda out: dtbench.run("first", [3], out=out), "a task is 3: a name, or a dtbench.Task"),  # type: ignore[list-item]
        (lambda out: dtbench.run("first", (), out=out), "--tasks is missing"),
        (lambda out: dtbench.run(second, "mini", out=out, options={"t": 1}), "is an object of Python and has its own"),
        (lambda out: dtbench.run("frist", "mini", out=out), "Did you mean first"),
    ],
)
def test_a_mistake_is_an_error_of_one_line(call: Callable[[Path], Run], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as raised:
        call(tmp_path / "run")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "run").exists()


def test_a_class_of_tasks_is_a_task_and_one_that_lacks_something_is_refused(tmp_path: Path) -> None:
    class Birds(Task):
        name = "birds"

        def samples(self, data_dir: Path | None) -> Iterable[Sample]:
            yield Sample("a", "Which?", ("x", "y"), "x", NoClip("a"))

    class Nameless(Birds):
        name = ""

    for task in (Birds, Birds()):
        run = dtbench.run(lambda choices: choices[0], task, out=tmp_path / "run")
        assert run.scores("birds")["official"]["accuracy"] == 1
    with pytest.raises(TaskError, match="the task Nameless has no name"):
        dtbench.run("first", Nameless, out=tmp_path / "other")


def test_a_warning_before_a_run_reaches_the_callers_handlers_and_not_stderr(tmp_path: Path) -> None:
    code = """
import logging, sys, dtbench
if len(sys.argv) > 1:
    logging.basicConfig(format="%(levelname)s: %(message)s")
dtbench.run("first", "mini", limit=1, out="run")
logging.getLogger("dtbench.models").warning("of two endpoints one is away")
"""
    for arguments, expected in (([], b""), (["basic"], b"WARNING: of two endpoints one is away\n")):
        command = [sys.executable, "-c", code, *arguments]
        assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stderr == expected


def test_a_model_that_fails_each_time_is_an_error_and_not_a_score(tmp_path: Path) -> None:
    def broken(text: str) -> str:
        raise RuntimeError(f"no weights for {len(text) > 0}")

    with pytest.raises(MachineryError, match=r"all 6 questions failed.*RuntimeError: no weights for True"):
        small(broken, tmp_path / "run")
    assert dtbench.load(tmp_path / "run").status == "failed"


def test_a_folder_without_a_run_gets_the_error_of_the_command(tmp_path: Path) -> None:
    done = dtbench_command("report", str(tmp_path))
    with pytest.raises(DtbenchError) as raised:
        dtbench.load(tmp_path)
    assert " ".join(done.stderr.split()).removeprefix("error: ") == str(raised.value)


Function = Callable[..., str | Response | Awaitable[str | Response]]


async def waits(choices: tuple[str, ...]) -> str:
    await asyncio.sleep(0)
    return choices[1]


@pytest.mark.parametrize("function", [second, waits, lambda prompt: prompt.choices[1]])
def test_any_function_of_a_prompt_is_a_model(function: Function, tmp_path: Path) -> None:
    right = small("echo-gold", tmp_path / "gold").records()
    golds = {record["id"]: record["extraction"]["choice"] for record in right}
    run = small(function, tmp_path / "run")
    chosen = {record["id"]: record["extraction"]["choice"] for record in run.records()}
    correct = sum(chosen[id_] == golds[id_] for id_ in golds)
    assert run.scores()["official"]["correct"] == correct
    assert set(chosen) == set(golds)
