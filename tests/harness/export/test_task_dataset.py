"""`dtbench data load` and `dtbench.task_dataset`: any task as a data set of `datasets`, clips as published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command import call
from runs import audible_data

import dtbench
from dtbench.harness.audio.prepare import read_clip
from dtbench.tasks import registry as task_registry

if TYPE_CHECKING:
    import datasets

OWN = """
from dtbench import NoClip, Sample, Task
class Birds(Task):
    name = "birds"
    def samples(self, data_dir):
        yield Sample("a", "Which bird?", ("Jay", "Crow"), "Jay", NoClip("a"))
        yield Sample("b", "Which bird?", ("Jay", "Crow"), None, NoClip("b"))
"""


def saved(*arguments: str | Path, to: Path) -> datasets.Dataset:
    """What `data load` saved."""
    done = call("data", "load", *arguments, "--to", to, "--json")
    assert (done.code, done.err) == (0, ""), done
    import datasets

    loaded = datasets.load_from_disk(str(to))
    assert json.loads(done.out)["rows"] == len(loaded)
    return loaded


def test_mini_is_saved_without_a_download_and_its_clips_are_not_decoded(tmp_path: Path) -> None:
    import datasets

    loaded = saved("mini", "--limit", "12", to=tmp_path / "D")
    assert loaded.column_names == ["id", "question", "choices", "answer", "groups", "audio"]
    assert loaded.features["audio"] == datasets.Audio(decode=False)
    samples = task_registry.get_task("mini").load(tmp_path).samples[:12]
    for row, sample in zip(loaded, samples, strict=True):
        assert (row["id"], row["question"], row["choices"]) == (sample.id, sample.question, list(sample.choices))
        assert (row["answer"], row["groups"]) == (sample.answer, dict(sample.groups))
        assert row["audio"] == {"bytes": read_clip(sample.audio), "path": f"{sample.id}.wav"}


def test_a_benchmark_with_its_data_in_a_folder_keeps_the_bytes_of_its_clips(tmp_path: Path) -> None:
    items = audible_data(tmp_path / "mmar", 5)
    loaded = saved("mmar", "--data-dir", tmp_path / "mmar", to=tmp_path / "D")
    clips = [(tmp_path / "mmar" / item["audio_path"]).read_bytes() for item in items]
    assert [row["audio"]["bytes"] for row in loaded] == clips
    assert [row["answer"] for row in loaded] == [item["answer"] for item in items]


def test_a_task_of_ones_own_without_groups_clips_and_some_golds(tmp_path: Path) -> None:
    (tmp_path / "birds.py").write_text(OWN)
    loaded = saved("--task-file", tmp_path / "birds.py", to=tmp_path / "D")
    assert [(row["id"], row["answer"], row["audio"]) for row in loaded] == [("a", "Jay", None), ("b", None, None)]


def test_in_python_the_data_set_is_in_memory_or_saved(tmp_path: Path) -> None:
    import datasets

    given = dtbench.Task.of([{"question": "Which?", "choices": ["a", "b"], "answer": "a", "audio": b"RIFF"}], name="q")
    in_memory = dtbench.task_dataset(given)
    assert in_memory[0]["audio"]["bytes"] == b"RIFF"
    assert not in_memory.cache_files
    assert dtbench.task_dataset(given, tmp_path / "D")[0] == in_memory[0]
    assert dtbench.Task.of(datasets.load_from_disk(str(tmp_path / "D")), name="again").load(None).ids == ["0"]


WRONG = {
    "nothing to load": (("--to", "D"), "TASK: name a benchmark, such as mini"),
    "nowhere to go": (("mini",), "--to is missing: name the folder to write"),
    "unknown": (("mni", "--to", "D"), "unknown task 'mni'. Did you mean mini"),
    "a benchmark as a file": (("mini", "--to", "D.jsonl"), "--to D.jsonl: a benchmark is saved in a folder"),
    "a folder that is there": (("mini", "--to", "full"), "--to full: there is something already; name a new folder."),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_saved_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, line = WRONG[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    assert line in call("data", "load", *arguments).refusal()
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_a_clip_that_is_missing_leaves_nothing_behind(tmp_path: Path) -> None:
    items = audible_data(tmp_path / "mmar", 3)
    (tmp_path / "mmar" / items[2]["audio_path"]).unlink()
    done = call("data", "load", "mmar", "--data-dir", tmp_path / "mmar", "--to", tmp_path / "D")
    assert Path(items[2]["audio_path"]).name in done.refusal()
    assert [path.name for path in tmp_path.iterdir()] == ["mmar"]
