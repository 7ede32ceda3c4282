from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import Running, descendants
from runs import wait_until

from dtbench.harness.core.errors import UserError
from dtbench.training.engines.contract import EngineCommand
from dtbench.training.engines.launch import fill_placeholders, run_engine

SLEEPER = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"


def test_what_only_this_node_knows_is_put_in_from_its_environment() -> None:
    command = EngineCommand(["x", "--host", "${ROLLOUT_HOST}"], {"NODE_RANK": "${NODE_RANK}"})
    assert fill_placeholders(command, {"ROLLOUT_HOST": "node8", "NODE_RANK": "3"}) == EngineCommand(
        ["x", "--host", "node8"], {"NODE_RANK": "3"}
    )
    with pytest.raises(UserError, match="ROLLOUT_HOST is not set"):
        fill_placeholders(command, {"NODE_RANK": "3"})


def test_a_process_is_run_to_its_end_and_all_that_it_says_is_kept(tmp_path: Path) -> None:
    told = "import os, sys; print(os.environ['GIVEN']); print('worse', file=sys.stderr); sys.exit(7)"
    seen: list[bool] = []
    command = EngineCommand([sys.executable, "-c", told], {"GIVEN": "so"})
    code = run_engine(command, tmp_path / "log", tmp_path / "lock", lambda: seen.append(True))
    assert code == 7
    assert (tmp_path / "log").read_text().split() == ["so", "worse"]
    assert seen


def test_whoever_looks_may_end_it_with_everything_that_it_started(tmp_path: Path) -> None:
    class EnoughError(Exception):
        pass

    def started() -> list[Running]:
        return [one for one in descendants(os.getpid()) if one.environment.get("STARTED_BY") == str(tmp_path)]

    def look() -> None:
        if len(started()) >= 3:  # the watchdog, the process and its own child
            raise EnoughError

    command = EngineCommand([sys.executable, "-c", SLEEPER], {"STARTED_BY": str(tmp_path)})
    with pytest.raises(EnoughError):
        run_engine(command, tmp_path / "log", tmp_path / "lock", look)
    assert not started()


CALLER = f"""
import sys
from pathlib import Path
from dtbench.training.engines.contract import EngineCommand
from dtbench.training.engines.launch import run_engine
folder = Path(sys.argv[1])
run_engine(EngineCommand([sys.executable, "-c", {SLEEPER!r}], {{}}), folder / "log", folder / "lock", lambda: None)
"""


def test_an_engine_does_not_outlive_a_caller_that_was_killed_and_the_next_one_waits_for_its_end(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", CALLER, str(tmp_path)]) as caller:
        wait_until(lambda: len(descendants(caller.pid)) >= 3)
        engine = descendants(caller.pid)
        os.kill(caller.pid, signal.SIGKILL)
    code = run_engine(EngineCommand([sys.executable, "-c", ""], {}), tmp_path / "log", tmp_path / "lock", lambda: None)
    assert code == 0
    assert not [one for one in engine if one.alive]


def test_an_engine_does_not_outlive_its_watchdog(tmp_path: Path) -> None:
    seen: list[Running] = []
    before = descendants(os.getpid())

    def look() -> None:
        seen[:] = [one for one in descendants(os.getpid()) if one not in before]
        for one in seen if len(seen) == 3 else ():  # the watchdog, the process and its own child
            if "watchdog.py" in one.command:
                os.kill(one.pid, signal.SIGKILL)

    code = run_engine(EngineCommand([sys.executable, "-c", SLEEPER], {}), tmp_path / "log", tmp_path / "lock", look)
    assert code == -signal.SIGKILL
    assert not [one for one in seen if one.alive]
