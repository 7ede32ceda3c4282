"""`lm_eval --model dtbench --tasks dtbench_mini`, and its scores against those of `dtbench run` on the same answers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from chat_server import Asked, Chat, Turn, chatting
from command import call
from engines import need
from lm_eval_command import Files, files_of, lm_eval
from lm_eval_tasks import CAPITALS, SHOTS, capitals
from odd_answers import message_of, odd_answer

from dtbench.harness.lm_eval.plug import FOLDER

pytestmark = pytest.mark.engine

LIMIT = 60
QUESTIONS = LIMIT + len(CAPITALS) - SHOTS
FAILING = 5


class Run(NamedTuple):
    """What a run of either left behind."""

    files: Files
    bodies: Counter[bytes]
    """What the endpoint was asked."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("lm_eval")
    folder = tmp_path_factory.mktemp("lm-eval")
    capitals(folder / "capitals")
    return folder


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Chat]:
    with chatting(choose=odd_answer) as chat:
        yield chat


@pytest.fixture(scope="module")
def theirs(home: Path, endpoint: Chat) -> Run:
    """`lm_eval --model dtbench` on mini and on text: first with questions that fail, then again."""
    failed: set[bytes] = set()

    def fail_some(asked: Asked) -> Turn | None:
        if len(failed) < FAILING or asked.content in failed:
            failed.add(asked.content)
            return Turn(status=400)
        return odd_answer(asked)

    command: Sequence[str | Path] = [
        *("--model", "dtbench", "--model_args", f"pretrained={endpoint.url}", "--limit", str(LIMIT)),
        *("--tasks", f"{FOLDER / 'dtbench_mini.yaml'},{home / 'capitals' / 'capitals.yaml'}"),
        *("--output_path", home / "theirs", "--log_samples", "--use_cache", home / "cache"),
    ]
    endpoint.asked.clear()
    endpoint.choose = fail_some
    done = lm_eval(home, *command)
    assert done.code == 1, done
    assert f"{FAILING} of {QUESTIONS} questions got no answer" in done.err, done.err[-2000:]
    assert not list(home.glob("theirs/**/results_*")), "a score without them would mislead"
    first = Counter(asked.content for asked in endpoint.asked if asked.content not in failed)
    endpoint.asked.clear()
    endpoint.choose = odd_answer
    done = lm_eval(home, *command)
    assert done.code == 0, done.err[-2000:]
    again = Counter(asked.content for asked in endpoint.asked)
    assert set(again) == failed, "what was answered is not asked again"
    return Run(files_of(home / "theirs"), first + again)


@pytest.fixture(scope="module")
def ours(home: Path, endpoint: Chat) -> Run:
    """`dtbench run` on the same, and its export."""
    endpoint.asked.clear()
    endpoint.choose = odd_answer
    out = home / "ours"
    asked_of: Sequence[str | Path] = ["run", "--model", endpoint.url, "--limit", str(LIMIT), "--out", out]
    done = call(*asked_of, "--tasks", "mini", "--task-file", home / "capitals" / "capitals.yaml")
    assert done.code == 0, done
    bodies = Counter(asked.content for asked in endpoint.asked)
    done = call("export", out, "--format", "lm-eval", "--out", home / "exported")
    assert done.code == 0, done
    return Run(files_of(home / "exported"), bodies)


def summaries(home: Path) -> Mapping[str, Any]:
    return {task["task"]: task for task in json.loads((home / "ours" / "summary.json").read_text())["tasks"]}


def test_both_ask_the_same_bytes_clips_and_seeds_included(theirs: Run, ours: Run) -> None:
    assert theirs.bodies == ours.bodies
    assert sum(ours.bodies.values()) == QUESTIONS
    heard = {message_of(json.loads(body)).clip for body in ours.bodies}
    assert len(heard) == LIMIT + 1, "each question of mini has a clip of its own, and a text has none"


def test_the_score_of_mini_is_equal_to_the_last_digit(home: Path, theirs: Run, ours: Run) -> None:
    told, summary = theirs.files.figures("dtbench_mini"), summaries(home)["mini"]
    assert told["official,none"] == summary["official"]["accuracy"]
    assert told["strict,none"] == summary["strict"]["accuracy"]
    assert told["unanswered,none"] == summary["unanswered"] / LIMIT
    assert 0.1 < told["strict,none"] < 0.5
    assert told["unanswered,none"] > 0
    assert told == ours.files.figures("dtbench_mini"), "standard errors included"


def test_the_figures_of_a_text_task_are_equal_to_the_last_digit(home: Path, theirs: Run) -> None:
    told, summary = theirs.files.figures("capitals"), summaries(home)["lm_eval:capitals"]
    figures = summary["lm_eval"]["results"]
    assert figures == told
    assert set(figures) == {
        f"{metric}{error},{way}"
        for metric in ("exact_match", "bleu")
        for error in ("", "_stderr")
        for way in ("last-word", "whole")
    }
    assert 0 < figures["exact_match,last-word"] < 1
    assert figures["exact_match,last-word"] == summary["official"]["accuracy"] == summary["strict"]["accuracy"]


def test_a_task_that_prescribes_its_sampling_gets_it(ours: Run) -> None:
    told = {
        bool(message_of(body).clip): (body.get("temperature"), body.get("max_tokens"))
        for body in map(json.loads, ours.bodies)
    }
    assert told == {True: (None, 2048), False: (0.0, 24)}


def test_the_export_of_a_run_and_lm_evals_own_files_say_the_same_of_each_question(theirs: Run, ours: Run) -> None:
    same = ("doc_id", "doc", "target", "resps", "metrics", "doc_hash", "prompt_hash", "target_hash", "filter", "strict")
    mine, others = ours.files.lines["dtbench_mini"], theirs.files.lines["dtbench_mini"]
    assert len(mine) == len(others) == LIMIT
    for line, other in zip(mine, others, strict=True):
        assert {name: line[name] for name in same} == {name: other[name] for name in same}
        assert line.get("official") == other.get("official")
        assert line["arguments"]["gen_args_0"]["arg_0"] == other["arguments"]["gen_args_0"]["arg_0"]
    assert ours.files.results["task_hashes"]["dtbench_mini"] == theirs.files.results["task_hashes"]["dtbench_mini"]


def test_the_export_of_a_task_of_lm_evals_has_its_filters_metrics_and_documents(theirs: Run, ours: Run) -> None:
    same = ("doc_id", "doc", "target", "filtered_resps", "filter", "metrics", "exact_match", "bleu")
    mine, others = ours.files.lines["capitals"], theirs.files.lines["capitals"]
    assert len(mine) == len(others) == 2 * (len(CAPITALS) - SHOTS)
    for line, other in zip(mine, others, strict=True):
        assert {name: line[name] for name in same} == {name: other[name] for name in same}
    assert ours.files.figures("capitals") == theirs.files.figures("capitals")
    assert ours.files.results["task_hashes"]["capitals"] == theirs.files.results["task_hashes"]["capitals"]


def test_the_export_lacks_nothing_that_lm_evals_own_files_have(theirs: Run, ours: Run) -> None:
    assert set(theirs.files.results) <= set(ours.files.results)
    for part in ("results", "versions", "n-shot", "higher_is_better", "n-samples", "task_hashes", "configs"):
        assert set(ours.files.results[part]) == {"dtbench_mini", "capitals"}
    told = ours.files.results["n-samples"]["dtbench_mini"]
    assert told == theirs.files.results["n-samples"]["dtbench_mini"]
    assert told["original"] > told["effective"] == LIMIT
    for line, other in zip(ours.files.lines["dtbench_mini"], theirs.files.lines["dtbench_mini"], strict=True):
        assert set(line) == set(other)


def test_lm_evals_files_hold_no_sound_and_say_what_answered(theirs: Run) -> None:
    clip = theirs.files.lines["dtbench_mini"][0]["arguments"]["gen_args_0"]["arg_2"]["audio"][0]
    assert clip == {
        "benchmark": "mini",
        "data": clip["data"],
        "question": theirs.files.lines["dtbench_mini"][0]["doc"]["id"],
        "sampling_rate": 16000,
    }
    assert theirs.files.results["config"]["dtbench_model"]["name"] == "server"
    assert theirs.files.results["config"]["dtbench_data"]["mini"].endswith(clip["data"])


def test_a_model_of_lm_evals_own_gets_the_figures_of_dtbench_on_the_text_task(home: Path, ours: Run) -> None:
    with chatting(choose=odd_answer) as chat:
        done = lm_eval(
            home,
            *("--model", "local-chat-completions", "--tasks", home / "capitals" / "capitals.yaml"),
            *("--model_args", f"model=tiny,base_url={chat.url}/chat/completions"),
            *("--apply_chat_template", "--fewshot_as_multiturn", "false", "--output_path", home / "own"),
        )
    assert done.code == 0, done.err[-2000:]
    told = files_of(home / "own").figures("capitals")
    assert told == summaries(home)["lm_eval:capitals"]["lm_eval"]["results"]


def test_a_text_task_is_scored_again_from_its_records_alone(home: Path, ours: Run) -> None:
    before = summaries(home)["lm_eval:capitals"]
    done = call("score", home / "ours", "--task", "lm_eval:capitals", "--json")
    assert done.code == 0, done
    (again,) = json.loads(done.out)
    assert again["lm_eval"] == before["lm_eval"]
    assert again["differ"] == {"n": 0, "ids": []}
