"""A run whose questions have several clips, or are in their clip alone, in whatever reads it."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from chat_server import Turn, chatting
from command import call
from reported import first, samples
from sounds import encoded, sine

import dtbench
from dtbench.harness.audio.prepare import hash_clip, hash_of_hashes

TASK = """
from pathlib import Path
from dtbench import Sample, Task

HERE = Path(__file__).parent

class Pairs(Task):
    name = "pairs"

    def samples(self, data_dir):
        two = [HERE / "0.wav", HERE / "1.wav"]
        yield Sample("two", "Is {audio 1} higher than {audio 2}?", ("yes", "no"), "no", clips=two)
        yield Sample("one", "", ("yes", "no"), "yes", HERE / "2.wav")
        yield Sample("none", "Is two more than one?", ("yes", "no"), "yes")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The task, its clips and its run."""
    folder = tmp_path_factory.mktemp("pairs")
    for number in range(3):
        clip = encoded(sine(300 + 300 * number, 1.0 + number, 16000), 16000)
        (folder / f"{number}.wav").write_bytes(clip.data)
    (folder / "task.py").write_text(textwrap.dedent(TASK))
    with chatting(default=Turn("yes")) as chat:
        done = call("run", "--task-file", folder / "task.py", "--model", chat.url, "--out", folder / "run")
    assert done.code == 0, done
    return folder


def test_every_clip_of_a_question_is_in_its_report(folder: Path) -> None:
    done = call("report", folder / "run", "--out", folder / "page.html")
    assert done.code == 0, done
    clips = samples(folder / "page.html")["clips"]
    assert list(clips) == ["0/two", "0/two\n2", "0/one", "0/none"]
    assert "no clip (none)" in clips["0/none"]["missing"]
    assert len({json.dumps(clips[key]) for key in ("0/two", "0/two\n2", "0/one")}) == 3


def test_a_page_links_to_every_clip(folder: Path) -> None:
    call("report", folder / "run", "--clips", "link", "--out", folder / "links.html")
    clips = samples(folder / "links.html")["clips"]
    assert [clips[key]["link"] for key in ("0/two", "0/two\n2", "0/one")] == ["0.wav", "1.wav", "2.wav"]


def test_clips_that_are_heard_together_are_measured_together(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("librosa", reason="librosa is an extra")
    monkeypatch.setenv("DTBENCH_ACOUSTICS", str(tmp_path / "measures"))
    frame = dtbench.samples_df(folder / "run", acoustics=True).set_index("id")
    assert frame.loc["two", "duration_s"] == pytest.approx(3.0)
    assert frame.loc["two", "f0_hz"] == pytest.approx(450, rel=0.02)
    assert frame.loc["one", "duration_s"] == pytest.approx(3.0)
    assert frame.loc["two", "clip_seconds"] == pytest.approx(3.0)
    assert frame.loc["two", "clip_hash"] == hash_of_hashes([hash_clip(folder / "0.wav"), hash_clip(folder / "1.wav")])
    done = call("score", folder / "run", "--acoustics", "--json")
    assert done.code == 0, done
    assert "could not be measured" not in done.err


def test_a_task_is_a_data_set_with_a_list_of_clips(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="datasets is an extra")
    from dtbench.harness.export.task_dataset import task_dataset
    from dtbench.tasks.registry import task_from_file

    data = task_dataset(task_from_file(folder / "task.py"), tmp_path / "saved")
    assert [[clip["path"] for clip in row["audio"]] for row in data] == [["0.wav", "1.wav"], ["2.wav"], []]
    again = dtbench.Task.of(data, name="again")
    first, second, third = again.samples(None)
    assert [clip.read() for clip in first.clips if not isinstance(clip, Path)] == [
        (folder / "0.wav").read_bytes(),
        (folder / "1.wav").read_bytes(),
    ]
    assert (len(second.clips), second.question, third.clips) == (1, "", ())


def test_rows_of_python_have_lists_of_clips_and_open_questions(folder: Path) -> None:
    row = {"question": "?", "choices": ["yes", "no"], "answer": "no", "audio": [str(folder / "0.wav"), b"bytes"]}
    (sample,) = dtbench.Task.of([row], name="two").samples(None)
    assert (sample.clips[0], len(sample.clips)) == (folder / "0.wav", 2)
    (spoken,) = dtbench.Task.of(
        [{"answer": "four", "audio": b"bytes"}], name="open", columns={"question": None, "choices": None}
    ).samples(None)
    assert (spoken.question, spoken.choices, spoken.answer, len(spoken.clips)) == ("", (), "four", 1)
    pandas = pytest.importorskip("pandas", reason="pandas is an extra")
    (framed,) = dtbench.Task.of(pandas.DataFrame([row]), name="frame").samples(None)
    assert len(framed.clips) == 2


def test_parquet_of_answers_names_the_clips_together(folder: Path, tmp_path: Path) -> None:
    done = call("export", folder / "run", "--format", "parquet", "--out", tmp_path / "answers")
    assert done.code == 0, done
    (file,) = (tmp_path / "answers").rglob("*.parquet")
    table = pyarrow.parquet.read_table(file).to_pydict()
    assert dict(zip(table["id"], table["clip_seconds"], strict=True)) == {"two": 3.0, "one": 3.0, "none": None}


MIXED = """
from pathlib import Path
from dtbench import Sample, Task

class Mixed(Task):
    name = "mixed"

    def samples(self, data_dir):
        yield Sample("closed", "Which?", ("yes", "no"), "no")
        yield Sample("open", "What?", (), "a bell")
        yield Sample("spoken", "", ("yes", "no"), "yes")

    def examples(self, data_dir):
        return [Sample("e", "And this?", ("yes", "no"), "no")]

    def score(self, sample, extraction):
        from dtbench import Score
        from dtbench.harness.core.schema import Official
        right = sample.answer in extraction.whole_answer
        return Score(Official(right, True), right)
"""


@pytest.mark.parametrize("options", [(), ("--system", "Listen."), ("--answer", "think")])
def test_prompts_of_open_and_spoken_questions_are_shown_as_they_were_sent(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "task.py").write_text(textwrap.dedent(MIXED))
    asked = ("--task-file", tmp_path / "task.py", "--num-fewshot", "1", "--out", tmp_path / "run")
    with chatting(default=Turn("no")) as chat:
        done = call("run", *asked, "--model", chat.url, *options)
        assert done.code == 0, done
        sent = {one.json()["messages"][-1]["content"] for one in chat.asked}
    assert call("report", tmp_path / "run", "--clips", "none", "--task-file", tmp_path / "task.py").code == 0
    page = tmp_path / "run" / "report.html"
    (prompt,) = first(page)["tasks"][0]["prompts"]
    (questions,) = samples(page)["tasks"]
    assert {question["prompts"][0] for question in questions} == sent
    assert (prompt["system"], prompt["examples"]) == ("Listen." if "--system" in options else None, 1)
