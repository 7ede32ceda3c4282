"""The recipe of the model in the box, killed: its processes do not train on for nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from engines import need
from processes import descendants
from runs import wait_until

pytestmark = pytest.mark.engine
START = 900.0
"""Seconds that torch may take to come up on a busy machine."""
ENDLESS = ("--steps", "1000000", "--clips", "8", "--rows", "4")


def _ignores_interrupts() -> None:
    """As whatever a shell's script starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize(
    ("number", "training"), [(signal.SIGKILL, True), (signal.SIGTERM, False)], ids=["in training", "before"]
)
def test_the_processes_of_a_recipe_end_with_the_one_that_started_them(
    tmp_path: Path, number: signal.Signals, training: bool
) -> None:
    need("torch")
    need("transformers")
    command = [sys.executable, "-m", "dtbench.training.mini.make", *ENDLESS, "--out", str(tmp_path / "checkpoint")]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    log = tmp_path / "log"  # a pipe that closes with the test would end them too
    with (
        log.open("wb") as out,
        subprocess.Popen(command, env=environment, stdout=out, stderr=out, preexec_fn=_ignores_interrupts) as recipe,
    ):
        try:
            wait_until(lambda: list(tmp_path.glob("*/meeting")), START)
            if training:
                wait_until(lambda: b"8 clips ready" in log.read_bytes(), START)
            trainers = [one for one in descendants(recipe.pid) if "spawn_main" in one.command]
        finally:
            recipe.send_signal(number)
        assert recipe.wait() == -number
    assert len(trainers) == 2
    try:
        wait_until(lambda: not any(one.alive for one in trainers), START)
    finally:
        for one in trainers:
            if one.alive:
                os.kill(one.pid, signal.SIGKILL)
