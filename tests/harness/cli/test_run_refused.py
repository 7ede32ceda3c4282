"""What `dtbench run` is given and cannot use: one line that says what to do, exit 2, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from chat_server import Turn, chatting, nobody
from command import call, process
from runs import mmar_data, write_script
from small_data import mmau_items, write_json

MODEL = ("--model", "first")
MMAR = ("--tasks", "mmar")

SAID: dict[str, tuple[Sequence[str], str]] = {
    "no task": (MODEL, "--tasks is missing: name one or more, such as --tasks mmar,mmsu, or give --task-file."),
    "empty tasks": ((*MODEL, "--tasks", ","), "--tasks ,: no task is named."),
    "unknown task": (
        (*MODEL, "--tasks", "mmarr"),
        "unknown task 'mmarr'. Did you mean mmar or mmau-pro? `dtbench tasks` lists all.",
    ),
    "a task twice": ((*MODEL, "--tasks", "mmar,mmsu,mmar"), "--tasks mmar,mmsu,mmar: mmar is named twice."),
    "a task twice by two names": (
        (*MODEL, "--tasks", "mmar,dtbench.tasks.mmar:Mmar"),
        "--tasks mmar,dtbench.tasks.mmar:Mmar: the task mmar is there twice; name it once.",
    ),
    "no model": (MMAR, "--model is missing: name one, such as --model first, or the URL of an endpoint."),
    "unknown model": (
        ("--model", "frist", *MMAR),
        "unknown model 'frist'. Did you mean first? `dtbench models` lists ",
    ),
    "a URL of another kind": (("--model", "ftp://here", *MMAR), "ftp://here"),
    "no limit": ((*MODEL, *MMAR, "--limit", "0"), "--limit 0: at least 1 is expected."),
    "a limit in words": ((*MODEL, *MMAR, "--limit", "few"), "--limit few: a whole number is expected."),
    "no repeats": ((*MODEL, *MMAR, "--samples", "0"), "--samples 0: at least 1 is expected."),
    "nothing in flight": ((*MODEL, *MMAR, "--concurrency", "0"), "--concurrency 0: at least 1 is expected."),
    "turned back": ((*MODEL, *MMAR, "--permute", "-1"), "--permute -1: at least 0 is expected."),
    "more failures than all": ((*MODEL, *MMAR, "--max-failed", "2"), "--max-failed 2: 0 to 1 is expected."),
    "failures of no number": ((*MODEL, *MMAR, "--max-failed", "nan"), "--max-failed nan: a number is expected."),
    "unknown sound": (
        (*MODEL, *MMAR, "--audio", "silent"),
        "--audio silent: unknown. Did you mean silence? Known: clip",
    ),
    "unknown rule": ((*MODEL, *MMAR, "--long-clips", "window"), "--long-clips window: unknown. Did you mean windows?"),
    "an option without a value": ((*MODEL, *MMAR, "-M", "seed"), "-M seed: key=value is expected, such as -M temp"),
    "an option without a key": ((*MODEL, *MMAR, "-M", "=3"), "-M =3: key=value is expected"),
    "an option twice": (
        ("--model", "random", *MMAR, "-M", "seed=1", "-M", "seed=2"),
        "-M seed=2: seed is given twice (-M seed=1); give it once.",
    ),
    "unknown option of a model": (
        ("--model", "random", *MMAR, "-M", "sed=1"),
        "-M sed=1: the model random has no option 'sed'. Did you mean seed? Known: seed.",
    ),
    "an option of another type": (
        ("--model", "random", *MMAR, "-M", "seed=one"),
        "-M seed=one: a whole number is expected.",
    ),
    "unknown option": (
        (*MODEL, *MMAR, "--answers", "3"),
        "--answers: dtbench run has no such option. Did you mean --answer",
    ),
    "no such data": ((*MODEL, *MMAR, "--data-dir", "there"), "--data-dir there: there is no such folder."),
    "no such ids": (
        (*MODEL, *MMAR, "--ids", "there.txt"),
        "--ids there.txt: there is no such file.",
    ),
    "ids in a folder": ((*MODEL, *MMAR, "--ids", "data"), "--ids data: this is a folder; name a file."),
    "empty ids": ((*MODEL, *MMAR, "--ids", "empty"), "--ids empty: there is no id in it; one a line is expected."),
    "ids of no text": ((*MODEL, *MMAR, "--ids", "binary"), "--ids binary: not UTF-8 text (byte 0)"),
    "unknown ids": (
        (*MODEL, *MMAR, "--ids", "ids"),
        "--ids: 2 of 3 ids are not in mmar (first: 'nobody'). Ids look like 'made-up-0_00-00-00_00-00-10'.",
    ),
    "no such prompt": (
        (*MODEL, *MMAR, "--prompt", "there"),
        "--prompt there: there is no such file.",
    ),
    "a prompt without places": (
        (*MODEL, *MMAR, "--prompt", "words"),
        "--prompt words: the prompt needs {question} and {options}; write each where it belongs.",
    ),
    "shuffled alone": (
        (*MODEL, *MMAR, "--audio", "shuffle", "--data-dir", "alone"),
        "--audio shuffle: all questions of mmar share one clip, there is no other one.",
    ),
    "no such task file": ((*MODEL, "--task-file", "there.py"), "--task-file there.py: there is no such file."),
    "no correct answers": (
        ("--model", "majority", "--tasks", "mmau-test"),
        "model majority: this data has no correct answers to count; its authors may withhold them.",
    ),
    "no script": (("--model", "scripted", *MMAR), "the model scripted needs -M script=FILE."),
    "no such answers": (("--model", "replay", *MMAR, "-M", "file=there"), "-M file=there: there is no such file."),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with data and files that are not what they should be."""
    monkeypatch.chdir(tmp_path)
    mmar_data(tmp_path / "data", 3)
    mmar_data(tmp_path / "alone", 1)
    write_json(tmp_path / "data" / "mmau-test.json", mmau_items(1, split="test"))
    for name, content in {
        "empty": "\n \n",
        "words": "Answer!",
        "ids": "made-up-0_00-00-00_00-00-10\nnobody\nme\n",
    }.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    return tmp_path


@pytest.mark.parametrize("case", SAID)
def test_bad_input_is_one_line_and_nothing_is_written(here: Path, case: str) -> None:
    arguments, says = SAID[case]
    before = sorted(here.rglob("*"))
    data = () if "--data-dir" in arguments else ("--data-dir", "data")
    said = call("run", *arguments, *data, "--out", "out").refusal()
    assert says in said
    assert call("run", *arguments, *data, "--out", "out", "--dry-run").refusal() == said
    assert sorted(here.rglob("*")) == before


def test_a_mistake_is_one_line_from_a_process_of_its_own_too(here: Path) -> None:
    assert process("run", *MODEL, *MMAR, "--data-dir", here / "data", "--limit", "0", "--out", here / "out").refusal()
    assert not (here / "out").exists()


def test_an_empty_data_folder_names_what_it_looked_for(here: Path) -> None:
    (here / "nothing").mkdir()
    said = call("run", *MODEL, *MMAR, "--data-dir", "nothing", "--out", "out").refusal()
    assert "no mmar metadata in nothing or nothing/mmar: looked for MMAR-meta.jsonl, MMAR-meta.json." in said
    assert "dtbench data pull mmar" in said
    assert not (here / "out").exists()


def test_ids_that_leave_nothing_to_ask_of_a_task_are_refused(here: Path) -> None:
    (here / "ids").write_text("made-up-0_00-00-00_00-00-10\n")
    both = (*MODEL, "--tasks", "mmar,mmau-test", "--data-dir", "data", "--ids", "ids", "--out", "out")
    said = call("run", *both).refusal()
    assert said == "error: --ids: none of the 1 ids is in mmau-test: leave it out of --tasks."


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("return []", "birds: there is no question to ask in "),
        ("return [Sample('1', 'Who?', ('a', 'b'), 'a', Path('x'))] * 2", "birds: the id '1' is there twice; ids must"),
        (
            "return [Sample(1, 'Who?', ('a', 'b'), 'a', Path('x'))]",
            "birds: question 1 of samples(): the id 1 is not text",
        ),
        (
            "return [{}['questions']]",
            "birds: reading its questions failed with KeyError: 'questions' (birds.py, line 7).",
        ),
    ],
    ids=["empty", "twice", "number", "broken"],
)
def test_a_task_of_ones_own_that_cannot_be_asked_is_refused(here: Path, code: str, says: str) -> None:
    (here / "birds.py").write_text(
        "from pathlib import Path\nfrom dtbench import Sample, Task\n"
        f"class Birds(Task):\n    name = 'birds'\n\n    def samples(self, data_dir):\n        {code}\n"
    )
    done = call("run", *MODEL, "--task-file", "birds.py", "--out", "out")
    (line,) = done.err.splitlines()
    assert says in line
    assert (done.code, done.out) in {(2, ""), (3, "")}
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("words", "--out words: this is a file; name a folder, which is made where there is none."),
        (
            "data",
            "--out data: not a run folder, and not empty (MMAR-meta.jsonl, mmau-test.json): name a new or an empty",
        ),
        ("words/run", "words/run"),
    ],
)
def test_a_place_that_is_no_run_folder_is_left_as_it_is(here: Path, out: str, says: str) -> None:
    before = sorted(here.rglob("*"))
    asked = ("run", *MODEL, *MMAR, "--data-dir", "data", "--out", out)
    said = call(*asked).refusal()
    assert says in said
    assert call(*asked, "--dry-run").refusal() == said
    assert sorted(here.rglob("*")) == before


def test_an_endpoint_that_nobody_serves_is_said_before_anything_is_written(here: Path) -> None:
    done = call("run", "--model", nobody(), *MMAR, "--data-dir", "data", "--out", "out")
    (line,) = done.err.splitlines()
    assert (done.code, done.out) == (3, "")
    assert "connection refused" in line
    assert not (here / "out").exists()


def test_a_model_that_an_endpoint_does_not_serve_is_refused_with_those_that_it_does(here: Path) -> None:
    with chatting(models=("tiny", "small")) as chat:
        asked = ("run", "--model", chat.url, "-M", "model=tyni", *MMAR, "--data-dir", "data", "--out", "out")
        said = call(*asked).refusal()
    assert "tiny" in said
    assert "small" in said
    assert not (here / "out").exists()


def test_a_run_with_other_settings_is_refused_with_the_difference(here: Path) -> None:
    script = write_script(here / "script.jsonl", [{"text": "(A)"}])
    asked = ("run", *script, *MMAR, "--data-dir", "data", "--out", "out")
    assert call(*asked).code == 0
    before = {path: path.read_bytes() for path in (here / "out").iterdir()}
    said = call(*asked, "--seed", "7", "--samples", "2").refusal()
    assert call(*asked, "--seed", "7", "--samples", "2", "--dry-run").refusal() == said
    assert said == "error: out was made with another seed (0; now 7). Use another --out, or the same seed."
    items = [json.loads(line) for line in (here / "data" / "MMAR-meta.jsonl").read_text().splitlines()]
    write_json(here / "data" / "MMAR-meta.jsonl", [{**items[0], "question": "Another?"}, *items[1:]])
    assert call(*asked).refusal() == (
        f"error: out: 1 of the mmar questions it answered have changed since they were asked "
        f"(first: {items[0]['id']!r}). Use another --out, or the original data (data/MMAR-meta.jsonl)."
    )
    assert {path: path.read_bytes() for path in (here / "out").iterdir()} == before


def test_moved_data_and_another_port_are_the_same_run(here: Path) -> None:
    with chatting(default=Turn("(A)")) as chat:
        asked = ("run", *MMAR, "--out", "out", "--audio", "clip", "--max-failed", "1")
        assert call(*asked, "--model", chat.url, "--data-dir", "data").code == 3, "no clip is there"
    (here / "data").rename(here / "moved")
    with chatting(default=Turn("(A)")) as chat:
        done = call(*asked, "--model", chat.url, "--data-dir", "moved")
    assert "was made with" not in done.err


UNSCORABLE = """
from pathlib import Path
from dtbench import Sample, Task

class Birds(Task):
    name = "birds"

    def samples(self, data_dir):
        for number, answer in enumerate(("Jay", "", "")):
            yield Sample(str(number), "Which bird calls?", ("Crow", "Jay"), answer, Path(f"{number}.wav"))
"""


def test_a_question_that_cannot_be_scored_is_refused_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("birds.py").write_text(UNSCORABLE)
    Path("fine.txt").write_text("0\n")
    monkeypatch.syspath_prepend(tmp_path)
    arguments = ("run", "--model", "first", "--task-file", "birds.py", "--out", "out")
    assert call(*arguments).refusal() == (
        "error: birds: the question '1' cannot be scored: its answer is empty, and the text of the correct option is "
        "expected. Correct it in the data (birds), or leave it out with --ids; 2 of 3 questions cannot be scored."
    )
    assert not Path("out").exists()
    assert "cannot be scored" not in call(*arguments, "--ids", "fine.txt").err
    verified = call("data", "verify", "birds:Birds", "--no-audio")
    assert (verified.code, verified.err) == (2, "")
    assert "problem: 2 questions cannot be scored (first: '1': its answer is empty, " in verified.out
