from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from run_records import SETTINGS, TASK, record

from dtbench.harness.store import jsonl, run_folder
from dtbench.harness.store.append import AppendedFiles
from dtbench.harness.store.run_folder import RunFolder


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the real functions are called."""
    counts: Counter[str] = Counter()

    def count(where: Any, name: str) -> None:
        real = getattr(where, name)

        def counted(*arguments: Any) -> Any:
            counts[name] += 1
            return real(*arguments)

        monkeypatch.setattr(where, name, counted)

    for where, name in ((os, "write"), (os, "fsync"), (run_folder, "encode_line")):
        count(where, name)
    return counts


def test_a_record_is_encoded_once_and_written_at_once(tmp_path: Path, calls: Counter[str]) -> None:
    with RunFolder.start(tmp_path / "run", SETTINGS) as run:
        run.append(TASK, record(0))
        calls.clear()
        for number in range(1, 51):
            run.append(TASK, record(number))
            path = tmp_path / "run" / f"{TASK}.jsonl"
            assert path.read_bytes().endswith(jsonl.encode_line(record(number)))  # what no killed process loses
        assert (calls["encode_line"], calls["write"]) == (50, 50)
        assert calls["fsync"] < 50


def test_lines_are_synced_no_later_than_a_second_after_the_first(tmp_path: Path, calls: Counter[str]) -> None:
    files = AppendedFiles()
    path = tmp_path / "lines"
    files.append(path, b"first\n")
    calls.clear()
    files._synced -= 2  # as if the last sync was two seconds ago
    files.append(path, b"second\n")
    assert (calls["write"], calls["fsync"]) == (1, 1)
    files.append(path, b"third\n")
    files.sync()
    files.sync()
    assert calls["fsync"] == 2
    files.close()
    assert path.read_bytes() == b"first\nsecond\nthird\n"
