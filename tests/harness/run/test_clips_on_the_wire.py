"""Questions with several clips before an endpoint, a function and a family that take fewer."""

from __future__ import annotations

import base64
import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
from chat_server import Asked, Turn, chatting
from command import call
from sounds import encoded, sine

import dtbench
from dtbench import Prompt, Sample, Task
from dtbench.harness.core.errors import DtbenchError

TASK = """
from pathlib import Path
from dtbench import Sample, Task

HERE = Path(__file__).parent

class Pairs(Task):
    name = "pairs"

    def samples(self, data_dir):
        yield Sample("one", "Which?", ("x", "y"), "x", HERE / "0.wav")
        yield Sample("two", "{audio 2} or {audio 1}?", ("x", "y"), "x", clips=[HERE / "0.wav", HERE / "1.wav"])
"""


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    for number in range(2):
        (folder / f"{number}.wav").write_bytes(encoded(sine(300 + 300 * number, 0.3, 16000), 16000).data)
    (folder / "task.py").write_text(textwrap.dedent(TASK))
    return folder / "task.py"


def parts(asked: Asked) -> list[Any]:
    content: list[Any] = asked.json()["messages"][-1]["content"]
    return content


def of_one_clip(asked: Asked) -> Turn | None:
    """An endpoint as vLLM is where a prompt may have one clip."""
    if sum(part["type"] == "input_audio" for part in parts(asked)) < 2:
        return None
    error = {"message": "At most 1 audio(s) may be provided in one prompt.", "type": "BadRequestError", "code": 400}
    return Turn(status=400, body=json.dumps({"error": error}).encode())


def test_clips_are_sent_where_the_words_have_their_marks(task: Path, tmp_path: Path) -> None:
    with chatting(default=Turn("x")) as chat:
        assert call("run", "--task-file", task, "--model", chat.url, "--out", tmp_path / "run").code == 0
        (sent,) = (parts(asked) for asked in chat.asked if len(parts(asked)) > 2)
    second, words, first, rest = sent
    wavs = [base64.b64decode(part["input_audio"]["data"]) for part in (second, first)]
    assert [len(wav) for wav in wavs] == [44 + 9600] * 2
    assert wavs[0] != wavs[1]
    assert words["text"] == " or "
    assert rest["text"].startswith("?\n(A) x")


def test_an_endpoint_that_takes_one_clip_is_one_line_before_anything_is_asked(task: Path, tmp_path: Path) -> None:
    with chatting(choose=of_one_clip, chooses_tried=True) as chat:
        refusal = call("run", "--task-file", task, "--model", chat.url, "--out", tmp_path / "run").refusal()
        assert chat.asked == []
    assert "answers no question, so none was asked" in refusal
    assert "At most 1 audio(s) may be provided in one prompt" in refusal


def test_a_family_of_one_clip_is_one_line(task: Path) -> None:
    refusal = call("run", "--task-file", task, "--model", "kimi-audio", "--dry-run").refusal()
    assert "Kimi-Audio takes one clip only in a prompt, and these prompts have up to 2" in refusal


def test_a_dry_run_names_each_clip_in_its_place(task: Path) -> None:
    with chatting() as chat:
        shown = call("run", "--task-file", task, "--model", chat.url, "--dry-run", "--json")
    body = json.loads(shown.out)["prompt"]["body"]
    assert body["messages"][0]["content"][0]["input_audio"]["data"].startswith(f"<base64 of {task.parent}/0.wav (mono")


class Two(Task):
    name = "two"

    def samples(self, data_dir: Path | None) -> list[Sample]:
        return [Sample("q", "Which?", ("x", "y"), "x", clips=[_tone(300), _tone(600)])]

    def examples(self, data_dir: Path | None) -> list[Sample]:
        return [Sample("e", "What?", ("x", "y"), "y", _tone(900))]


def _tone(hertz: float) -> Any:
    return encoded(sine(hertz, 0.3, 16000), 16000)


def test_a_function_gets_all_clips_and_examples_or_says_what_it_lacks(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def whole(prompt: Prompt) -> str:
        seen.append((len(prompt.wavs), len(prompt.examples[0].wavs)))
        return "x"

    def several(text: str, wavs: tuple[bytes, ...], examples: tuple[Any, ...]) -> str:
        seen.append((len(wavs), len(examples[0].wavs)))
        return "x"

    def single(text: str, wav: bytes) -> str:
        return "x"

    dtbench.run(whole, Two(), num_fewshot=1, out=tmp_path / "whole")
    dtbench.run(several, Two(), num_fewshot=1, out=tmp_path / "several")
    assert seen == [(2, 1), (2, 1)]
    with pytest.raises(DtbenchError, match="'q' has 2 clips, for which the function has no parameter: name one `wavs`"):
        dtbench.run(single, Two(), out=tmp_path / "single")


def test_rows_may_be_examples(tmp_path: Path) -> None:
    row = {"question": "Which?", "choices": ["x", "y"], "answer": "x", "audio": _tone(300).read()}
    task = Task.of([row], name="rows", examples=[{**row, "question": "And this?", "answer": "y"}])
    asked: list[Prompt] = []

    def answer(prompt: Prompt) -> str:
        asked.append(prompt)
        return "x"

    dtbench.run(answer, task, num_fewshot=1, out=tmp_path / "run")
    (example,) = asked[0].examples
    assert (example.text.splitlines()[0], example.answer, len(example.wavs)) == ("And this?", "y", 1)
