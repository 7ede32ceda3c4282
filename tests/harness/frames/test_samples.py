"""Answers as a table: its columns, types and values, whose runs it takes, and what it says of what it lacks."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from command import call
from made_up_run import number_of, write_run
from runs import mmar_data

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.user_warnings import DtbenchWarning
from dtbench.harness.extract.tidy import split_text
from dtbench.harness.frames.answers import thinking_of
from dtbench.harness.frames.as_pandas import to_frame
from dtbench.harness.frames.columns import BEHIND, FIXED, GroupColumns
from dtbench.harness.frames.runs import runs_df
from dtbench.harness.frames.samples import group_names, samples_df, samples_table
from dtbench.harness.run.plan import PromptForm
from dtbench.harness.store.run_folder import StoredRun

NAMED = (
    "run task id sample question choices answer choice correct official counted level how thinking response "
    "finish_reason input_tokens output_tokens seconds"
).split()


def says(sample: Sample, repeat: int) -> str | None:
    """A model that is right, wrong, at a loss, or away."""
    number = number_of(sample)
    if number % 4 == 3:
        return None
    if number % 4 == 2:
        return "I cannot tell."
    return f"<think>\nI hear it, {repeat}. \n</think>\n{sample.choices[0] if number % 4 == 0 else sample.choices[1]}"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    mmar_data(folder, 8)
    return folder


@pytest.fixture
def run(tmp_path: Path, data: Path) -> Path:
    write_run(tmp_path / "runs" / "first", {"mmar": data}, says)
    return tmp_path / "runs" / "first"


def test_the_columns_come_in_the_named_order_with_their_types(run: Path) -> None:
    table = samples_table(run)
    groups = ["modality", "category", "sub_category", "language"]
    assert table.column_names == [*NAMED, *groups, *BEHIND]
    assert [*FIXED] == NAMED
    assert group_names(table) == groups
    kinds = {name: str(table.schema.field(name).type) for name in table.column_names}
    assert {name for name, kind in kinds.items() if kind == "bool"} == {"correct", "official", "counted"}
    assert {name for name, kind in kinds.items() if kind == "int64"} == {"sample", "input_tokens", "output_tokens"}
    assert {name for name, kind in kinds.items() if kind == "double"} == {"seconds", "clip_seconds"}
    assert kinds["choices"].startswith("list<")
    assert {kind for kind in kinds.values() if kind not in {"bool", "int64", "double", kinds["choices"]}} == {"string"}


def test_each_answer_is_a_row_with_its_question_and_both_verdicts(run: Path) -> None:
    rows = samples_table(run).to_pylist()
    assert len(rows) == 8
    first = rows[0]
    assert (first["run"], first["task"], first["sample"]) == (str(run), "mmar", 0)
    assert first["question"] == "What is heard,\nin scene 0?"
    assert (first["choices"], first["answer"], first["choice"]) == (["a bird", "a bell"], "a bird", "a bird")
    assert (first["correct"], first["official"], first["counted"]) == (True, True, True)
    assert (first["thinking"], first["input_tokens"], first["output_tokens"]) == ("I hear it, 0.", 100, 7)
    assert first["response"] == "<think>\nI hear it, 0. \n</think>\na bird"
    assert (first["finish_reason"], first["seconds"], first["modality"]) == ("stop", 0.5, "sound")
    assert (first["clip_hash"], first["clip_seconds"], first["error"]) == ("0123456789ab", 10.0, None)
    assert (rows[1]["choice"], rows[1]["correct"], rows[1]["language"]) == ("two drums", False, "none")
    assert (rows[2]["choice"], rows[2]["correct"], rows[2]["official"]) == (None, None, False)
    assert rows[2]["thinking"] == ""


def test_a_failed_sample_is_a_row_with_its_error_and_without_verdicts(run: Path) -> None:
    failed = samples_table(run).to_pylist()[3]
    assert (failed["error"], failed["error_message"]) == ("model", "the endpoint answered 503")
    assert failed["question"] == "What is heard,\nin scene 3?"
    unknown = ("choice", "correct", "official", "counted", "response", "thinking", "seconds", "input_tokens", "how")
    assert {failed[name] for name in unknown} == {None}


def test_the_frame_has_the_values_of_the_records(run: Path) -> None:
    records = [dict(record) for record in StoredRun.open(run).records("mmar")]
    rows = samples_table(run).to_pylist()
    for row, record in zip(rows, records, strict=True):
        read: Any = record.get("extraction", {})
        assert (row["id"], row["sample"]) == (record["id"], record["sample"])
        assert (row["choice"], row["how"], row["level"]) == (read.get("choice"), read.get("how"), read.get("level"))
        assert len(row["thinking"] or "") == read.get("thinking_chars", 0)


def test_options_stand_in_the_order_in_which_they_were_shown(tmp_path: Path, data: Path) -> None:
    write_run(tmp_path / "moved", {"mmar": data}, says, form=PromptForm(permute=1))
    assert samples_table(tmp_path / "moved").to_pylist()[0]["choices"] == ["a bell", "a bird"]


def test_repeats_are_rows_of_their_own(tmp_path: Path, data: Path) -> None:
    write_run(tmp_path / "repeated", {"mmar": data}, says, repeats=2)
    rows = samples_table(tmp_path / "repeated").to_pylist()
    assert len(rows) == 16
    assert [(row["sample"], row["thinking"]) for row in rows[:2]] == [(0, "I hear it, 0."), (1, "I hear it, 1.")]


def test_pandas_has_categories_and_types_that_know_a_missing_value(run: Path) -> None:
    frame = samples_df(run)
    types = frame.dtypes.astype(str).to_dict()
    few = {"run", "task", "level", "how", "finish_reason", "error", "modality", "category", "sub_category", "language"}
    assert {name for name, kind in types.items() if kind == "category"} == few
    assert {types[name] for name in ("correct", "official", "counted")} == {"boolean"}
    assert {types[name] for name in ("sample", "input_tokens", "output_tokens")} == {"Int64"}
    assert {types[name] for name in ("seconds", "clip_seconds")} == {"Float64"}
    assert {types[name] for name in ("id", "question", "answer", "choice", "thinking", "response")} == {"string"}
    assert frame.loc[0, "choices"] == ["a bird", "a bell"]
    assert frame["official"].isna().sum() == 2
    assert frame["official"].mean() == 2 / 6


def test_a_frame_comes_back_from_parquet_with_its_types_and_values(run: Path, tmp_path: Path) -> None:
    import pandas

    frame = samples_df(run)
    frame.to_parquet(tmp_path / "frame.parquet")
    again = pandas.read_parquet(tmp_path / "frame.parquet")
    again["choices"] = [list(each) for each in again["choices"]]
    pandas.testing.assert_frame_equal(again, frame)


def test_polars_and_duckdb_read_the_same_parquet_with_the_same_values(run: Path, tmp_path: Path) -> None:
    import duckdb
    import polars
    import pyarrow.parquet

    table = samples_table(run)
    path = tmp_path / "samples.parquet"
    pyarrow.parquet.write_table(table, path)
    rows = table.to_pylist()
    assert polars.read_parquet(path).to_dicts() == rows
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT * FROM '{path}'")
        names = [one[0] for one in found.description or ()]
        assert [dict(zip(names, row, strict=True)) for row in found.fetchall()] == rows
    assert pyarrow.parquet.read_table(path).to_pylist() == rows


def test_a_folder_a_pattern_a_list_and_objects_with_a_path_name_the_same_runs(run: Path, data: Path) -> None:
    write_run(run.parent / "second", {"mmar": data}, says)
    write_run(run / "answer-think", {"mmar": data}, says, form=PromptForm(answer="think"))
    stored = StoredRun.open(run)
    second, inside = run.parent / "second", run / "answer-think"
    both = [str(run), str(second)]
    several: list[Any] = [[run, second], [stored, str(second)], (one for one in both)]
    for given in several:
        assert samples_table(given)["run"].unique().to_pylist() == both
    assert samples_table(stored)["run"].unique().to_pylist() == both[:1]
    assert samples_table([run, run])["run"].unique().to_pylist() == both[:1]
    assert set(samples_table(run.parent)["run"].unique().to_pylist()) == {*both, str(inside)}
    assert samples_table(str(run.parent / "s*"))["run"].unique().to_pylist() == [str(second)]


def test_a_damaged_run_among_others_is_left_out_with_a_warning_that_names_it(run: Path, data: Path) -> None:
    bad, torn = run.parent / "bad", run.parent / "changed"
    for path in (bad, torn):
        shutil.copytree(run, path)
    (bad / "run.json").write_text("{")
    lines = (torn / "mmar.jsonl").read_text().splitlines(keepends=True)
    (torn / "mmar.jsonl").write_text("".join([lines[0].replace("a bird", "a bell"), *lines[1:]]))
    with pytest.warns(DtbenchWarning) as warned:
        table = samples_table(run.parent)
    assert table["run"].unique().to_pylist() == [str(run)]
    told = sorted(str(one.message) for one in warned)
    assert [str(bad) in told[1], str(torn) in told[0]] == [True, True]
    assert {one.filename for one in warned} == {__file__}
    with pytest.raises(DataError, match="the checksum does not match"):
        samples_table(torn)
    with pytest.raises(DataError, match=r"run\.json: not JSON"):
        samples_table(bad)


def test_without_its_questions_a_run_has_nulls_and_a_line_says_so(run: Path, data: Path, tmp_path: Path) -> None:
    shutil.move(data, tmp_path / "elsewhere")
    told: list[str] = []
    table = samples_table(run, notify=told.append)
    assert {*table["question"].to_pylist(), *table["answer"].to_pylist()} == {None}
    assert table["choices"].null_count == 8
    assert table["official"].to_pylist()[:3] == [True, False, False]
    assert "its questions were not found, so question, choices and answer are null" in told[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = samples_table(run, data_dir=tmp_path / "elsewhere")
    assert found["answer"].null_count == 0


def test_each_run_folder_has_its_own_questions_where_the_data_is_gone(tmp_path: Path, data: Path) -> None:
    ids = [json.loads(line)["id"] for line in (data / "MMAR-meta.jsonl").read_text().splitlines()]
    for name, asked in (("front", ids[:3]), ("back", ids[5:])):
        (tmp_path / "ids").write_text("\n".join(asked))
        given = ("--model", "first", "--tasks", "mmar", "--data-dir", data, "--ids", tmp_path / "ids")
        done = call("run", *given, "--out", tmp_path / "runs" / name)
        assert done.code == 0, done.err
    shutil.move(data, tmp_path / "elsewhere")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = samples_table([tmp_path / "runs" / "front", tmp_path / "runs" / "back"]).to_pylist()
    questions = {row["id"]: row["question"] for row in rows}
    assert questions == {ids[place]: f"What is heard,\nin scene {place}?" for place in (0, 1, 2, 5, 6, 7)}


def test_questions_in_the_run_folder_need_no_definition_of_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "from dtbench import NoClip, Sample, Task\nclass Birds(Task):\n    name = 'birds'\n"
    code += "    def samples(self, data_dir):\n"
    code += "        yield Sample('a', 'Which bird calls?', ('Crow', 'Jay'), 'Jay', NoClip('a'))\n"
    (tmp_path / "birds.py").write_text(code)
    done = call("run", "--model", "first", "--task-file", "birds.py", "--permute", "1", "--out", "birds")
    assert done.code == 0, done.err
    (tmp_path / "birds.py").unlink()
    told: list[str] = []
    (row,) = samples_table("birds", notify=told.append).to_pylist()
    assert (row["question"], row["choices"], row["answer"]) == ("Which bird calls?", ["Jay", "Crow"], "Jay")
    assert told == []


def test_the_frame_of_runs_names_the_runs_of_the_frame_of_answers(tmp_path: Path, data: Path) -> None:
    for name in ("one", "two"):
        write_run(tmp_path / "runs" / name, {"mmar": data}, says)
    runs = runs_df(tmp_path / "runs")
    assert samples_df(runs)["run"].unique().tolist() == runs["run"].tolist()
    assert samples_df(runs[1:])["run"].unique().tolist() == [str(tmp_path / "runs" / "two")]
    with pytest.raises(UserError, match="runs: a frame without the column run"):
        samples_df(runs[["task"]])


def test_a_category_without_a_value_is_one_of_texts_in_parquet(tmp_path: Path) -> None:
    emptied = to_frame(pyarrow.table({"error": pyarrow.nulls(2, pyarrow.string())}), ["error"])
    emptied.to_parquet(tmp_path / "none.parquet")
    schema = pyarrow.parquet.read_schema(tmp_path / "none.parquet")
    assert str(schema.field("error").type).startswith("dictionary<values=string")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("nowhere", "nowhere: not a run folder: there is no such folder"),
        ("nowhere/*", r"nowhere/\*: no run matches this pattern"),
        ([], "runs: none was named"),
        (7, "runs: int is not a run"),
        ([None], "runs: NoneType is not a run"),
    ],
)
def test_what_is_no_run_is_refused_in_one_line(given: Any, told: str) -> None:
    with pytest.raises(UserError, match=told) as refused:
        samples_table(given)
    assert "\n" not in str(refused.value)


def test_tasks_choose_benchmarks_and_an_unknown_one_is_refused(run: Path) -> None:
    assert samples_table(run, tasks="mmar").num_rows == 8
    with pytest.raises(UserError, match="tasks: no run has 'mmsu'"):
        samples_table(run, tasks=["mmsu"])


def test_a_run_without_an_answer_yet_has_the_columns_and_no_row(run: Path) -> None:
    (run / "mmar.jsonl").write_bytes(b"")
    assert samples_table(run).column_names == [*FIXED, *BEHIND]
    assert len(samples_df(run)) == 0


def test_half_of_a_surrogate_pair_becomes_a_question_mark(tmp_path: Path, data: Path) -> None:
    write_run(tmp_path / "odd", {"mmar": data}, lambda sample, _: f"\ud83d {sample.choices[0]}")
    assert samples_table(tmp_path / "odd")["response"].to_pylist()[0] == "? a bird"


def test_group_columns_have_the_heading_in_lower_case_and_no_two_columns_one_name() -> None:
    names = GroupColumns()
    headings = ("Sub-Category", "Task", "音乐 type", "sub category", "rubric_score", "clip hash", "%")
    assert [names.name("one", heading) for heading in headings] == [
        *(
            "sub_category",
            "group_task",
            "音乐_type",
            "sub_category_2",
            "group_rubric_score",
            "group_clip_hash",
            "value",
        ),
    ]
    assert names.name("other", "sub category") == "sub_category"
    assert names.name("one", "Task") == "group_task"


def test_the_short_way_to_a_chain_finds_what_the_long_way_finds() -> None:
    made = ["<think>a</think>b", "<think> a </think> b</think>", "a</think>b", "<think>a</think><think>b</think>c", "x"]
    made += ["<thinking>a</thinking> </think>b", "<think>a", "<think>\n\n</think>b", "assistant: <think>a</think>b"]
    cases = Path(__file__).parents[1] / "extract" / "cases.jsonl"
    read = [str(json.loads(line)["output"]) for line in cases.read_text(encoding="utf-8").splitlines()]
    assert sum("</think>" in text for text in read) > 20
    for text in (*made, *read):
        thinking = split_text(text).thinking
        assert thinking_of(text, len(thinking), None) == thinking


def test_importing_the_room_loads_neither_pandas_nor_pyarrow_nor_msgspec() -> None:
    rooms = "samples, find_runs, columns, answers, rubrics, questions, as_pandas"
    code = f"import sys, json\nfrom dtbench.harness.frames import {rooms}\nprint(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert {"pandas", "pyarrow", "numpy", "msgspec"}.isdisjoint(loaded)


def test_without_pandas_a_line_says_what_installs_it(run: Path) -> None:
    code = "import sys; sys.modules['pandas'] = None\nfrom dtbench.harness.frames.samples import samples_df\n"
    code += f"try:\n    samples_df({str(run)!r})\nexcept Exception as error:\n    print(type(error).__name__, error)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("UserError frames need pandas")
    assert "[analysis]'" in done.stdout
