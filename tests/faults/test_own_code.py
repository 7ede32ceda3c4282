"""Tasks of a user's own that break the contract: one line with the place, exit 3 or 2, and stdout stays JSON."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from campaign import CAMPAIGN
from command import call, process

HEAD = """
import sys
from dtbench import Extraction, Grouping, NoClip, Official, Prompt, Sample, Score, Task


class Mine(Task):
    name = "mine"
"""
SAMPLES = """
def samples(self, data_dir):
    for n in range(4):
        yield {sample}
"""
SAMPLE = 'Sample(f"q{n}", "Which?", ("yes", "no"), "yes", NoClip(f"q{n}"), {"kind": "x"})'


def own(body: str = "", sample: str = SAMPLE, samples: str = SAMPLES) -> str:
    """A file with a task."""
    return HEAD + textwrap.indent(samples.replace("{sample}", sample) + body, "    ")


def of_sample(old: str, new: str) -> str:
    assert old in SAMPLE
    return own(sample=SAMPLE.replace(old, new))


READ, SCORE, PROMPT, FIGURES, OFFICIAL = (
    f"\ndef {name}(self, {arguments}):\n    return "
    for name, arguments in (
        *(("read", "text, choices"), ("score", "sample, extraction"), ("prompt", "sample"), ("figures", "records")),
        ("official", "version"),
    )
)
CASES: dict[str, tuple[str, int, str]] = {
    "read raises": (
        own(READ + "1 / 0"),
        3,
        "mine: read() failed with ZeroDivisionError: division by zero (read_raises.py",
    ),
    "read returns a text": (own(READ + "text"), 3, "mine: read() returned '(A) yes'; an Extraction is expected."),
    "read returns nothing": (own(READ + "None"), 3, "mine: read() returned None; an Extraction is expected."),
    "read calls itself": (own(READ + "self.read(text, choices)"), 3, "mine: read() failed with RecursionError"),
    "score returns a bool": (own(SCORE + "True"), 3, "mine: score() of the question 'q0' returned True; a Score("),
    "score holds an object": (
        own(SCORE + "Score(Official(object(), True), True)"),
        3,
        "mine: score() of the question 'q0' returned official.correct <object",
    ),
    "prompt returns a text": (
        own(PROMPT + "'Which?'"),
        3,
        "mine: prompt() of the question 'q0' returned 'Which?'; a Prompt(",
    ),
    "prompt of a number": (own(PROMPT + "Prompt(5, sample.audio)"), 3, "returned a Prompt whose text is 5;"),
    "prompt exits": (own(PROMPT + "sys.exit(7)"), 3, "mine: prompt() of the question 'q0' failed with SystemExit: 7"),
    "figures raise": (own(FIGURES + "1 / 0"), 3, "mine: figures() failed with ZeroDivisionError"),
    "figures are a set": (own(FIGURES + "{'a': {1}}"), 3, "mine: figures() returned {'a': {1}} (Object of type set"),
    "figures are not a number": (
        own(FIGURES + "{'a': float('nan')}"),
        3,
        "mine: figures() returned {'a': nan} (Out of range",
    ),
    "figures are nothing": (own(FIGURES + "None"), 3, "mine: figures() returned None; a dict of figures"),
    "figures have a number for a name": (own(FIGURES + "{7: 1}"), 3, "mine: figures() returned a figure named 7;"),
    "figures replace ours": (own(FIGURES + "{'n': 7}"), 3, "mine: figures() returned n, which every summary has"),
    "official returns a bool": (
        own(OFFICIAL + "lambda item, said: True"),
        3,
        "mine: official() returned True; an Official(",
    ),
    "official returns nothing": (own(OFFICIAL + "None"), 3, "mine: official() returned None; a function of"),
    "a question is a dict": (
        own(sample='{"id": "x"}'),
        3,
        "question 1 of samples(): it is {'id': 'x'}, and a Sample is expected.",
    ),
    "a question is nothing": (own(sample="None"), 3, "question 1 of samples(): it is None, and a Sample is expected."),
    "an id is a number": (
        of_sample('f"q{n}", "Which', 'n, "Which'),
        3,
        "the id 0 is not text; give every sample one: str(id).",
    ),
    "a question is a number": (of_sample('"Which?"', "5"), 3, "'q0' has the question 5, and a text is expected."),
    "half a character": (of_sample("Which", "Which \\ud800"), 3, "'q0' has the question 'Which \\ud800?', and a text"),
    "a group is a number": (
        of_sample('"kind": "x"', '"kind": 3'),
        3,
        "'q0' has the group 'kind': 3, and a text is expected",
    ),
    "groups are a list": (
        of_sample('{"kind": "x"}', '["kind"]'),
        3,
        "'q0' has groups ['kind'], and a dict is expected.",
    ),
    "audio is a text": (of_sample('NoClip(f"q{n}")', '"x.wav"'), 3, "'q0' has the audio 'x.wav', and a pathlib.Path"),
    "audio is nothing": (of_sample('NoClip(f"q{n}")', "None"), 3, "'q0' has the audio None, and a pathlib.Path"),
    "options are numbers": (
        of_sample('("yes", "no"), "yes"', "(1, 2), 1"),
        2,
        "its answer is 1, and the text of the correct",
    ),
    "samples exit": (
        own(samples="\ndef samples(self, data_dir):\n    sys.exit(7)\n"),
        3,
        "mine: reading its questions failed with SystemExit: 7 (samples_exit.py, line 10). No --data-dir was given",
    ),
    "samples are not a list": (
        own(samples="\ndef samples(self, data_dir):\n    return 5\n"),
        3,
        "mine: reading its questions failed with TypeError: 'int' object is not iterable.",
    ),
    "a grouping of numbers": (
        own('\ngroupings = (Grouping("Kind", (5,)),)\n'),
        2,
        "groupings of the task Mine holds Grouping(title='Kind', fields=(5,)",
    ),
    "the file exits": ("import sys\nsys.exit(9)\n", 2, "running it failed with SystemExit: 9"),
    "the task exits when it is made": (
        own("\ndef __init__(self):\n    sys.exit(9)\n"),
        2,
        "creating the task Mine failed",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_task_that_breaks_its_contract_is_one_line(tmp_path: Path, case: str) -> None:
    text, code, said = CASES[case]
    file = tmp_path / f"{case.replace(' ', '_')}.py"
    file.write_text(text)
    done = call("run", "--model", "echo-gold", "--task-file", file, "--out", tmp_path / "run", "--json")
    CAMPAIGN.note(f"own task: {case}", 1, leaked=said not in done.err)
    assert done.code == code, done
    assert done.out == ""
    (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert said in line
    assert "Traceback" not in done.err


def test_truth_values_of_numpy_are_taken_as_what_they_are(tmp_path: Path) -> None:
    right = "numpy.bool_(extraction.choice == sample.answer)"
    file = tmp_path / "numpys.py"
    file.write_text("import numpy\n" + own(SCORE + f"Score(Official({right}, numpy.True_, None), {right})"))
    done = call("run", "--model", "echo-gold", "--task-file", file, "--out", tmp_path / "run", "--json")
    assert done.code == 0, done
    assert json.loads(done.out)["tasks"][0]["official"]["accuracy"] == 1.0
    assert call("score", tmp_path / "run").code == 0


def test_what_a_task_prints_goes_to_stderr(tmp_path: Path) -> None:
    file = tmp_path / "talks.py"
    body = "\ndef read(self, text, choices):\n    print('read')\n    return super().read(text, choices)\n"
    file.write_text("print('file')\n" + own(body, samples=SAMPLES + "    print('samples')\n"))
    done = process("run", "--model", "echo-gold", "--task-file", file, "--out", tmp_path / "run", "--json")
    assert json.loads(done.out)["status"] == "done"
    assert {"file", "samples", "read"} <= set(done.err.splitlines())
