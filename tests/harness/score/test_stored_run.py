"""What is submitted, judged and exported of a stored run: what counts under its threshold of evidence."""

from __future__ import annotations

from pathlib import Path

import levelled
import pytest
from command import call
from runs import write_script

from dtbench.harness.score.stored_run import find_data, submitted_answers
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks.stored import stored_task


@pytest.mark.parametrize("threshold", list(levelled.COUNTS))
def test_an_option_that_was_set_aside_is_submitted_as_no_answer(tmp_path: Path, threshold: str) -> None:
    script, run = write_script(tmp_path / "script", levelled.texts()), tmp_path / "run"
    options = ("--task-file", Path(levelled.__file__), "--out", run, "--min-evidence", threshold)
    assert call("run", *script, *options).code == 0
    stored = stored_task(StoredRun.open(run), "levelled")
    data = find_data(stored, None)
    assert data is not None
    levels = list(levelled.COUNTS)
    counted = levels[: levels.index(threshold) + 1]
    for one in submitted_answers(stored, data, 0):
        answered = one.sample.id.partition(" ")[0] in counted
        assert one.state == ("answered" if answered else "unanswered")
        assert one.submission == one.choice == (one.choice if answered else "")
        assert bool(one.choice) == answered
