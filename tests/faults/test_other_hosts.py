"""Two machines on one shared folder whose locks do not reach from one to the other: the second start is refused."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import elsewhere
import pytest
from campaign import CAMPAIGN
from run_records import SETTINGS, TASK, files

import dtbench
from dtbench.harness.core.errors import UserError
from dtbench.harness.store import other_hosts
from dtbench.harness.store.run_folder import RunFolder, StoredRun
from dtbench.harness.store.shards import parse_shard

HOST = "node-b.of-a-cluster"


@contextlib.contextmanager
def running_elsewhere(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A process of another machine that appends answer after answer."""
    environment = {**os.environ, "PYTHONPATH": str(Path(dtbench.__file__).parents[1])}
    command = [sys.executable, elsewhere.__file__, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("shard", [None, "1/2"])
def test_a_second_start_is_refused_while_another_machine_writes_and_goes_on_once_that_is_killed(
    shard: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run"
    of = None if shard is None else parse_shard(shard)
    with running_elsewhere(HOST, "local", folder, *([shard] if shard else [])) as process:
        with pytest.raises(UserError) as caught:
            RunFolder.start(folder, SETTINGS, shard=of)
        assert process.poll() is None
    assert str(caught.value) == (
        f"--out {folder}: a run is writing there already (pid {process.pid} on {HOST}), and locks do not reach from "
        f"that machine to this one ({os.uname().nodename}). Wait for its end or stop it, or name another --out."
    )
    answers = len(StoredRun.open(folder).finished(TASK))
    caplog.clear()
    with RunFolder.start(folder, SETTINGS, shard=of) as run:
        assert len(run.finished(TASK)) == answers
    told = [line for line in caplog.messages if HOST in line]
    assert "looking for 3 s whether it still writes" in told[0]
    assert told[1].endswith(
        f"pid {process.pid} on {HOST} writes no more and is taken for killed; if it still runs, stop it"
    )
    CAMPAIGN.note("a second machine starts the run of a first", 2)


def test_a_first_machine_that_only_waits_for_an_answer_is_seen_to_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_hosts, "_SHARED", ("",))
    monkeypatch.setattr(other_hosts, "FRESH_SECONDS", 1.5)
    folder = tmp_path / "run"
    with running_elsewhere(HOST, "local", folder, "silent"):
        time.sleep(2)
        with pytest.raises(UserError, match=f"a run is writing there already .pid [0-9]+ on {HOST}"):
            RunFolder.start(folder, SETTINGS)
    with RunFolder.start(folder, SETTINGS) as run:  # killed: it is waited for, and gone on with
        assert len(run.finished(TASK)) == 1
    CAMPAIGN.note("a second machine starts the run of a first that is silent", 2)


def test_who_wrote_more_than_a_minute_ago_is_not_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "run"
    with running_elsewhere(HOST, "local", folder):
        pass
    for path in folder.iterdir():
        os.utime(path, times=(path.stat().st_mtime - 61,) * 2)
    with RunFolder.start(folder, SETTINGS):
        assert not [line for line in caplog.messages if HOST in line]


@pytest.mark.parametrize("error", ["ENOLCK", "EOPNOTSUPP"])
def test_a_disk_without_locks_is_one_line_with_what_to_do_and_leaves_no_run(error: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with running_elsewhere(HOST, error, folder) as process:
        _, err = process.communicate()
    last = err.splitlines()[-1]
    assert f"{folder / '.lock'}: cannot be locked (" in last
    assert last.endswith("name an --out on a disk with locks, or give --shard 1/1, which does without.")
    assert set(files(folder)) == {".lock"}
    with running_elsewhere(HOST, error, folder, "1/1") as process:
        pass
    assert len(StoredRun.open(folder).finished(TASK)) > 0


@pytest.mark.parametrize("kind", ["nfs4", "lustre", "fuse.sshfs"])
def test_a_disk_that_other_machines_reach_is_watched_for_the_rest_of_the_minute(kind: str) -> None:
    assert kind.startswith(other_hosts._SHARED)
    assert not other_hosts.is_shared(Path("/proc"))
