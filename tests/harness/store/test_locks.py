"""What a lock says of its holder, and that nothing of it stays: no descriptor, no lock, no older note."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.harness.store import locks
from dtbench.harness.store.locks import FileLock, LockHeldError, RunLock, ShardLock, running_shards
from dtbench.harness.store.shards import parse_shard

Take = Callable[[Path], FileLock | RunLock | ShardLock]


def take_shard(folder: Path) -> ShardLock:
    return ShardLock(folder, parse_shard("2/3"))


def take_file(folder: Path) -> FileLock:
    return FileLock(folder / ".lock")


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_a_holder_s_own_words_reach_a_terminal_without_what_moves_its_cursor(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    holder = FileLock(lock)
    lock.write_text("pid 7 on \x1b[2Jnode\n\x07b")
    with pytest.raises(LockHeldError) as held:
        FileLock(lock)
    holder.close()
    said = str(held.value)
    assert said.isprintable()
    assert "pid 7 on " in said


def test_of_an_earlier_and_longer_note_nothing_stays(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    lock.write_text("pid 4194304 on a-node-of-another-cluster.with-a-long-name " * 9)
    FileLock(lock).close()
    assert lock.read_text() == f"pid {os.getpid()} on {os.uname().nodename}"


@pytest.mark.parametrize("take", [take_file, RunLock, take_shard])
def test_a_lock_is_held_until_it_is_closed_and_then_nothing_of_it_is(tmp_path: Path, take: Take) -> None:
    before = descriptors()
    lock = take(tmp_path)
    assert lock.held
    lock.close()
    lock.close()
    assert not lock.held
    assert descriptors() == before
    take(tmp_path).close()


@pytest.mark.parametrize("take", [take_file, RunLock, take_shard])
def test_a_lock_that_is_refused_leaves_nothing_open_and_the_holder_s_as_it_was(
    tmp_path: Path, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_PATIENCE", 0.05)
    holder = take(tmp_path)
    before = descriptors()
    with pytest.raises((LockHeldError, UserError)):
        take(tmp_path)
    assert descriptors() == before
    with pytest.raises((LockHeldError, UserError)):
        take(tmp_path)
    holder.close()
    take(tmp_path).close()


def test_a_shard_runs_from_its_lock_to_the_end_of_it(tmp_path: Path) -> None:
    lock = take_shard(tmp_path)
    assert running_shards(tmp_path) == [parse_shard("2/3")]
    lock.close()
    assert running_shards(tmp_path) == []
