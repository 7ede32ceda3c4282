"""`dtbench run --model FOLDER`: vLLM is started for the run, started again where it dies, and never left behind."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from called_birds import TASK, calls, write_birds
from command import COMMAND, Done, process
from engines import ONE_PROCESS
from processes import Running, descendants
from runs import assert_each_once, lines_of, records, status, wait_until

pytestmark = pytest.mark.engine

QUESTIONS = 200
ENDS_WITHIN = 900
"""Seconds for a run with two starts of vLLM, on a machine that does much besides."""
SMALL = ("-M", "temperature=0", "-M", "max_tokens=4", "-M", "kv_cache_memory_bytes=64M", "-M", "max_model_len=2048")


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("birds")
    write_birds(folder, calls(QUESTIONS))
    return folder


def arguments(checkpoint: Path, birds: Path, out: Path, *options: str) -> list[str]:
    data = ["--task-file", str(TASK), "--data-dir", str(birds), "--out", str(out)]
    return ["run", "--model", str(checkpoint), *data, *SMALL, *options]


def begun(arguments: Sequence[str], **environment: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9", **environment}
    return subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def ended(run: subprocess.Popen[bytes]) -> Done:
    try:
        out, err = run.communicate(timeout=ENDS_WITHIN)
    finally:
        run.kill()
    return Done(run.returncode, out.decode(), err.decode())


def engine_of(run: subprocess.Popen[bytes]) -> Running:
    """The process of `vllm serve`, without the one that watches over it."""
    return next(one for one in descendants(run.pid) if " serve " in one.command and "watchdog" not in one.command)


def assert_all_gone(started: Sequence[Running]) -> None:
    wait_until(lambda: not any(one.alive for one in started), ENDS_WITHIN)


class Course(NamedTuple):
    """A run that was killed, and the same command again, whose engine was killed."""

    out: Path
    before: int
    """Answers when the first one was killed."""
    started: Sequence[Running]
    """What the first one had started."""
    again: Done
    started_again: Sequence[Running]
    """What the second one had started before its engine died."""
    surroundings: Mapping[str, str]
    """The environment of that engine."""
    answers: Mapping[str, int]
    """Key -> the status with which that engine answered a request for its models."""


@pytest.fixture(scope="module")
def course(tiny_qwen2_audio: Path, birds: Path, tmp_path_factory: pytest.TempPathFactory) -> Course:
    out = tmp_path_factory.mktemp("course") / "out"
    first = begun(arguments(tiny_qwen2_audio, birds, out))  # vLLM in all the processes that a user sees
    try:
        wait_until(lambda: lines_of(out, "birds") >= 8, ENDS_WITHIN)
        started = descendants(first.pid)
    finally:
        first.kill()
        first.communicate()
    assert_all_gone(started)
    before = lines_of(out, "birds")
    second = begun(arguments(tiny_qwen2_audio, birds, out), **ONE_PROCESS)
    try:
        wait_until(lambda: lines_of(out, "birds") >= before + 8, ENDS_WITHIN)
        engine, started_again = engine_of(second), descendants(second.pid)
        surroundings = engine.environment
        answers = {key: asked_with(key, engine) for key in ("", "another", surroundings["VLLM_API_KEY"])}
        os.kill(engine.pid, signal.SIGKILL)
    finally:
        again = ended(second)
    return Course(out, before, started, again, started_again, surroundings, answers)


def asked_with(key: str, engine: Running) -> int:
    """The status with which an engine answers whoever has this key; an empty one is not sent."""
    port = engine.command.split(" --port ")[1].split()[0]
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=ENDS_WITHIN)
    with contextlib.closing(connection):
        connection.request("GET", "/v1/models", headers=headers)
        return connection.getresponse().status


def test_an_engine_answers_only_whoever_has_the_key_of_this_start(course: Course) -> None:
    assert course.answers == {"": 401, "another": 401, course.surroundings["VLLM_API_KEY"]: 200}


def test_kill_9_of_dtbench_leaves_no_engine_and_the_next_run_goes_on(
    course: Course, tiny_qwen2_audio: Path, birds: Path
) -> None:
    assert len(course.started) >= 4, "the watchdog, the server, its engine and what computes for it"
    assert 8 <= course.before < QUESTIONS
    assert course.again.code == 0, course.again.err
    assert f"birds: {course.before} of {QUESTIONS} answers are there already" in course.again.err
    assert_each_once(course.out, [f"call-{number}" for number in range(QUESTIONS)], task="birds")
    again = process(*arguments(tiny_qwen2_audio, birds, course.out))
    assert (again.code, "vLLM" in again.err) == (0, False), "a run that is whole starts no engine"


def test_an_engine_that_dies_in_mid_run_is_started_again_and_none_is_left(course: Course) -> None:
    assert course.again.code == 0, course.again.err
    assert "started again, 1 of 3 times" in course.again.err
    assert status(course.out) == "done"
    assert_each_once(course.out, [f"call-{number}" for number in range(QUESTIONS)], task="birds")
    assert not [record for record in records(course.out, "birds") if "error" in record]
    assert_all_gone(course.started_again)
    assert course.surroundings["HF_HUB_OFFLINE"] == course.surroundings["TRANSFORMERS_OFFLINE"] == "1"
    assert not {"OPENAI_API_KEY", "DTBENCH_API_KEY"} & course.surroundings.keys()
    told = json.loads((course.out / "run.json").read_text())
    assert told["model"]["architecture"] == "Qwen2AudioForConditionalGeneration"
    assert told["model"]["flags"]["max_model_len"] == "2048"
    assert told["model"]["sampling"]["max_tokens"] == 4
    assert told["endpoint"]["version"]


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_user_who_stops_while_it_starts_is_not_kept_waiting(
    tiny_qwen2_audio: Path, birds: Path, tmp_path: Path, sign: signal.Signals
) -> None:
    run = begun(arguments(tiny_qwen2_audio, birds, tmp_path / "out"))
    try:
        wait_until(lambda: any("vllm" in one.command for one in descendants(run.pid)), ENDS_WITHIN)
        started = descendants(run.pid)
        run.send_signal(sign)
    finally:
        done = ended(run)
    assert done.code == 130, done
    assert_all_gone(started)
    assert lines_of(tmp_path / "out", "birds") == 0


def refusal(done: Done, code: int = 2) -> str:
    """The one line that says what was wrong, after those that told of the start."""
    assert (done.code, done.out) == (code, ""), done
    *before, line = done.err.splitlines()
    assert all(one.startswith(("vLLM: ", "birds: ")) for one in before), done.err
    assert line.startswith("error: "), line
    return line


def copied(checkpoint: Path, to: Path) -> Path:
    shutil.copytree(checkpoint, to)
    return to


def changed(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_an_option_that_vllm_does_not_know_is_one_line(tiny_qwen2_audio: Path, birds: Path, tmp_path: Path) -> None:
    done = process(*arguments(tiny_qwen2_audio, birds, tmp_path / "out", "-M", "max_modle_len=1"))
    assert "vLLM has no option --max-modle-len" in refusal(done)
    assert "The whole log: " in done.err


@pytest.mark.whole
def test_an_architecture_that_vllm_does_not_serve_is_one_line(
    tiny_qwen2_audio: Path, birds: Path, tmp_path: Path
) -> None:
    checkpoint = copied(tiny_qwen2_audio, tmp_path / "checkpoint")
    changed(checkpoint / "config.json", architectures=["HumBirdForConditionalGeneration"])
    done = process(*arguments(checkpoint, birds, tmp_path / "out"))
    assert "HumBirdForConditionalGeneration" in (said := refusal(done))
    assert "use --backend local" in said


def test_weights_that_are_cut_short_are_one_line_before_a_start(
    tiny_qwen2_audio: Path, birds: Path, tmp_path: Path
) -> None:
    checkpoint = copied(tiny_qwen2_audio, tmp_path / "checkpoint")
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    done = process(*arguments(checkpoint, birds, tmp_path / "out"))
    size = weights.stat().st_size
    assert f"{weights}: its weights end after {size:,} of {size + 1000:,} bytes" in refusal(done)
    assert "vLLM: " not in done.err


def test_a_checkpoint_without_a_chat_template_says_how_to_give_one(
    tiny_checkpoints: Mapping[str, Path], birds: Path, tmp_path: Path
) -> None:
    checkpoint = copied(tiny_checkpoints["granite-speech"], tmp_path / "checkpoint")
    (checkpoint / "chat_template.jinja").unlink()
    done = ended(begun(arguments(checkpoint, birds, tmp_path / "out"), **ONE_PROCESS))
    assert "-M chat_template=FILE" in refusal(done, 3)
