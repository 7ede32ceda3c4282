from __future__ import annotations

import asyncio
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from chat_server import chatting
from command import call
from judges import chain_of, honest, mmar_with_criteria
from small_data import mmar_items, write_json

import dtbench
from dtbench import FileScores, Prompt, Run, RunScores, Sample, Task, UserError
from dtbench.tasks.mmar import Mmar

HOSTILE = "<script>alert(1)</script>&amp;"


def even(prompt: Prompt) -> str:
    """Right more often than chance, as mini's golds are spread evenly."""
    return prompt.choices[int(prompt.id, 16) % 2]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    folder = tmp_path_factory.mktemp("runs")
    first = dtbench.run(lambda choices: choices[0], "mini", limit=80, out=folder / "a")
    return first, dtbench.run(even, "mini", limit=80, out=folder / "b")


def printed(*arguments: str | Path) -> Any:
    return json.loads(call(*arguments, "--json").out)


class Text(HTMLParser):
    """The text of a piece of HTML, and its elements; an element that is not closed is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if self.open[-1] != "style" else ""


def test_a_comparison_is_that_of_the_command(runs: tuple[Run, Run]) -> None:
    first, second = runs
    found = dtbench.compare(first, second.path)
    assert found.as_json() == printed("compare", first.path, second.path)
    only = found.as_json()[0]
    assert (found.difference, found.low, found.high, found.p, found.n) == tuple(
        only[name] for name in ("difference", "low", "high", "p", "n")
    )
    assert repr(found) == f"<RunComparison: {found.sentence}>"
    with pytest.warns(dtbench.DtbenchWarning, match="b is named twice; name each run once."):
        three = dtbench.compare(first, second, second.path, task="mini", score="strict")
    assert [one["score"] for one in three] == ["strict", "strict"]
    with pytest.raises(UserError, match="there are 2 comparisons: take one by its place"):
        three.difference  # noqa: B018


def test_a_gate_is_that_of_the_command_without_an_exit_code(runs: tuple[Run, Run]) -> None:
    first, second = runs
    found = dtbench.gate(second, first, max_drop=40, groups=["difficulty=easy"])
    command = ("gate", "--baseline", first.path, "--candidate", second.path, "--max-drop", "40")
    assert json.loads(json.dumps(found.as_json())) == printed(*command, "--group", "difficulty=easy")
    assert [one.name for one in found] == ["mini", "mini difficulty=easy"]
    assert (found.verdict, found.passed) == ("passed", True)
    unsure = dtbench.gate(second, first, max_drop=0.1)
    assert (unsure.verdict, unsure.passed) == ("undecided", False)
    assert dtbench.gate(second, first, max_drop=0.1, undecided="pass").passed
    with pytest.raises(UserError, match=r"gate: unknown setting 'max_drp'\. Did you mean max_drop"):
        dtbench.gate(second, first, max_drp=3)
    with pytest.raises(UserError, match="not a run folder: there is no such folder"):
        dtbench.gate(second.path / "nothing", first)


def test_a_gate_asks_a_candidate_in_rounds_until_it_is_decided(tmp_path: Path) -> None:
    base = dtbench.run("first", "mini", limit=60, out=tmp_path / "base")
    lines = tmp_path / "answers.jsonl"
    write_json(lines, [{"id": one["id"], "text": one["response"]["text"]} for one in base.records()])
    candidate = dtbench.run("replay", "mini", limit=60, out=tmp_path / "new", options={"file": str(lines)})
    found = dtbench.gate(candidate, base, until="decided", max_drop=60)
    assert found.passed
    assert found.as_json()["asked"] < found.as_json()["of"] == 60


def test_a_run_is_scored_again_and_so_are_rows_and_files(runs: tuple[Run, Run], tmp_path: Path) -> None:
    first, _ = runs
    again = dtbench.score(first)
    assert isinstance(again, RunScores)
    assert again.as_json() == printed("score", first.path)
    assert again.official == first.scores()["official"]["accuracy"]
    assert sum(row["official_correct"] for row in again.rows) == first.scores()["official"]["correct"]

    items = [{**item, "answer_prediction": item["answer"] if n else "no"} for n, item in enumerate(mmar_items())]
    write_json(tmp_path / "predictions.jsonl", items)
    by_file, by_rows = dtbench.score(tmp_path / "predictions.jsonl", "mmar"), dtbench.score(items, "mmar")
    assert isinstance(by_rows, FileScores)
    assert by_file.as_json() == printed("score", "--task", "mmar", "--predictions", tmp_path / "predictions.jsonl")
    assert by_rows.official == by_file.official == pytest.approx(5 / 6)
    assert repr(by_rows) == "<FileScores mmar: official 83.33%, strict 83.33%>"
    pandas = pytest.importorskip("pandas", reason="pandas is an extra")
    frame = pandas.DataFrame([{**item, "path": "a.wav"} for item in items])
    assert dtbench.score(frame, "mmar").official == by_rows.official
    with pytest.raises(UserError, match="score: task is missing"):
        dtbench.score(items)
    with pytest.raises(UserError, match="a list of dicts or a DataFrame is expected, not list"):
        dtbench.score(["a"], "mmar")  # type: ignore[list-item]


def test_rows_for_a_task_of_rows_need_only_ids(tmp_path: Path) -> None:
    task = Task.of([Sample(id_, "?", ("x", "y"), "x", tmp_path / "a.wav") for id_ in ("1", "2")], name="own")
    found = dtbench.score([{"id": 1, "answer_prediction": "x"}, {"id": 2, "answer_prediction": "y"}], task)
    assert found.official == 0.5


def test_reasoning_is_judged_inside_a_running_loop_too(tmp_path: Path) -> None:
    mmar_with_criteria(tmp_path, 4)
    samples = {sample.id: sample for sample in Mmar().load(tmp_path).samples}

    def reason(id: str) -> str:  # the parameter's name says what it gets
        return chain_of(samples[id], 3)

    run = dtbench.run(reason, "mmar", data_dir=tmp_path, out=tmp_path / "run", answer="think")

    async def cell(url: str) -> dtbench.JudgedRun:
        return dtbench.judge(run, base_url=url, model="tiny", calls=3)

    with chatting(choose=honest) as chat:
        judged = asyncio.run(cell(chat.url))
    assert (judged.status, judged.rubrics, judged.path) == ("done", 60.0, run.path / "judge-tiny")
    assert "60.00" in Text(judged._repr_html_()).text


def test_cards_show_the_figures_of_the_report(runs: tuple[Run, Run]) -> None:
    first, second = runs
    official = second.scores()["official"]
    assert official["accuracy"] is not None
    shown = Text(second._repr_html_())
    assert f"{100 * official['accuracy']:.2f} %" in shown.text
    assert f"{official['correct']} of {official['counted']}; 95 % interval" in shown.text
    assert "strict scoring" not in shown.text, "the same figure does not stand there twice"
    for value, part in official["groups"]["category"].items():
        assert f"category: {value}" in shown.text
        assert f"n {part['counted']}" in shown.text
    compared = dtbench.compare(first, second)
    assert compared.sentence in Text(compared._repr_html_()).text
    gated = dtbench.gate(second, first)
    assert gated.sentence in Text(gated._repr_html_()).text
    assert "script" not in shown.tags


def test_cards_have_the_colours_of_the_report_in_light_and_dark_notebooks(runs: tuple[Run, Run]) -> None:
    html = runs[0]._repr_html_()
    assert "--right: light-dark(#17724f, #5fd0a0)" in html
    assert '[data-jp-theme-light="false"] .dtb' in html


def test_texts_of_a_run_are_no_html(tmp_path: Path) -> None:
    row = {"question": HOSTILE, "choices": [HOSTILE, "b"], "answer": HOSTILE, HOSTILE: HOSTILE}
    rows = [{"id": f"{HOSTILE}{number}", **row} for number in range(8)]
    task = Task.of(rows, name="own", groups=[HOSTILE], columns={"audio": None})
    first = dtbench.run(lambda choices: choices[0], task, out=tmp_path / f"a{HOSTILE.replace('/', '')}")
    second = dtbench.run(lambda choices: choices[1], task, out=tmp_path / "b")
    for shown in (first, dtbench.score(first), dtbench.compare(first, second)):
        text = Text(shown._repr_html_())
        assert "script" not in text.tags
        assert HOSTILE in text.text


def test_what_a_run_left_is_written_for_others(runs: tuple[Run, Run], tmp_path: Path) -> None:
    first, _ = runs
    page = first.report(tmp_path / "page.html", audio="none")
    assert page.path.read_bytes().startswith(b"<!doctype html>")
    lm_eval = first.export("lm-eval", out=tmp_path / "lm-eval")
    assert [*lm_eval.rglob("results_*.json")] != []
    with pytest.raises(UserError, match="Did you mean arc"):
        first.export("arcc")
