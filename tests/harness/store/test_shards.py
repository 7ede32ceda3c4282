"""Files of shards in a run folder: each has its own, and nothing is written twice by two of them."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from run_records import ABOUT, SETTINGS, TASK, changed, failure, files, record

from dtbench.harness.core.errors import UserError
from dtbench.harness.store.atomic import create_whole
from dtbench.harness.store.locks import FileLock, running_shards
from dtbench.harness.store.run_folder import RunFolder, StoredRun
from dtbench.harness.store.run_json import refuse_foreign
from dtbench.harness.store.shard_states import shard_states
from dtbench.harness.store.shards import Shard, has_shards, parse_shard, record_files


def write_shard(folder: Path, shard: str, *numbers: int, missing: int = 0) -> None:
    """Start a shard, let it append these records, and end it."""
    with RunFolder.start(folder, SETTINGS, shard=parse_shard(shard)) as run:
        for number in numbers:
            run.append(TASK, record(number))
        run.finish("interrupted" if missing else "done", missing=missing)


def test_shards_write_files_of_their_own_and_are_read_as_one_run(tmp_path: Path) -> None:
    first, second = (RunFolder.start(tmp_path, SETTINGS, shard=Shard(2, number)) for number in (1, 2))
    with first, second:
        second.append(TASK, record(1))
        first.append(TASK, record(0))
        first.append(TASK, record(2))
        assert first.finished(TASK) == second.finished(TASK) == {(f"item-{number}", 0) for number in range(3)}
        assert running_shards(tmp_path) == [Shard(2, 1), Shard(2, 2)]
    assert list(StoredRun.open(tmp_path).records(TASK)) == [record(0), record(2), record(1)]
    assert {name for name in files(tmp_path) if not name.startswith(".")} == {
        *("run.json", f"{TASK}.1-of-2.jsonl", f"{TASK}.2-of-2.jsonl"),
        *("run.1-of-2.json", "run.2-of-2.json", "run.1-of-2.log", "run.2-of-2.log"),
    }
    assert running_shards(tmp_path) == []
    assert has_shards(tmp_path)


def test_an_answer_in_any_file_stands_over_failures_and_the_plain_file_over_those_of_shards(tmp_path: Path) -> None:
    with RunFolder.start(tmp_path, SETTINGS, shard=Shard(2, 2)) as run:
        for item in (record(0), record(1), failure(2, message="first"), failure(3)):
            run.append(TASK, item)
    with RunFolder.start(tmp_path, SETTINGS, shard=Shard(10, 1)) as run:
        run.append(TASK, failure(0))
        run.append(TASK, failure(2, message="second"))
    anew = {**record(1), "prompt_hash": "anew"}
    with RunFolder.start(tmp_path, SETTINGS) as run:
        run.append(TASK, anew)
        run.append(TASK, record(3))
        run.finish("done")
    stored = StoredRun.open(tmp_path)
    assert list(stored.records(TASK)) == [record(0), failure(2, message="second"), anew, record(3)]
    assert stored.finished(TASK) == {(f"item-{number}", 0) for number in (0, 1, 3)}
    assert [path.name for path in record_files(tmp_path, TASK)] == [
        f"{TASK}.2-of-2.jsonl",
        f"{TASK}.1-of-10.jsonl",
        f"{TASK}.jsonl",
    ]


def test_a_whole_run_takes_the_starts_of_shards_over(tmp_path: Path) -> None:
    write_shard(tmp_path, "1/2", 0)
    RunFolder.start(tmp_path, SETTINGS, shard=Shard(2, 2), command=["dtbench", "killed"]).close()
    assert StoredRun.open(tmp_path).info["status"] == "running"
    with RunFolder.start(tmp_path, SETTINGS) as run:
        run.finish("done")
    info = json.loads((tmp_path / "run.json").read_text())
    assert info["status"] == "done"
    assert sorted(start["status"] for start in info["starts"]) == ["done", "done", "interrupted"]
    assert list(tmp_path.glob("run.*-of-*.json")) == []


def test_the_status_of_a_run_is_that_of_its_shards_until_one_sums_up(tmp_path: Path) -> None:
    write_shard(tmp_path, "1/2", 0)
    stored = StoredRun.open(tmp_path)
    assert stored.info["status"] == "interrupted"
    assert [one.standing for one in shard_states(tmp_path, stored.info)] == ["done", "not started"]
    write_shard(tmp_path, "2/2", 1, missing=3)
    stored = StoredRun.open(tmp_path)
    assert [one.standing for one in shard_states(tmp_path, stored.info)] == ["done", "interrupted, 3 answers missing"]
    with RunFolder.start(tmp_path, SETTINGS, shard=Shard(2, 2)) as run:
        assert StoredRun.open(tmp_path).info["status"] == "running"
        assert shard_states(tmp_path, run.info)[1].standing.startswith("running (pid ")
        run.finish("done", missing=0)
        run.end_shards("done")
    assert StoredRun.open(tmp_path).info["status"] == "done"
    assert len(StoredRun.open(tmp_path).info["starts"]) == 3


def test_shards_that_asked_other_questions_have_not_started(tmp_path: Path) -> None:
    write_shard(tmp_path, "1/2", 0)
    info = StoredRun.open(tmp_path).info
    info["tasks"] = {TASK: {**info["tasks"][TASK], "ids_sha256": "0" * 12}}
    assert [one.standing for one in shard_states(tmp_path, info)] == ["not started", "not started"]


def test_a_torn_line_is_counted_by_its_own_shard_alone(tmp_path: Path) -> None:
    write_shard(tmp_path, "1/2", 0, 2)
    path = tmp_path / f"{TASK}.1-of-2.jsonl"
    os.truncate(path, path.stat().st_size - 10)
    with RunFolder.start(tmp_path, SETTINGS, shard=Shard(2, 2)) as run:
        assert (run.finished(TASK), run.torn) == ({("item-0", 0)}, {TASK: 0})
    assert path.read_bytes().count(b"\n") == 1, "only its own shard cuts it off"
    with RunFolder.start(tmp_path, SETTINGS, shard=Shard(2, 1)) as run:
        assert (run.finished(TASK), run.torn) == ({("item-0", 0)}, {TASK: 1})
        run.append(TASK, record(2))
    assert list(StoredRun.open(tmp_path).records(TASK)) == [record(0), record(2)]


def test_a_shard_of_other_settings_is_refused(tmp_path: Path) -> None:
    write_shard(tmp_path, "1/2", 0)
    with pytest.raises(UserError, match="other"):
        RunFolder.start(tmp_path, changed(long_clips="refuse"), shard=Shard(2, 2))
    assert not (tmp_path / "run.2-of-2.json").exists()


def test_settings_that_failed_before_the_first_answer_may_be_mended(tmp_path: Path) -> None:
    with RunFolder.start(tmp_path, SETTINGS, shard=Shard(2, 1)) as run:
        run.finish("failed")
    with RunFolder.start(tmp_path, changed(long_clips="refuse"), shard=Shard(2, 2)) as run:
        run.finish("done", missing=0)
    assert StoredRun.open(tmp_path).info["long_clips"] == "refuse"


def test_a_task_cannot_be_named_like_the_file_of_a_shard(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the file of a shard"):
        RunFolder.start(tmp_path / "run", changed(tasks={f"{TASK}.1-of-2": ABOUT}))


def create_by(number: int, path: Path) -> bool:
    return create_whole(path, b"%d" % number * 100_000, writer=str(number))


def test_of_many_processes_that_create_a_file_one_does_and_no_other_changes_it(tmp_path: Path) -> None:
    numbers = range(8)
    with ProcessPoolExecutor(4) as pool:
        for place in range(20):
            path = tmp_path / f"run-{place}.json"
            created = list(pool.map(create_by, numbers, [path] * len(numbers)))
            assert sum(created) == 1
            assert path.read_bytes() == b"%d" % created.index(True) * 100_000
    assert len(list(tmp_path.iterdir())) == 20


def test_what_a_process_killed_while_it_created_run_json_leaves_does_no_harm(tmp_path: Path) -> None:
    write_shard(tmp_path, "1/2", 0)
    before = (tmp_path / "run.json").read_bytes()
    (tmp_path / ".run.json.1-of-2.tmp").hardlink_to(tmp_path / "run.json")
    with (tmp_path / "run.json").open("rb") as reader:
        write_shard(tmp_path, "1/2", 1)
        with RunFolder.start(tmp_path, SETTINGS, shard=Shard(2, 1)) as run:
            run.write_run_info()
        assert reader.read() == before, "whoever reads the old file reads it whole"
    assert list(tmp_path.glob(".*.tmp")) == []


def test_a_torn_line_of_a_shard_whose_number_ends_alike_is_not_counted(tmp_path: Path) -> None:
    write_shard(tmp_path, "11/20", 0, 1)
    path = tmp_path / f"{TASK}.11-of-20.jsonl"
    os.truncate(path, path.stat().st_size - 10)
    with RunFolder.start(tmp_path, SETTINGS, shard=Shard(20, 1)) as run:
        assert (run.finished(TASK), run.torn) == ({("item-0", 0)}, {TASK: 0})


def test_shards_do_without_locks_where_a_file_system_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    write_shard(tmp_path, "1/2", 0)
    write_shard(tmp_path, "2/2", 1)
    assert len(list(StoredRun.open(tmp_path).records(TASK))) == 2
    assert "nothing keeps out a second start of this shard" in caplog.text


def test_whoever_only_looks_at_a_lock_keeps_no_shard_out(tmp_path: Path) -> None:
    lock = tmp_path / ".lock.1-of-2"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with pytest.raises(Exception, match="just starting"):
            FileLock(lock)
    FileLock(lock).close()
    write_shard(tmp_path, "1/2", 0)


def test_what_another_shard_begins_while_the_folder_is_looked_at_is_no_foreign_file(tmp_path: Path) -> None:
    def begin(folder: Path) -> None:
        for _ in range(10):
            (folder / ".run.json.3-of-6.tmp").touch()
            (folder / ".run.json.3-of-6.tmp").unlink()
        for name in ("run.json", "run.3-of-6.json", "run.3-of-6.log", f"{TASK}.3-of-6.jsonl"):
            (folder / name).touch()

    for number in range(300):
        folder = tmp_path / str(number)
        folder.mkdir()
        first_shard = threading.Thread(target=begin, args=(folder,))
        first_shard.start()
        while first_shard.is_alive():
            refuse_foreign(folder)
        first_shard.join()


def test_a_file_that_no_shard_makes_is_a_foreign_one(tmp_path: Path) -> None:
    for name in (".run.json.3-of-6.tmp", ".lock", ".lock.3-of-6", "run.log"):
        (tmp_path / name).touch()
    refuse_foreign(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match=r"not empty \(notes\.txt\)"):
        refuse_foreign(tmp_path)


def test_a_run_of_shards_ends_with_the_last_of_them_whichever_that_is(tmp_path: Path) -> None:
    write_shard(tmp_path, "1/2", 0)
    write_shard(tmp_path, "2/2", 1)
    for label, moment in (("1-of-2", "2030-01-02T00:00:00+00:00"), ("2-of-2", "2030-01-01T00:00:00+00:00")):
        state = tmp_path / f"run.{label}.json"
        info = json.loads(state.read_text())
        info["starts"][-1]["end"] = moment
        state.write_text(json.dumps(info))
    assert StoredRun.open(tmp_path).info["end"] == "2030-01-02T00:00:00+00:00"
