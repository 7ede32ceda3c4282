from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from command import call
from made_up_run import write_run
from small_data import mmar_v2_folder

from dtbench.harness.core.schema import Sample
from dtbench.harness.store.summary_types import TaskSummary


def thinks(sample: Sample, repeat: int) -> str:
    """The first option after a chain of some length; the right one is the first of all, as the data is made."""
    number = int(sample.question.rstrip("?")[-1])
    said = sample.choices[0 if (number + repeat) % 3 else 1]
    return f"<think>{'so ' * (number + 1)}</think>{said}"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    mmar_v2_folder(tmp_path / "data")
    write_run(tmp_path / "run", {"mmar": tmp_path / "data"}, thinks, repeats=3)
    return tmp_path / "run"


def line_of(out: str, name: str) -> str:
    (line,) = (line for line in out.splitlines() if line.startswith(f"{name} "))
    return " ".join(line.split())


def rows_of(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]


def test_tables_are_printed_where_they_are_asked_for(run: Path) -> None:
    short, whole = call("score", run), call("score", run, "--tables")
    assert short.code == whole.code == 0, whole.err
    assert "majority@k" not in short.out
    assert "Letters:" not in short.out
    rows = rows_of(whole.out)
    assert ["A", "100.0", "66.7", "66.7", "15.9-95.5", "4", "2", "0"] in rows  # two questions of two options
    assert any(row[:1] == ["3"] and len(row) == 7 for row in rows)  # pass@3 and majority@3
    assert any(row[:2] == ["macro", "avg"] for row in rows)
    assert "Accuracy by the length of the reasoning, in characters" in whole.out


def test_chance_and_variance_stand_below_every_score(run: Path) -> None:
    out = call("score", run).out
    (found,) = json.loads(call("score", run, "--json").out)
    corrected = found["chance_corrected"]
    assert line_of(out, "chance").startswith(
        f"chance guessing gives {corrected['chance']:.1%}; chance-corrected accuracy"
    )
    error = 100 * found["variance"]["standard_error"]
    assert f"the standard error is {error:.2f} points" in line_of(out, "variance")


def run_with_first_question(tmp_path: Path, **fields: object) -> None:
    """A run that is always right, on questions of which the first has these options."""
    mmar_v2_folder(tmp_path / "data")
    file = tmp_path / "data" / "MMAR-meta.jsonl"
    items = [json.loads(line) for line in file.read_text().splitlines()]
    items[0] |= fields
    file.write_text("".join(json.dumps(item) + "\n" for item in items))
    write_run(tmp_path / "run", {"mmar": tmp_path / "data"}, lambda sample, _: sample.answer)


def test_a_ceiling_is_told_where_the_script_cannot_be_satisfied(tmp_path: Path) -> None:
    run_with_first_question(tmp_path, choices=["...", "a bell"], answer="...")
    out = call("score", tmp_path / "run").out
    assert "official ceiling 83.3%: the script calls right options wrong in 1 of 6 questions" in line_of(out, "ceiling")


def test_wrong_options_that_the_script_takes_are_told_too(tmp_path: Path) -> None:
    run_with_first_question(tmp_path, choices=["bird, a", "a bird"], answer="a bird")
    said = "official ceiling 100.0%: the script calls wrong options right in 1 of 6 questions"
    assert said in line_of(call("score", tmp_path / "run").out, "ceiling")


def test_json_has_every_figure_in_the_types_of_the_summary(run: Path) -> None:
    (found,) = json.loads(call("score", run, "--json").out)
    wanted: set[str] = {
        "by_group", "macro", "by_letter", "chance_corrected", "chain_lengths", "pass_at", "majority_at", "variance",
        "ceiling",
    }  # fmt: skip
    assert wanted <= {*found}
    assert msgspec.convert(found, TaskSummary, strict=True)


def test_written_summaries_have_the_figures_and_older_ones_are_still_read(run: Path) -> None:
    assert call("score", run, "--write").code == 0
    summary: Any = json.loads((run / "summary.json").read_text())
    (task,) = summary["tasks"]
    assert task["macro"]["modality"]["groups"] == 6
    for name in ("by_group", "macro", "by_letter", "chance_corrected", "pass_at", "majority_at", "variance", "ceiling"):
        del task[name]
    (run / "summary.json").write_text(json.dumps(summary))
    assert call("score", run, "--write").code == 0
    assert call("board", "--runs", run.parent).code == 0


def test_a_prediction_file_has_no_such_tables(tmp_path: Path) -> None:
    (tmp_path / "file.jsonl").write_text("{}\n")
    refused = call("score", "--task", "mmar", "--predictions", tmp_path / "file.jsonl", "--tables")
    assert refused.refusal() == "error: --tables: this option needs a run folder, not --predictions."
