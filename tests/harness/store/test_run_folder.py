from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_records import ABOUT, SETTINGS, TASK, changed, failure, files, record, refusal

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.store.run_folder import RunFolder, StoredRun
from dtbench.harness.store.run_json import SCHEMA
from dtbench.harness.store.types import AskedRecord


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "first"


def test_what_is_appended_is_read_back_in_order(folder: Path) -> None:
    items = [record(number, sample=sample) for number in range(5) for sample in range(2)]
    with RunFolder.start(folder, changed(tasks={TASK: {**ABOUT, "samples": 2}})) as run:
        assert not run.resumed
        for item in items:
            run.append(TASK, item)
        run.finish("done")
    stored = StoredRun.open(folder)
    assert list(stored.records(TASK)) == items
    assert stored.finished(TASK) == {(item["id"], item["sample"]) for item in items}
    assert stored.torn == {TASK: 0}
    assert list(stored.records("other")) == []
    assert {path.name for path in folder.iterdir()} == {".lock", "run.json", "run.log", f"{TASK}.jsonl"}


def test_of_several_records_the_last_answer_stands_and_else_the_last_failure(folder: Path) -> None:
    again = {**record(0), "prompt_hash": "second"}
    with RunFolder.start(folder, SETTINGS) as run:
        for item in (
            *(failure(1, message="first"), failure(2), record(0), record(3)),
            *(again, failure(1, message="second"), record(2), failure(3)),
        ):
            run.append(TASK, item)
        assert list(run.records(TASK)) == [record(3), again, failure(1, message="second"), record(2)]
        assert run.finished(TASK) == {("item-0", 0), ("item-2", 0), ("item-3", 0)}


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12))
def test_each_answer_stands_once_whatever_failed_when(outcomes: list[tuple[int, bool]]) -> None:
    items = [
        {**(failure(number) if fails else record(number, characters=20)), "prompt_hash": str(place)}
        for place, (number, fails) in enumerate(outcomes)
    ]
    numbers = {number for number, _ in outcomes}
    answers = {number: [place for place, one in enumerate(outcomes) if one == (number, False)] for number in numbers}
    failures = {number: [place for place, one in enumerate(outcomes) if one == (number, True)] for number in numbers}
    standing = sorted((answers[number] or failures[number])[-1] for number in numbers)
    with tempfile.TemporaryDirectory() as name, RunFolder.start(Path(name) / "run", SETTINGS) as run:
        for item in items:
            run.append(TASK, item)
        assert [one["prompt_hash"] for one in run.records(TASK)] == [str(place) for place in standing]


def test_a_resumed_run_cuts_a_torn_line_off_and_goes_on(folder: Path) -> None:
    with RunFolder.start(folder, SETTINGS) as run:
        run.append(TASK, record(0))
        run.append(TASK, record(1))
    path = folder / f"{TASK}.jsonl"
    os.truncate(path, path.stat().st_size - 10)
    with RunFolder.start(folder, SETTINGS) as run:
        assert run.resumed
        assert run.finished(TASK) == {("item-0", 0)}
        assert run.torn == {TASK: 1}
        run.append(TASK, record(2))
        assert list(run.records(TASK)) == [record(0), record(2)]
        assert run.torn == {TASK: 0}


def test_run_json_tells_of_every_start(folder: Path) -> None:
    with RunFolder.start(folder, SETTINGS, command=["dtbench", "run", "--model", "x"]) as run:
        first = json.loads((folder / "run.json").read_text())
        assert (first["status"], first["end"]) == ("running", None)
        run.finish("interrupted")
    with RunFolder.start(folder, SETTINGS, command=["dtbench", "run"]) as run:
        run.finish("done")
    info = StoredRun.open(folder).info
    assert (info["schema"], info["status"], info["start"]) == (SCHEMA, "done", first["start"])
    assert {**info, **SETTINGS} == info
    assert [start["status"] for start in info["starts"]] == ["interrupted", "done"]
    assert [start["command"] for start in info["starts"]] == [["dtbench", "run", "--model", "x"], ["dtbench", "run"]]
    start = info["starts"][1]
    assert (start["pid"], start["host"]) == (os.getpid(), os.uname().nodename)
    assert start["start"] <= str(start["end"]) == info["end"]
    assert start["packages"].keys() >= {"numpy", "soundfile"}


def test_a_start_that_ended_without_a_word_was_interrupted(folder: Path) -> None:
    with RunFolder.start(folder, SETTINGS):
        (folder / "run.json").rename(folder / "kept")
    (folder / "kept").rename(folder / "run.json")
    assert StoredRun.open(folder).info["status"] == "running"
    with RunFolder.start(folder, SETTINGS) as run:
        assert [start["status"] for start in run.info["starts"]] == ["interrupted", "running"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt, "interrupted"), (SystemExit, "interrupted"), (ZeroDivisionError, "failed")],
)
def test_an_error_that_ends_the_run_is_its_status(folder: Path, error: type[BaseException], status: str) -> None:
    def stopped_early() -> None:
        with RunFolder.start(folder, SETTINGS) as run:
            run.append(TASK, record(0))
            raise error

    with pytest.raises(error):
        stopped_early()
    stored = StoredRun.open(folder)
    assert stored.info["status"] == status
    assert list(stored.records(TASK)) == [record(0)]


def test_a_closed_run_takes_no_more(folder: Path) -> None:
    with RunFolder.start(folder, SETTINGS) as run:
        run.append(TASK, record(0))
    run.close()
    with pytest.raises(ValueError, match="is closed"):
        run.append(TASK, record(1))


def test_a_summary_is_replaced_whole(folder: Path) -> None:
    with RunFolder.start(folder, SETTINGS) as run:
        run.write_summary({"accuracy": 0.5, "name": "é\ud800"})
        run.write_summary({"accuracy": None})
    assert json.loads((folder / "summary.json").read_text()) == {"accuracy": None}
    assert [path.name for path in folder.glob(".*.tmp")] == []


# What is not a run folder


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "", "a\nb", "x" * 200])
def test_a_task_whose_name_cannot_name_a_file_is_refused_before_anything_is_written(folder: Path, name: str) -> None:
    with pytest.raises(UserError, match="its name cannot name a file"):
        RunFolder.start(folder, {"tasks": {name: {}}})
    assert not folder.exists()


def test_a_run_of_a_newer_dtbench_is_refused(folder: Path) -> None:
    RunFolder.start(folder, SETTINGS).close()
    path = folder / "run.json"
    path.write_text(path.read_text().replace(f'"schema": {SCHEMA}', f'"schema": {SCHEMA + 1}'))
    line = refusal(folder, SETTINGS)
    assert line == f"{path}: written by a newer dtbench (schema {SCHEMA + 1}, this one reads {SCHEMA}): update dtbench."
    with pytest.raises(UserError, match="newer dtbench"):
        StoredRun.open(folder)


def test_a_run_of_an_older_dtbench_is_refused_and_stays_as_it_was(folder: Path) -> None:
    RunFolder.start(folder, SETTINGS).close()
    path = folder / "run.json"
    path.write_text(path.read_text().replace(f'"schema": {SCHEMA}', '"schema": 1'))
    line = refusal(folder, SETTINGS)
    assert line == (
        f"{path}: written by an older dtbench (schema 1, this one reads {SCHEMA}): run it again into another --out, or "
        f"read it with the dtbench that wrote it."
    )
    with pytest.raises(DataError, match="older dtbench"):
        StoredRun.open(folder)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("status", "ended", "Invalid enum value 'ended' at status"),
        ("start", 3, "Expected str | null, got int at start"),
        ("tasks", {TASK: {**ABOUT, "samples": "1"}}, "Expected int, got str at tasks[...].samples"),
        ("starts", [1], "Expected object, got int at starts[0]"),
    ],
)
def test_a_field_of_run_json_that_is_wrong_is_named(folder: Path, name: str, value: object, what: str) -> None:
    RunFolder.start(folder, SETTINGS).close()
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    with pytest.raises(DataError) as error:
        StoredRun.open(folder)
    assert str(error.value).startswith(f"{path}: {what}: it was changed since dtbench wrote it.")


def test_a_judges_folder_is_not_a_runs(folder: Path) -> None:
    judged = {"chains": "a1", "questions": 2, "data": ABOUT["data"], "sample": 0}
    words = {"prompt": "Mark it.", "prompt_hash": "b2", "calls": 5, "judge_seed": 42}
    settings = {"kind": "judge", "judge": {"name": "tiny"}, "endpoint": {}, **words, "tasks": {TASK: judged}}
    RunFolder.start(folder, settings).close()
    with pytest.raises(UserError, match=r"`dtbench judge` made this folder; name one of `dtbench run`\."):
        StoredRun.open(folder)
    assert StoredRun.open(folder, "judge").finished(TASK) == set()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"schema": true}', '{"schema": 2}', '{"schema": 2, "starts": [1]}']
)
def test_a_run_json_that_was_changed_is_refused(folder: Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(content)
    with pytest.raises(DataError, match=r"run\.json: .* Restore it, or name another --out\."):
        RunFolder.start(folder, SETTINGS)
    assert (folder / "run.json").read_text() == content


def test_a_folder_with_other_things_in_it_is_refused(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("mmar.jsonl", "a", "b", "c"):
        (folder / name).write_text("mine")
    assert refusal(folder, SETTINGS) == (
        f"--out {folder}: not a run folder, and not empty (a, b, c and 1 more): name a new or an empty folder."
    )


def test_an_empty_folder_is_taken_and_one_that_a_killed_start_left(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / ".lock").touch()
    (folder / ".run.json.12345.tmp").write_text("{")
    with RunFolder.start(folder, SETTINGS) as run:
        assert not run.resumed
    assert {path.name for path in folder.iterdir()} == {".lock", "run.json", "run.log"}


def test_other_things_beside_a_run_are_left_alone(folder: Path) -> None:
    RunFolder.start(folder, SETTINGS).close()
    notes = {"notes.txt": b"mine", "other.jsonl": b'{"torn', ".summary.txt": b"mine"}
    for name, content in notes.items():
        (folder / name).write_bytes(content)
    with RunFolder.start(folder, SETTINGS) as run:
        run.append(TASK, record(0))
        run.finish("done")
    assert {name: files(folder)[name] for name in notes} == notes


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    for place in (path, path / "below"):
        with pytest.raises(UserError, match=r"this is a file|is a file, so nothing can be in it"):
            RunFolder.start(place, SETTINGS)
        with pytest.raises(UserError, match="not a run folder: this is a file"):
            StoredRun.open(place)
    assert path.read_text() == "mine"


def test_reading_what_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not a run folder: there is no run\.json in it"):
        StoredRun.open(tmp_path)
    with pytest.raises(UserError, match="not a run folder: there is no such folder"):
        StoredRun.open(tmp_path / "absent")


def test_a_folder_in_the_place_of_records_is_one_clear_error(folder: Path) -> None:
    with RunFolder.start(folder, SETTINGS) as run:
        (folder / f"{TASK}.jsonl").mkdir()
        with pytest.raises(DataError, match="cannot be read"):
            run.finished(TASK)
        with pytest.raises(UserError, match="this is a folder"):
            run.append(TASK, record(0))


@pytest.fixture
def not_root() -> Iterator[Path]:
    """A folder of a user whom permissions bind, as they do not bind root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid() != 0:
            yield folder
            return
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(0)


def test_a_folder_that_may_not_be_written_is_refused_and_can_be_read(not_root: Path) -> None:
    folder = not_root / "run"
    with RunFolder.start(folder, SETTINGS) as run:
        run.append(TASK, record(0))
        run.finish("done")
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path == folder else 0o444)
    try:
        assert "Permission denied" in refusal(folder, SETTINGS)
        with pytest.raises(UserError, match="Permission denied"):
            RunFolder.start(folder / "new", SETTINGS)
        stored = StoredRun.open(folder)
        assert list(stored.records(TASK)) == [record(0)]
        with pytest.raises(UserError, match=r"summary\.json: cannot be written \(Permission denied\)"):
            stored.write_summary({})
    finally:
        folder.chmod(0o755)


def test_a_summary_that_cannot_be_removed_is_one_line_with_its_path(folder: Path) -> None:
    with RunFolder.start(folder, SETTINGS) as run:
        (folder / "summary.json").mkdir()
        with pytest.raises(UserError) as raised:
            run.drop_summary()
    assert str(raised.value).startswith(f"{folder / 'summary.json'}: this is a folder")


# Secrets


def test_no_secret_reaches_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "plain-words-of-the-environment")
    secrets = ["s3cret-one", "s3cret-two", "s3cret-three", "plain-words-of-the-environment", "sk-0123456789abcdef0123"]
    command = [
        "dtbench",
        "--api-key",
        secrets[0],
        "-M",
        f"token={secrets[1]}",
        "-H",
        f"Authorization: Bearer {secrets[2]}",
    ]
    settings = changed(model={"api_key": secrets[0], "url": f"http://me:{secrets[1]}@localhost/v1", "note": secrets[3]})
    with RunFolder.start(folder, settings, command=[*command, secrets[3], secrets[4]]) as run:
        run.append(TASK, failure(0, message=f"401 from the endpoint: {secrets[4]} is no key; {secrets[3]} neither"))
        run.finish("failed")
    written = b"".join(files(folder).values()).decode()
    assert [secret for secret in secrets if secret in written] == []
    assert "is no key" in written
    with RunFolder.start(folder, settings) as run:
        assert run.resumed


def test_nothing_is_left_open_after_a_refusal(folder: Path) -> None:
    RunFolder.start(folder, SETTINGS).close()
    before = len(list(Path("/dev/fd").iterdir()))
    refusal(folder, changed(seed=1))
    assert len(list(Path("/dev/fd").iterdir())) == before
    with RunFolder.start(folder, SETTINGS), pytest.raises(UserError, match="a run is writing there already"):
        RunFolder.start(folder, SETTINGS)
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_what_another_reader_found_is_taken_over_until_more_is_appended(folder: Path) -> None:
    with RunFolder.start(folder, SETTINGS) as run:
        for item in (failure(1), record(0), record(1)):
            run.append(TASK, item)
    seen: list[AskedRecord] = []

    def watch(records: Iterable[AskedRecord]) -> Iterator[AskedRecord]:
        for one in records:
            seen.append(one)
            yield one

    reader = StoredRun.open(folder)
    answered = reader.finished(TASK, watch)
    assert ([one["id"] for one in seen], reader.has_replaced(TASK)) == (["item-1", "item-0", "item-1"], True)
    with RunFolder.start(folder, SETTINGS) as again:
        again.reuse(reader)
        assert (again.finished(TASK) is answered, again.torn) == (True, {TASK: 0})
        assert again.finished(TASK) == answered == {("item-0", 0), ("item-1", 0)}
        again.append(TASK, record(2))
        again.reuse(reader)
        assert again.finished(TASK) == {("item-0", 0), ("item-1", 0), ("item-2", 0)}
        assert [one["id"] for one in again.records(TASK)] == ["item-0", "item-1", "item-2"]
