"""How many requests are in flight, and how many threads read clips."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from chat_server import chatting
from command import call
from runs import audible_data

from dtbench.harness.run.dispatch import choose_concurrency, count_readers
from dtbench.harness.store.run_folder import StoredRun
from dtbench.models.plain.baselines import First


class Wishing(First):
    """A model that says how many requests keep it busy."""

    def __init__(self, concurrency: int | None) -> None:
        self.concurrency = concurrency


def test_the_user_decides_on_concurrency_then_the_model_then_it_is_sixteen() -> None:
    assert choose_concurrency(3, [Wishing(64)]) == 3
    assert choose_concurrency(None, [First(), Wishing(16), Wishing(64), Wishing(None)]) == 64
    assert choose_concurrency(None, [First(), Wishing(None)]) == 16


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinities")
def test_readers_follow_the_cores_that_the_process_may_use() -> None:
    cores = os.sched_getaffinity(0)
    assert count_readers() == min(8, len(cores))
    try:
        os.sched_setaffinity(0, {min(cores)})
        assert count_readers() == 1
    finally:
        os.sched_setaffinity(0, cores)


def test_run_json_has_how_many_requests_were_in_flight_and_another_number_resumes(tmp_path: Path) -> None:
    audible_data(tmp_path / "data", 3)
    with chatting() as chat:
        asked = (
            "run",
            "--model",
            chat.url,
            "--tasks",
            "mmar",
            "--data-dir",
            tmp_path / "data",
            "--out",
            tmp_path / "run",
        )
        assert call(*asked, "--limit", "2").code == 0
        assert StoredRun.open(tmp_path / "run").info["endpoint"]["concurrency"] == 16
        assert "concurrency" not in StoredRun.open(tmp_path / "run").info["request"]
        assert call(*asked, "--concurrency", "5").code == 0
    assert StoredRun.open(tmp_path / "run").info["endpoint"]["concurrency"] == 5
