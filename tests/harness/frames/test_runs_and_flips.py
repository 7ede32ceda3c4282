"""Runs, summaries and flips as frames: the values of summary.json and of `compare --json`, and nothing hidden."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import call
from made_up_run import number_of, write_run
from reported import chained
from runs import mmar_data

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.user_warnings import DtbenchWarning
from dtbench.harness.frames.flips import flips_df
from dtbench.harness.frames.runs import COLUMNS, runs_df
from dtbench.harness.frames.samples import samples_table
from dtbench.harness.frames.summaries import summary_df
from dtbench.harness.run.plan import PromptForm
from dtbench.harness.store.run_folder import StoredRun

COUNT = 24


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    data = tmp_path / "data"
    data.mkdir()
    mmar_data(data, COUNT)
    for seed, name in enumerate(("one", "two")):
        write_run(tmp_path / "runs" / name, {"mmar": data}, chained(seed, 0.4 + 0.3 * seed))
    return tmp_path / "runs" / "one", tmp_path / "runs" / "two"


def summary(run: Path) -> dict[str, Any]:
    """What `score --json` says of the run."""
    done = call("score", run, "--json")
    assert done.code == 0, done.err
    figures: dict[str, Any] = json.loads(done.out)[0]
    return figures


def test_a_row_of_runs_has_the_figures_of_the_summary_and_how_it_was_asked(runs: tuple[Path, Path]) -> None:
    frame = runs_df(runs[0].parent)
    assert list(frame.columns) == [*COLUMNS]
    assert list(frame["run"]) == [str(run) for run in runs]
    row, expected = frame.iloc[0], summary(runs[0])
    assert (row["n"], row["unanswered"], row["failed"]) == (COUNT, expected["unanswered"], expected["failed"])
    for score in ("official", "strict"):
        figures = expected[score]
        assert [row[score], row[f"{score}_low"], row[f"{score}_high"]] == [
            *(figures["accuracy"], figures["low"], figures["high"])
        ]
    assert (row["input_tokens"], row["seconds"]) == (expected["tokens"]["in"], expected["seconds"]["total"])
    assert (row["model"], row["status"], row["answer_style"], row["audio"]) == ("made up", "done", "direct", "clip")
    info = StoredRun.open(runs[0]).info
    assert (row["dtbench"], row["data"]) == (info["starts"][-1]["dtbench"], info["tasks"]["mmar"]["data"]["version"])
    assert row["date"].isoformat().startswith(str(info["start"])[:19])
    types = frame.dtypes.astype(str)
    assert [types[name] for name in ("run", "model", "n", "official")] == ["category", "category", "Int64", "Float64"]
    assert types["date"] == "datetime64[us, UTC]"


def test_a_stored_summary_and_the_records_give_the_same_row(runs: tuple[Path, Path]) -> None:
    before = runs_df(runs[0])
    assert call("score", runs[0], "--write").code == 0
    assert (runs[0] / "summary.json").exists()
    after = runs_df(runs[0])
    assert before.to_dict("records") == after.to_dict("records")


def test_temperature_is_read_where_the_model_has_it(runs: tuple[Path, Path]) -> None:
    for run, model in zip(runs, ({"sampling": {"temperature": 0.7}}, {"temperature": 0}), strict=True):
        info = json.loads((run / "run.json").read_text())
        info["model"].update(model)
        (run / "run.json").write_text(json.dumps(info))
    assert list(runs_df(runs)["temperature"]) == [0.7, 0.0]


def test_a_damaged_run_never_hides_the_others(runs: tuple[Path, Path]) -> None:
    for name, content in (("a", "{"), ("b", '{"kind": "run", "schema": 2}'), ("c", "[]")):
        shutil.copytree(runs[0], runs[0].parent / name)
        (runs[0].parent / name / "run.json").write_text(content)
    shutil.copytree(runs[0], runs[0].parent / "d")
    (runs[0].parent / "d" / "summary.json").write_text('{"tasks": 7}')
    with pytest.warns(DtbenchWarning) as warned:
        frame = runs_df(runs[0].parent)
    assert list(frame["run"]) == [str(run) for run in runs]
    told = [str(one.message) for one in warned]
    assert [str(runs[0].parent / name) in line for name, line in zip("abcd", told[:4], strict=True)] == [True] * 4
    assert told[4] == "4 left out; the frame has 2 rows, of 2 runs"


def test_a_run_in_another_form_is_a_row_of_its_own(runs: tuple[Path, Path], tmp_path: Path) -> None:
    form = PromptForm(answer="think", permute=1)
    write_run(runs[0] / "answer-think" / "permute-1", {"mmar": tmp_path / "data"}, chained(3, 0.5), form=form)
    frame = runs_df(runs[0].parent)
    assert list(frame["answer_style"]) == ["direct", "think", "direct"]
    assert list(frame["permute"]) == [0, 1, 0]


def test_a_summary_by_group_counts_as_the_score_does(runs: tuple[Path, Path]) -> None:
    frame = summary_df(runs, by="modality", notify=refuse)
    groups = summary(runs[0])["official"]["groups"]["modality"]
    of_first = frame[frame["run"] == str(runs[0])].set_index("modality")
    assert {value: (row["accuracy"], row["counted"]) for value, row in groups.items() if row["counted"]} == {
        str(value): (row["official"], row["counted"]) for value, row in of_first.iterrows()
    }
    assert frame["n"].sum() == 2 * COUNT
    assert ((frame["official_low"] <= frame["official"]) & (frame["official"] <= frame["official_high"])).all()
    assert list(summary_df(runs, by=["modality", "level"]).columns)[:4] == ["run", "task", "modality", "level"]
    assert list(summary_df(runs, by="Sub-Category").columns)[2] == "sub_category"


def test_a_summary_without_groups_is_that_of_the_runs(runs: tuple[Path, Path]) -> None:
    frame = summary_df(runs)
    expected = [summary(run) for run in runs]
    assert list(frame["strict"]) == [one["strict"]["accuracy"] for one in expected]
    assert list(frame["official_low"]) == [one["official"]["low"] for one in expected]


def test_the_interval_of_a_group_knows_repeated_answers(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    mmar_data(tmp_path / "data", COUNT)

    def says(sample: Sample, repeat: int) -> str:
        return sample.choices[0 if number_of(sample) % 3 else 1]

    write_run(tmp_path / "once", {"mmar": tmp_path / "data"}, says)
    write_run(tmp_path / "thrice", {"mmar": tmp_path / "data"}, says, repeats=3)
    once, thrice = (summary_df(tmp_path / name, by="language").iloc[0] for name in ("once", "thrice"))
    assert (once["official"], once["n"] * 3) == (thrice["official"], thrice["n"])
    assert thrice["official_high"] - thrice["official_low"] > 0.9 * (once["official_high"] - once["official_low"])


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("modalty", "by: no column 'modalty'. Did you mean modality"),
        ("response", "by: 'response' has as many values as answers; choose of"),
        ("run", "by: 'run' is a column of every summary already"),
    ],
)
def test_a_column_that_groups_nothing_is_refused(runs: tuple[Path, Path], by: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        summary_df(runs, by=by)


def test_flips_are_those_of_the_comparison_with_questions_and_both_answers(runs: tuple[Path, Path]) -> None:
    frame = flips_df(*runs)
    (expected,) = json.loads(call("compare", *runs, "--json").out)
    assert frame.attrs["comparisons"] == [expected]
    flips = {(one["id"], one["before"], one["after"]): "gained" for one in expected["gained"]}
    flips |= {(one["id"], one["before"], one["after"]): "lost" for one in expected["lost"]}
    assert len(flips) > 4
    found = frame[["id", "before_choice", "after_choice", "direction"]].astype(object).where(frame.notna(), None)
    assert {(row[0], row[1], row[2]): row[3] for row in found.to_numpy().tolist()} == flips
    questions = {row["id"]: row for row in samples_table(runs[0]).to_pylist()}
    for row in frame.to_dict("records"):
        assert [row[name] for name in ("question", "choices", "answer", "modality")] == [
            *(questions[row["id"]][name] for name in ("question", "choices", "answer", "modality"))
        ]
        assert (row["before"], row["after"]) == ((0.0, 1.0) if row["direction"] == "gained" else (1.0, 0.0))


def test_a_run_against_itself_flips_nothing(runs: tuple[Path, Path]) -> None:
    frame = flips_df(runs[0], runs[0])
    assert (len(frame), str(frame["direction"].dtype)) == (0, "category")
    with pytest.raises(UserError, match="before: one run is expected, these are 2"):
        flips_df(runs[0].parent, runs[1])


def refuse(line: str) -> None:
    """Take no note."""
    raise AssertionError(line)
