"""The power fails at any moment: at most the last second of answers is lost, and no folder says more than it has."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import power
import pytest
from campaign import CAMPAIGN
from power import STEP, Event
from run_records import SETTINGS, TASK, record
from runs import wait_until

from dtbench.harness.store.append import SYNC_SECONDS, AppendedFiles
from dtbench.harness.store.atomic import create_whole, replace_whole, writing_whole
from dtbench.harness.store.run_folder import RunFolder, StoredRun
from dtbench.harness.store.shard_states import read_shards
from dtbench.harness.store.shards import parse_shard

NUMBERS = 57
IN_A_SECOND = round(SYNC_SECONDS / STEP) // 2
"""How many questions and answers the child can append in a second of its clock."""


class Failure(NamedTuple):
    """What is left where the power failed at one moment."""

    said: Sequence[str]
    """What was said to be stored by then."""
    folder: Path

    @property
    def run(self) -> StoredRun | None:
        """The run as it can be read; None where none had begun."""
        if "started" not in self.said and not (self.folder / f"{TASK}.jsonl").exists():
            return None
        return StoredRun.open(self.folder)

    @property
    def status(self) -> str | None:
        """How the run stands, or its only shard."""
        if self.run is None:
            return None
        shards = read_shards(self.folder)
        return shards[0]["status"] if shards else self.run.info["status"]

    @property
    def answers(self) -> list[str]:
        """The ids whose answers can be read."""
        return [] if self.run is None else [id_ for id_, _ in self.run.finished(TASK)]

    @property
    def stored(self) -> list[str]:
        """The ids whose answers were said to be stored."""
        return [one for one in self.said if one.startswith("item-")]


class Written(NamedTuple):
    """What a child wrote, and when it was synced."""

    folder: Path
    events: Sequence[Event]
    shard: str

    def failures(self, place: Path, seed: int | None = None) -> Iterator[Failure]:
        """Let the power fail after each event in turn; with a seed, some of what was not synced is on disk too."""
        chance = None if seed is None else random.Random(seed)
        for moment in range(len(self.events) + 1):
            power.make_disk(self.events, moment, self.folder, place / str(moment), chance)
            yield Failure(power.said_by(self.events, moment), place / str(moment))

    def resume(self, folder: Path) -> None:
        """Go on with what is left."""
        with RunFolder.start(folder, SETTINGS, shard=parse_shard(self.shard) if self.shard else None) as run:
            there = run.finished(TASK)
            for number in range(NUMBERS):
                if (f"item-{number}", 0) not in there:
                    run.append(TASK, record(number))


@pytest.fixture(scope="module", params=["", "1/1"], ids=["whole", "shard"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("power") / "new" / "run"
    return Written(folder, power.events_of(folder, request.param, "done", str(NUMBERS)), request.param)


def test_at_most_the_last_second_of_answers_is_lost(written: Written, tmp_path: Path) -> None:
    most = 0
    failures = list(written.failures(tmp_path, seed=1))
    for failure in failures:
        missing = set(failure.stored) - set(failure.answers)
        assert missing <= set(failure.stored[-IN_A_SECOND:])
        most = max(most, len(missing))
    assert most > 1, "each line is synced, so nothing is tried"
    CAMPAIGN.note("the power fails while a run is written", len(failures))


def test_a_run_says_that_it_is_done_no_sooner_than_its_answers_are_on_disk_and_no_later_than_it_ends(
    written: Written, tmp_path: Path
) -> None:
    failures = list(written.failures(tmp_path))
    before = next(failure for failure in failures if len(failure.stored) == NUMBERS)
    assert len(before.answers) < NUMBERS, "the last answer is synced at once, so nothing is tried"
    for failure in failures:
        is_done = failure.status == "done"
        assert is_done or "done" not in failure.said
        assert not is_done or len(failure.answers) == NUMBERS


def test_an_answer_is_on_disk_no_sooner_than_its_question(written: Written, tmp_path: Path) -> None:
    for failure in written.failures(tmp_path):
        if failure.run is not None:
            assert set(failure.answers) <= {one["id"] for one in failure.run.questions(TASK)}


def test_what_a_power_failure_leaves_is_resumed_and_each_answer_is_there_once(written: Written, tmp_path: Path) -> None:
    failures = list(written.failures(tmp_path, seed=3))
    for failure in random.Random(4).sample(failures, 12):
        written.resume(failure.folder)
        keys = [one["id"] for one in StoredRun.open(failure.folder).every_record_as(TASK, dict)]
        assert sorted(keys) == sorted(f"item-{number}" for number in range(NUMBERS))


def test_the_folder_has_its_name_on_disk_before_a_run_has_started(written: Written, tmp_path: Path) -> None:
    for failure in written.failures(tmp_path):
        assert failure.folder.exists() or not failure.said


def test_what_is_appended_to_a_run_that_was_opened_again_is_on_disk_when_it_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    events = power.events_of(folder, "", "reopened", "5")
    *_, last = Written(folder, events, "").failures(tmp_path / "left")
    assert sorted(last.answers) == sorted(last.stored) == [f"item-{number}" for number in range(6)]


def write_in_pieces(path: Path, content: bytes) -> None:
    with writing_whole(path) as file:
        file.write(content[:1])
        file.write(content[1:])


def create_where_none_is(path: Path, content: bytes) -> None:
    path.unlink()
    assert create_whole(path, content, writer="1-of-2")


@pytest.mark.parametrize("write", [replace_whole, create_where_none_is, write_in_pieces])
def test_a_file_is_on_disk_under_its_name_when_its_writer_returns(
    write: Callable[[Path, bytes], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b"old")
    recorder = power.Recorder()
    monkeypatch.setattr(os, "fsync", recorder.sync)
    write(path, b"{}")
    content, names = recorder.events
    assert content == power.Bytes(path.stat().st_ino, b"{}")
    assert names == power.Names(str(tmp_path), {"run.json": path.stat().st_ino})


def test_the_last_lines_are_synced_within_a_second_though_no_other_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = power.Recorder()
    monkeypatch.setattr(os, "fsync", recorder.sync)
    files = AppendedFiles()
    files.append(tmp_path / "lines", b"first\n")
    wait_until(lambda: [one.content for one in recorder.events if isinstance(one, power.Bytes)] == [b"first\n"])
    files.close()
