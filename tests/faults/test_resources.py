"""What runs out, blocks, or is taken away: descriptors, room, pipes in place of files, a lock deleted by hand."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from campaign import CAMPAIGN
from command import COMMAND, Done, call, process
from exports import says
from made_up_run import write_run
from run_records import SETTINGS, TASK, record
from runs import Arguments, lines_of, mmar_data, started, wait_until, write_script

from dtbench.harness.audio.prepare import read_clip
from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.run_folder import RunFolder, StoredRun
from dtbench.harness.store.shards import parse_shard
from dtbench.tasks.data.archive import unpack

PIPES = ("run.json", "summary.json", "mmar.jsonl")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run."""
    mmar_data(tmp_path / "data", 12)
    write_run(tmp_path / "run", {"mmar": tmp_path / "data"}, says)
    assert call("score", tmp_path / "run", "--write").code == 0
    return tmp_path / "run"


@pytest.mark.parametrize("limit", [8, 10, 12, 13, 16, 32])
def test_few_descriptors_are_one_line_or_enough(tmp_path: Path, limit: int) -> None:
    mmar_data(tmp_path / "data", 40)
    asked = ("run", "--model", "random", "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "run")
    done = subprocess.run(
        [*COMMAND, *map(str, asked), "--concurrency", "64"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
    )
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert (done.returncode, len(errors)) in {(0, 0), (2, 1), (3, 1)}, done
    assert "Traceback" not in done.stderr
    assert "never retrieved" not in done.stderr
    assert call(*asked).code == 0
    assert len(list(StoredRun.open(tmp_path / "run").records("mmar"))) == 40
    CAMPAIGN.note(f"descriptors: {limit}", 1)


STREAMS: dict[str, tuple[tuple[str, ...], str, int]] = {
    "an error with stderr closed": (("score", "/nowhere"), "2>&-", 2),
    "an error with every stream closed": (("score", "/nowhere"), "<&- >&- 2>&-", 2),
    "an error with stderr full": (("score", "/nowhere"), "2>/dev/full", 2),
    "a score with stdout closed": (("score", "{run}"), ">&-", 0),
    "a score with stdout full": (("score", "{run}"), ">/dev/full", 3),
    "a score with both full": (("score", "{run}"), ">/dev/full 2>&1", 3),
    "JSON with stdout full": (("score", "{run}", "--json"), ">/dev/full", 3),
    "a gate with both full": (("gate", "--baseline", "{run}", "--candidate", "{other}"), ">/dev/full 2>/dev/full", 3),
    "a gate whose reader has gone": (("gate", "--baseline", "{run}", "--candidate", "{other}"), "| true", 0),
    "help with stdout full": (("--help",), ">/dev/full", 3),
}


@pytest.mark.parametrize("case", STREAMS)
def test_a_stream_that_is_closed_or_full_is_never_a_regression(run: Path, case: str) -> None:
    arguments, streams, code = STREAMS[case]
    other = shutil.copytree(run, run.with_name("other"))
    command = " ".join([*COMMAND, *(word.format(run=run, other=other) for word in arguments)])
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} {streams}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    CAMPAIGN.note(f"streams: {case}", 1)


@pytest.mark.parametrize("name", PIPES)
@pytest.mark.parametrize("command", ["score", "report", "merge", "watch"])
def test_a_pipe_in_place_of_a_file_is_refused_and_waited_for_by_nobody(run: Path, name: str, command: str) -> None:
    (run / name).unlink()
    os.mkfifo(run / name)
    out = ("--out", run.parent / "r.html") if command == "report" else ()
    done = process(command, run, *out)
    assert done.code in {0, 2, 4}, done
    assert "Traceback" not in done.err
    if name == "run.json":
        assert "a pipe or a device stands in place of a file" in done.err
    CAMPAIGN.note(f"pipe {name}: {command}", 1)


def test_a_clip_that_is_a_pipe_is_one_failed_question(tmp_path: Path) -> None:
    items = mmar_data(tmp_path / "data", 3)
    clip = tmp_path / "data" / items[1]["audio_path"]
    clip.parent.mkdir(parents=True)
    os.mkfifo(clip)
    with pytest.raises(DataError, match="a pipe or a device stands in place of a file"):
        read_clip(clip)


def locked_out(start: Callable[[], RunFolder]) -> str:
    with pytest.raises(UserError) as refused:
        start()
    return str(refused.value)


def test_a_lock_that_was_deleted_by_hand_still_keeps_a_second_run_out(tmp_path: Path) -> None:
    with RunFolder.start(tmp_path, SETTINGS) as first:
        first.append(TASK, record(0))
        (tmp_path / ".lock").unlink()
        assert "a run is writing there already (its .lock was deleted)" in locked_out(
            lambda: RunFolder.start(tmp_path, SETTINGS)
        )
        assert "is writing there" in locked_out(lambda: RunFolder.start(tmp_path, SETTINGS, shard=parse_shard("1/2")))
        first.append(TASK, record(1))
        first.finish("done")
    with RunFolder.start(tmp_path, SETTINGS) as second:
        assert second.finished(TASK) == {("item-0", 0), ("item-1", 0)}
        second.finish("done")


def test_a_shard_whose_locks_were_deleted_keeps_a_whole_run_out(tmp_path: Path) -> None:
    with RunFolder.start(tmp_path, SETTINGS, shard=parse_shard("1/2")) as shard:
        for lock in tmp_path.glob(".lock*"):
            lock.unlink()
        assert "writing there already" in locked_out(lambda: RunFolder.start(tmp_path, SETTINGS))
        shard.finish("done", missing=0)


def test_a_process_whose_lock_is_deleted_asks_nothing_twice(tmp_path: Path) -> None:
    items = mmar_data(tmp_path / "data", 30)
    lines = [{"id": item["id"], "text": "(A)", "sleep": 60 * (n > 3)} for n, item in enumerate(items)]
    model = write_script(tmp_path / "script.jsonl", lines)
    asked: Arguments = (*model, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "run")
    with started(*asked, "--concurrency", "2") as first:
        wait_until(lambda: lines_of(tmp_path / "run") == 4)
        (tmp_path / "run" / ".lock").unlink()
        assert "writing there already" in call("run", *asked).refusal()
        assert first.poll() is None
    assert lines_of(tmp_path / "run") == 4
    CAMPAIGN.note("lock deleted by hand", 1)


@pytest.mark.parametrize("depth", [21, 300, 1800])
def test_a_deep_archive_is_refused_and_leaves_nothing(tmp_path: Path, depth: int) -> None:
    archive = tmp_path / "audio.tar.gz"
    with tarfile.open(archive, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("/".join(["d"] * depth) + "/clip.wav")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"RIFF"))
    for _ in range(2):
        with pytest.raises(DataError, match="folders deep, and 20 are allowed"):
            unpack(archive, tmp_path / "audio")
    assert [path.name for path in tmp_path.iterdir()] == ["audio.tar.gz"]
    CAMPAIGN.note(f"archive {depth} folders deep", 2)


def test_a_device_is_written_to_and_a_link_followed(tmp_path: Path) -> None:
    pipe, link, real = tmp_path / "pipe", tmp_path / "link", tmp_path / "real"
    os.mkfifo(pipe)
    real.write_text("old")
    link.symlink_to(real)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    replace_whole(pipe, b"through")
    assert reader.communicate()[0] == b"through"
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    replace_whole(link, b"new")
    assert (link.is_symlink(), real.read_text()) == (True, "new")


def test_a_gate_writes_into_a_device_and_says_where_it_is_full(run: Path) -> None:
    other = shutil.copytree(run, run.with_name("other"))
    gate = ("gate", "--baseline", run, "--candidate", other, "--junit")
    assert call(*gate, "/dev/null").code == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    full = call(*gate, "/dev/full")
    assert (full.code, "/dev/full: cannot be written (No space left on device)" in full.err) == (3, True)
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


REPLIES = ("<think>", "<think></think", "{", '"[', '{"a":"', "[1,", "<think>{")


def test_a_judge_that_loops_is_read_in_time_that_grows_with_its_words() -> None:
    """A megabyte of each; read from each beginning to the end, the first alone would take an hour."""
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
from dtbench.harness.judge.verdict import json_values
for unit in {REPLIES!r}:
    assert [one for one in json_values(unit * (1_000_000 // len(unit))) if isinstance(one, dict)] == []
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


HOSTILE = "=cmd()|[y](javascript:alert(1))![x](http://a.b/c)\x1b[31m<b>"


def test_a_board_neutralises_what_an_endpoint_calls_its_model(run: Path) -> None:
    info = json.loads((run / "run.json").read_text())
    info["model"] = {"name": "x", "model": HOSTILE}
    (run / "run.json").write_text(json.dumps(info))

    def board(*options: str) -> Done:
        done = call("board", "--task", "mmar", "--runs", run.parent, *options)
        assert done.code == 0, done
        return done

    (row,) = [row for row in csv.DictReader(io.StringIO(board("--csv").out)) if "cmd()" in row["model"]]
    assert row["model"].startswith("'=cmd()")
    (line,) = [line for line in board("--md").out.splitlines() if "cmd()" in line]
    assert "](" not in line.replace("\\](", "")
    assert "<b>" not in line
    assert all("\x1b[31m" not in board(option).out for option in ("--csv", "--md", "--html"))
