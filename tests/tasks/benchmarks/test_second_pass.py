"""Benchmarks whose authors ask a judge, or an embedding model: the second pass gives what their scripts would."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audio_benchmarks import write_big_bench_audio, write_mmau_pro, write_sakura
from chat_server import Asked, Turn, chatting
from command import call
from judged_answers import letters_of, words_of

from dtbench.harness.judge.answer_case import AnswerCase
from dtbench.harness.judge.replies import read_answer_verdict
from dtbench.harness.judge.same_answer import SameAnswerScorer
from dtbench.harness.judge.verdict import UnreadableError
from dtbench.harness.score.scorers.judging import JudgeRule, judge
from dtbench.tasks.registry import get_task

GOLDEN = Path(__file__).parents[2] / "golden"


def rule_of(name: str) -> JudgeRule:
    (found,) = [one for one in get_task(name).scorers if one.function is judge]
    return JudgeRule.of(found.options)


def recorded(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (GOLDEN / f"{name}.jsonl").read_text().splitlines()]


def mark(text: str, rule: JudgeRule) -> float | None:
    try:
        return read_answer_verdict(text, rule).mark
    except UnreadableError:
        return None


def test_the_replies_of_sakuras_judge_are_read_as_its_script_reads_them() -> None:
    rule, rows = rule_of("sakura"), recorded("sakura_judge_replies")
    assert [(mark(row["reply"], rule) == 1.0, mark(row["reply"], rule) is None) for row in rows] == [
        (row["correct"], row["invalid"]) for row in rows
    ]
    assert rule.unreadable == "wrong"


def test_the_replies_of_mmau_pros_judge_are_read_as_its_script_reads_them_but_for_scores_beyond_its_scale() -> None:
    rule, rows = rule_of("mmau-pro"), recorded("mmau_pro_judge")
    beyond = [row["case"] for row in rows if not 1 <= row["scores"]["overall"] <= 5]
    assert beyond == ["above 5", "zero"]
    assert {row["case"]: mark(row["reply"], rule) for row in rows} == {
        row["case"]: None if row["case"] in beyond else pytest.approx(row["correct"]) for row in rows
    }


def bba(asked: Asked) -> Turn:
    text = words_of(asked)
    gold = re.search(r"OFFICIAL ANSWER:(.*)", text)
    answer = re.search(r"ASSESS\n\n(.*)\n\nEND", text, re.DOTALL)
    assert gold is not None
    assert answer is not None
    return Turn("CORRECT" if gold[1].casefold() in answer[1].casefold() else "INCORRECT")


def sakura(asked: Asked) -> Turn:
    text = words_of(asked).rpartition("Now here is")[2]
    gold = re.search(r"Ground truth answer: \([a-d]\) (.*)", text)
    answer = re.search(r"response: (.*)\n\n", text)
    assert gold is not None
    assert answer is not None
    return Turn(f"Explanation: so.\nJudgement: {'correct' if gold[1] in answer[1] else 'incorrect'}")


def mmau_pro(asked: Asked) -> Turn:
    names = ("CORRECTNESS", "RELEVANCE", "COMPLETENESS", "CLARITY", "OVERALL")
    return Turn("\n".join(f"{name}: 4 - well" for name in names))


JUDGED: dict[str, tuple[Callable[[Path], None], Callable[[Asked], Turn], list[str]]] = {
    "big-bench-audio": (write_big_bench_audio, bba, ["judge"]),
    "sakura": (write_sakura, sakura, ["judge"]),
    "mmau-pro": (write_mmau_pro, mmau_pro, ["judge", "embedding"]),
}


@pytest.mark.parametrize("name", JUDGED)
def test_gold_answers_have_full_marks_once_each_server_was_asked(name: str, tmp_path: Path) -> None:
    write, answer, scorers = JUDGED[name]
    write(tmp_path / "data")
    run = tmp_path / "run"
    asked = ("--tasks", name, "--data-dir", tmp_path / "data", "--max-failed", "0.5")  # no gold: an instruction
    done = call("run", "--model", "echo-gold", *asked, "--out", run)
    assert done.code == 0, done.err
    with chatting(choose=answer, embed=letters_of) as chat:
        for scorer in scorers:
            judged = call("judge", run, "--base-url", chat.url, "--scorer", scorer, "--json")
            assert judged.code == 0, judged.err
            told = json.loads(judged.out)
            assert told["score"] == (80.0 if answer is mmau_pro and scorer == "judge" else 100.0)
            model = rule_of(name).model if scorer == "judge" else "nvidia/NV-Embed-v2"
            assert [note.startswith(f"the authors' judge is {model}") for note in told.get("notes", ())] == [
                True for _ in filter(None, [model])
            ]
    (summary,) = json.loads((run / "summary.json").read_text())["tasks"]
    assert summary["official"]["counted"] == summary["n"] - summary["failed"]
    assert (summary["official"]["accuracy"] == 1) is (answer is not mmau_pro)


def test_big_bench_audio_is_judged_in_its_authors_words_without_a_question_that_no_file_has(
    tmp_path: Path,
) -> None:
    write_big_bench_audio(tmp_path)
    task = get_task("big-bench-audio")
    sample = task.load(tmp_path).samples[0]
    scorer = SameAnswerScorer(task.scorers[0])
    text = scorer.prompt(AnswerCase(sample, "I say {answer}.")).text
    assert "START QUESTION \n\nEND QUESTION" in text
    assert f"The OFFICIAL ANSWER:{sample.answer}\n\nBEGIN CANDIDATE ANSWER TO ASSESS\n\nI say {{answer}}.\n" in text


def test_sakuras_judge_is_told_the_right_option_as_the_data_has_it(tmp_path: Path) -> None:
    write_sakura(tmp_path)
    task = get_task("sakura")
    scorer = SameAnswerScorer(task.scorers[0])
    for sample in task.load(tmp_path).samples:
        text = scorer.prompt(AnswerCase(sample, "An owl.")).text
        published = sample.item[f"{sample.groups['Hop']}_answer"].strip()
        assert f"    Ground truth answer: {published}\n    Model generated response: An owl.\n" in text
