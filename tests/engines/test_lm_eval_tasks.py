"""`dtbench run --tasks lm_eval:NAME`: tasks of lm-eval through our loop."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest
import soundfile
from chat_server import Asked, Chat, Turn, chatting
from command import Done, process
from engines import apart, need
from lm_eval_tasks import SPOKEN, capitals, common_voice, gsm8k
from odd_answers import message_of

from dtbench.harness.core.scorable import refuse_unscorable
from dtbench.tasks.registry import task_from_file

pytestmark = pytest.mark.engine

PITCHES = (300.0, 450.0, 700.0, 1000.0)
SUMS = 8
_SUM = re.compile(r"How much is (\d+) and (\d+)\?\nAnswer:$")


def pitch_in(clip: str) -> float:
    """The pitch of a tone, in Hz."""
    wave, rate = soundfile.read(io.BytesIO(base64.b64decode(clip)))
    return float(numpy.argmax(numpy.abs(numpy.fft.rfft(wave))) * rate / len(wave))


def able_answer(asked: Asked) -> Turn:
    """Says which pitch it hears; adds up, and gives every other sum without the mark that strict-match wants."""
    text, clip = message_of(asked.json())
    if clip:
        return Turn(SPOKEN.format(pitch_in(clip)))
    found = _SUM.search(text)
    assert found is not None, text[-200:]
    one, other = int(found[1]), int(found[2])
    return Turn(f"#### {one + other}" if one % 2 else f"It is {one + other}")


def summaries(out: Path) -> Mapping[str, Mapping[str, Any]]:
    return {task["task"]: task for task in json.loads((out / "summary.json").read_text())["tasks"]}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where lm-eval's own tasks find data of ours in place of the hub's."""
    need("lm_eval")
    folder = tmp_path_factory.mktemp("lm-eval-tasks")
    gsm8k(folder, SUMS)
    common_voice(folder, PITCHES)
    return folder


def run(home: Path, *arguments: str | Path) -> Done:
    with contextlib.chdir(home):
        return process("run", *arguments, HF_HUB_OFFLINE="1", HF_HOME=str(home / "hub"))


@pytest.fixture(scope="module")
def asked(home: Path) -> Chat:
    """An endpoint that was asked by a run that failed in part, and by the same command again."""

    def fail_one(asked: Asked) -> Turn:
        return Turn(status=400) if message_of(asked.json()).text.endswith("3 and 4?\nAnswer:") else able_answer(asked)

    with chatting(choose=fail_one) as chat:
        command = ("--model", chat.url, "--tasks", "lm_eval:gsm8k,lm_eval:common_voice_en", "--out", home / "run")
        done = run(home, *command)
        assert done.code == 3, done
        assert "lm_eval:gsm8k: 1 of 8 answers failed" in done.err
        assert len(chat.asked) == SUMS + len(PITCHES)
        assert summaries(home / "run")["lm_eval:gsm8k"]["lm_eval"]["incomplete"] == 1
        chat.choose = able_answer
        done = run(home, *command)
        assert (done.code, len(chat.asked)) == (0, SUMS + len(PITCHES) + 1), done
        assert "exact_match 0.5000 ± 0.1890 (filter strict-match)" in " ".join(done.out.split())
    return chat


def test_each_filter_of_gsm8k_has_its_own_score(home: Path, asked: Chat) -> None:
    told = summaries(home / "run")["lm_eval:gsm8k"]
    results = told["lm_eval"]["results"]
    assert results["exact_match,strict-match"] == 0.5
    assert results["exact_match,flexible-extract"] == 1.0
    assert told["official"]["accuracy"] == told["strict"]["accuracy"] == 0.5
    assert (told["lm_eval"]["n"], told["lm_eval"]["incomplete"]) == (SUMS, 0)


def test_gsm8k_is_asked_with_its_five_examples_greedily(asked: Chat) -> None:
    bodies = [request.json() for request in asked.asked]
    sums = [body for body in bodies if not message_of(body).clip]
    assert len(sums) == SUMS + 1, "one of them twice"
    for body in sums:
        words = message_of(body).text
        assert words.count("Question: How much is") == 6
        assert words.count("####") == 5
        assert body["temperature"] == 0.0


def test_a_task_of_lm_evals_with_audio_is_heard_and_scored(home: Path, asked: Chat) -> None:
    told = summaries(home / "run")["lm_eval:common_voice_en"]
    assert told["lm_eval"]["n"] == len(PITCHES)
    assert told["lm_eval"]["results"]["bleu,none"] == pytest.approx(100)
    voices = [request.json() for request in asked.asked if message_of(request.json()).clip]
    assert sorted(pitch_in(message_of(body).clip) for body in voices) == sorted(PITCHES)
    assert {(body["temperature"], body["max_tokens"]) for body in voices} == {(0.0, 64)}
    assert not any("<audio>" in message_of(body).text for body in voices)
    answers = [json.loads(line) for line in (home / "run" / "lm_eval.common_voice_en.jsonl").read_text().splitlines()]
    assert {(line["id"], line["response"]["text"]) for line in answers} == {
        (str(number), SPOKEN.format(pitch)) for number, pitch in enumerate(PITCHES)
    }, "each question has the clip of its document"


def test_where_a_metric_is_of_all_answers_there_is_no_accuracy_and_the_summary_says_why(
    home: Path, asked: Chat
) -> None:
    told = summaries(home / "run")["lm_eval:common_voice_en"]
    assert told["official"]["accuracy"] is told["strict"]["accuracy"] is None
    assert told["unanswered"] == 0
    assert told["notes"] == ["its metric, bleu, does not score single answers: see the figures of lm-eval"]


def test_documents_without_a_target_are_noted_and_their_verdict_is_that_of_lm_evals_metric(tmp_path: Path) -> None:
    need("lm_eval")
    file = capitals(tmp_path / "capitals")
    rows = [{"country": "France", "capital": "Paris"}, {"country": "Atlantis", "capital": ""}]
    (file.parent / "asked.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    task = task_from_file(file)
    data = task.load(None)
    assert data.notes == (
        "documents without a target: 1 (first: 1); lm-eval's metric stands, and may call an empty answer right there",
    )
    refuse_unscorable(task, data)
    france, atlantis = data.samples
    assert task.score(france, task.read("It is Paris.", ())).correct is True
    silent = [task.score(sample, task.read("", ())) for sample in (france, atlantis)]
    assert [score.correct for score in silent] == [None, None]
    assert not silent[0].official.correct


REFUSED: Sequence[tuple[Sequence[str], str]] = [
    (["--tasks", "lm_eval:hellaswag"], "its output_type is multiple_choice, which compares likelihoods"),
    (["--tasks", "lm_eval:wikitext"], "its output_type is loglikelihood_rolling"),
    (["--tasks", "lm_eval:mmlu"], "this is a group of tasks; name one of them: mmlu_humanities"),
    (["--tasks", "lm_eval:gsm9k"], "lm-eval has no task 'gsm9k'. Did you mean gsm8k"),
    (["--tasks", "lm_eval:humaneval"], "its metric executes code written by the model"),
    (["--tasks", "lm_eval:mmmu_val_art"], "its documents have images"),
    (["--task-file", "{capitals}", "--samples", "2"], "takes 1 answers to each question: --samples 1"),
    (["--task-file", "{capitals}", "--audio", "silence"], "there are questions of lm_eval:capitals without a clip"),
    (["--task-file", "{capitals}", "--answer", "think"], "the prompts of lm_eval:capitals come from lm-eval"),
    (["--task-file", "{capitals}", "--data-dir", "."], "lm_eval:capitals finds its data by itself"),
    (["--task-file", "{beams}"], "generation_kwargs ask for num_beams=4, which no model of dtbench takes"),
    (["--task-file", "{likely}"], "its output_type is multiple_choice"),
    (["--task-file", "{nameless}"], "not an lm-eval task: a line `task: NAME` is expected"),
    (["--task-file", "{broken}"], "lm-eval cannot read it"),
    (["--task-file", "{gone}"], "its documents cannot be loaded: FileNotFoundError"),
]


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Done]:
    need("lm_eval")
    folder = tmp_path_factory.mktemp("refused")
    file = capitals(folder / "capitals")
    words = file.read_text()
    files = {
        "capitals": words,
        "beams": words.replace("temperature: 0.0", "num_beams: 4"),
        "likely": words.replace("generate_until", "multiple_choice"),
        "nameless": "description: none\n",
        "broken": "task: [\n",
        "gone": words.replace("asked.jsonl", "nowhere.jsonl"),
    }
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    places = {name: str(folder / f"{name}.yaml") for name in files}
    commands = [
        ["run", "--model", "echo-gold", "--out", str(folder / "out"), *(word.format(**places) for word in words)]
        for words, _ in REFUSED
    ]
    done = [Done(*one) for one in json.loads(apart("calls", given=json.dumps(commands)))]
    assert not (folder / "out").exists()
    return done


@pytest.mark.parametrize("number", range(len(REFUSED)), ids=[" ".join(words) for words, _ in REFUSED])
def test_what_cannot_be_asked_is_one_line_before_anything_is_written(number: int, refusals: Sequence[Done]) -> None:
    done = refusals[number]
    assert (done.code, done.out) == (2, "")
    assert REFUSED[number][1] in done.err.splitlines()[-1]
    assert done.err.splitlines()[-1].startswith("error: ")
