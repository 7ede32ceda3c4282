"""The promises of the store when something outside goes wrong: killed processes, a full disk, two runs at once."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import run_records
from run_records import SETTINGS, TASK, record

import dtbench
from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.harness.store.jsonl import RecordLine, read_lines
from dtbench.harness.store.run_folder import RunFolder, StoredRun

KILLS = int(os.environ.get("DTBENCH_KILLS", "20"))
NUMBERS = 100_000
"""More than all killed children together get to."""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(dtbench.__file__).parents[1])}


def child(folder: Path, numbers: int, *, pipe_bytes: int = -1) -> subprocess.Popen[bytes]:
    """A process that appends what is missing, and says each number once it is stored."""
    command = [sys.executable, run_records.__file__, str(folder), str(numbers)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, env=ENVIRONMENT, pipesize=pipe_bytes)


def killed_at_random(folder: Path, chance: random.Random) -> set[int]:
    """The numbers that a child said were stored, before it was killed somewhere: while starting, or while appending."""
    with child(folder, NUMBERS) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = b""
        if chance.random() < 0.7:
            said = process.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.015))
        else:
            time.sleep(chance.uniform(0.0, 0.2))
        process.kill()
        said += process.stdout.read()
        assert process.wait() == -signal.SIGKILL, process.stderr.read().decode()
    return set(map(int, said.split()))


def test_many_kills_lose_nothing_that_was_stored_and_double_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    chance = random.Random(20260)
    stored: set[int] = set()
    for _ in range(KILLS):
        stored |= killed_at_random(folder, chance)
        if (folder / "run.json").exists():
            there = {int(id_.removeprefix("item-")) for id_, _ in StoredRun.open(folder).finished(TASK)}
            assert stored <= there
    numbers = max(stored) + 500
    with child(folder, numbers) as process:
        out, err = process.communicate()
        assert process.returncode == 0, err.decode()
        assert stored.isdisjoint(map(int, out.split()))
    path = folder / f"{TASK}.jsonl"
    lines = list(read_lines(path, path.stat().st_size))
    assert all(isinstance(line, RecordLine) for line in lines), (
        "torn lines are cut off before anything is written behind them"
    )
    assert Counter(line.key() for line in lines if isinstance(line, RecordLine)) == Counter(
        {(f"item-{number}", 0): 1 for number in range(numbers)}
    )
    info = StoredRun.open(folder).info
    assert info["status"] == "done"
    assert {start["status"] for start in info["starts"][:-1]} == {"interrupted"}
    assert len(info["starts"]) > KILLS / 2
    assert [path.name for path in folder.glob(".*.tmp")] == []


def test_a_second_run_is_refused_with_the_process_that_holds_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with child(folder, NUMBERS) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(UserError) as caught:
            RunFolder.start(folder, {"other": "settings"})
        process.kill()
    assert str(caught.value) == (
        f"--out {folder}: a run is writing there already (pid {process.pid} on {os.uname().nodename}). "
        f"Wait for its end or stop it, or name another --out."
    )
    with RunFolder.start(folder, SETTINGS) as run:
        assert run.resumed


def test_of_several_started_at_once_one_writes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    children = [child(folder, 300) for _ in range(6)]
    ends = [(process, *process.communicate()) for process in children]
    refused = [err.decode() for process, _, err in ends if process.returncode != 0]
    assert all("UserError: --out" in err for err in refused), refused
    written = [int(number) for _, out, _ in ends for number in out.split()]
    assert sorted(written) == list(range(300))
    assert len(list(StoredRun.open(folder).records(TASK))) == 300


def test_a_run_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    numbers = 3000
    said, looks = 0, 0
    with child(folder, numbers, pipe_bytes=4096) as process:  # so little that it cannot run away from its reader
        assert process.stdout is not None
        while heard := os.read(process.stdout.fileno(), 1024):
            said += heard.count(b"\n")
            looks += 1
            found = [item["id"] for item in StoredRun.open(folder).records(TASK)]
            assert found == [f"item-{number}" for number in range(len(found))]
            assert len(found) >= said
    assert process.returncode == 0
    assert (said, len(found)) == (numbers, numbers)
    assert looks > 10


def fill(run: RunFolder, begin: int = 0) -> tuple[int, str]:
    """The first record from `begin` on that did not fit, and what was said then."""
    for number in range(begin, 10_000):
        try:
            run.append(TASK, record(number))
        except MachineryError as error:
            return number, str(error)
    raise AssertionError("the disk is larger than it was made")


def test_a_full_disk_is_one_clear_error_and_the_folder_goes_on_when_there_is_room(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    with small_disk(place):
        folder, ballast = place / "run", place / "ballast"
        ballast.write_bytes(bytes(100_000))
        with RunFolder.start(folder, SETTINGS) as run:
            fitted, said = fill(run)
            assert said.startswith(f"{folder / TASK}.jsonl: cannot be written (")
            assert "Make room; what was stored before is whole." in said
            assert "\n" not in said
            assert len(run.finished(TASK)) == fitted > 20
            assert run.torn == {TASK: 0}
            ballast.unlink()
            run.append(TASK, record(fitted))
            fitted, _ = fill(run, fitted + 1)
            with pytest.raises(MachineryError, match=r"summary\.json: cannot be written \(No space left"):
                run.write_summary({"text": "x" * 10_000})
            with pytest.raises(MachineryError, match=r"run\.json: cannot be written \(No space left"):
                run.finish("failed")
        assert {path.name for path in folder.iterdir()} == {".lock", "run.json", "run.log", f"{TASK}.jsonl"}
        json.loads((folder / "run.json").read_text())
        assert list(StoredRun.open(folder).records(TASK)) == [record(number) for number in range(fitted)]
        with pytest.raises(MachineryError, match="No space left"):
            RunFolder.start(folder, SETTINGS)
        with pytest.raises(MachineryError, match="No space left"):
            RunFolder.start(place / "new", SETTINGS)


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """A file system of 256 kB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root; the limit on file sizes is tested without it")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_file_that_may_not_grow_further_stays_whole(tmp_path: Path) -> None:
    with RunFolder.start(tmp_path / "run", SETTINGS) as run, files_of_at_most(20_000):
        fitted, said = fill(run)
        assert len(list(run.records(TASK))) == fitted > 5
        assert run.torn == {TASK: 0}
        assert "cannot be written (" in said


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
