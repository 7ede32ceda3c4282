"""`export --format inspect`: which files it writes, and what their names are made of."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from command import call
from exported_runs import QUESTIONS, write_mini_run, write_mmar_run

ODD = """
from dtbench import NoClip, Sample, Task
class Odd(Task):
    name = "odd"
    def samples(self, data_dir):
        for id_ in ("../../outside", "/root", "a/b"):
            yield Sample(id_, "Which?", ("x", "y"), "x", NoClip(id_))
"""


def entries(file: Path) -> list[str]:
    """The names of the samples in a log."""
    with zipfile.ZipFile(file) as archive:
        return [name for name in archive.namelist() if name.startswith("samples/")]


def test_a_log_can_be_named_and_is_the_same_each_time(tmp_path: Path) -> None:
    run = write_mmar_run(tmp_path)
    logs = [tmp_path / f"{number}.eval" for number in range(2)]
    for log in logs:
        assert call("export", run, "--format", "inspect", "--out", log).code == 0
    assert logs[0].read_bytes() == logs[1].read_bytes()
    assert len(entries(logs[0])) == QUESTIONS


def test_no_id_leads_out_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(ODD)
    asked = ("run", "--model", "first", "--task-file", tmp_path / "odd.py", "--out", tmp_path / "run", "--json")
    assert call(*asked).code == 0
    assert call("export", tmp_path / "run", "--format", "inspect", "--out", tmp_path / "odd.eval").code == 0
    names = entries(tmp_path / "odd.eval")
    assert "samples/a/b_epoch_1.json" in names
    assert [name for name in names if ".." in name or "//" in name] == []
    with zipfile.ZipFile(tmp_path / "odd.eval") as archive:
        ids = [json.loads(archive.read(name))["metadata"]["id"] for name in names]
    assert ids == ["../../outside", "/root", "a/b"]


def test_a_part_of_a_benchmark_is_noted(tmp_path: Path) -> None:
    done = call("export", write_mini_run(tmp_path), "--format", "inspect", "--json")
    assert json.loads(done.out)["notes"] == ["mini: 8 of 600 questions were asked"]
