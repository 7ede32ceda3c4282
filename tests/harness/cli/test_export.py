"""`dtbench export`: a run's answers in the files that boards read, and such files checked."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from chat_server import Turn, chatting
from command import Done, call
from exports import Fields, checked, exported, lines, says
from made_up_run import write_run
from small_data import mmar_v1_archive, mmar_v2_folder, mmau_json_folder, mmau_test_json, mmsu_parquet

from dtbench.harness.core.schema import Sample
from dtbench.harness.run.plan import PromptForm


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Path]:
    writers: dict[str, Callable[[Path], object]] = {
        "mmar": mmar_v2_folder,
        "mmau-mini": mmau_json_folder,
        "mmau-test": mmau_test_json,
        "mmsu": mmsu_parquet,
    }
    folders = {name: tmp_path / "data" / name for name in writers}
    for name, write in writers.items():
        write(folders[name])
    return folders


@pytest.fixture
def run(tmp_path: Path, data: dict[str, Path]) -> Path:
    write_run(tmp_path / "run", data, says, backwards=True)
    return tmp_path / "run"


def scored(run: Path, task: str) -> Fields:
    (summary,) = json.loads(call("score", run, "--task", task, "--json").out)
    found: Fields = summary
    return found


FORMATS = {"mmar": "mmar", "mmar-rubrics": "mmar", "mmau": "mmau-mini", "mmsu": "mmsu"}


@pytest.mark.parametrize("kind", FORMATS)
def test_the_score_of_an_export_is_the_one_of_the_run(run: Path, data: dict[str, Path], kind: str) -> None:
    task = FORMATS[kind]
    summary = scored(run, task)
    file, about = exported(run, kind)
    official = {name: summary["official"][name] for name in ("correct", "counted", "accuracy")}
    assert about["score"]["official"] == official
    predicted = json.loads(call("score", "--task", task, "--predictions", file, "--json").out)
    assert {name: predicted["official"][name] for name in official} == official
    assert predicted["official"]["groups"].keys() == summary["official"]["groups"].keys()
    found = checked(file, kind, data[task])
    assert {name: found["score"]["official"][name] for name in official} == official


def test_the_challenge_gets_a_zip_with_ids_chains_and_texts(run: Path, data: dict[str, Path]) -> None:
    file, about = exported(run, "arc", "--task", "mmar")
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["result.jsonl"]
        records = lines(archive.read("result.jsonl"))
    asked = lines((data["mmar"] / "MMAR-meta.jsonl").read_text())
    assert [record["id"] for record in records] == [item["id"] for item in asked]
    assert all(record.keys() == {"id", "thinking_prediction", "answer_prediction"} for record in records)
    assert {record["thinking_prediction"] for record in records} == {"Take 0: what is heard decides."}
    assert [record["answer_prediction"] for record in records[:3]] == [asked[0]["answer"], asked[1]["choices"][1], ""]
    assert (about["records"], about["answered"], about["unanswered"]) == (6, 4, 2)
    assert checked(file, "arc", data["mmar"])["notes"] == ["records with an empty answer_prediction: 2 (first: 2, 5)"]


def test_the_same_answers_make_the_same_file(run: Path, tmp_path: Path) -> None:
    one, _ = exported(run, "arc", "--task", "mmar")
    before = one.read_bytes()
    again, about = exported(run, "arc", "--task", "mmar")
    other, _ = exported(run, "arc", "--task", "mmar", "--out", tmp_path / "else.zip")
    assert again.read_bytes() == other.read_bytes() == before
    assert about["sha256"] == hashlib.sha256(before).hexdigest()


def test_every_format_has_the_fields_of_its_script(run: Path, data: dict[str, Path]) -> None:
    mmar = lines(exported(run, "mmar")[0].read_text())
    assert all(record["answer_prediction"] == record["model_prediction"] for record in mmar)
    assert {"modality", "category", "sub-category", "choices", "answer"} <= mmar[0].keys()
    rubrics = lines(exported(run, "mmar-rubrics")[0].read_text())
    assert {"thinking", "cue", "rubric", "thinking_prediction", "answer_prediction", "question"} <= rubrics[0].keys()
    mmau = json.loads(exported(run, "mmau")[0].read_text())
    assert all(record["model_output"] == record["model_prediction"] for record in mmau)
    mmsu = lines(exported(run, "mmsu")[0].read_text())
    assert {record["response"] for record in mmsu} <= {"A", "B", "C", "D", ""}
    assert {"audio_path", "choice_a", "choice_d", "answer_gt", "task_name", "sub-sub-category"} <= mmsu[0].keys()


def test_the_test_set_keeps_its_order_and_tells_no_answer(run: Path, data: dict[str, Path]) -> None:
    file, about = exported(run, "mmau-test")
    records = json.loads(file.read_text())
    asked = json.loads((data["mmau-test"] / "mmau-test.json").read_text())
    assert [record["id"] for record in records] == [item["id"] for item in asked]
    assert not any("answer" in record for record in records)
    assert about["score"] is None
    file.write_text(json.dumps(records[::-1]))
    (problem,) = checked(file, "mmau-test", data["mmau-test"], 2)["problems"]
    assert problem.startswith("the records are not in the order of")


def test_a_run_of_some_questions_is_told_to_go_on_without_its_limit(tmp_path: Path, data: dict[str, Path]) -> None:
    limited = ("--model", "first", "--tasks", "mmar", "--data-dir", data["mmar"], "--limit", "2")
    assert call("run", *limited, "--out", tmp_path / "run").code == 0
    refusal = call("export", tmp_path / "run", "--format", "mmar", "--data-dir", data["mmar"]).refusal()
    assert "4 of 6 questions were not asked for (--limit 2)" in refusal
    assert "repeat the `dtbench run` command without --limit to ask for them" in refusal


def test_what_the_run_did_not_answer_is_refused_or_left_empty_and_counted(
    tmp_path: Path, data: dict[str, Path]
) -> None:
    write_run(tmp_path / "run", {"mmar": data["mmar"]}, lambda s, r: None if s.question[-2] == "4" else says(s, r))
    refusal = call("export", tmp_path / "run", "--format", "mmar").refusal()
    assert "1 of 6 questions have no answer" in refusal
    assert "repeat the `dtbench run` command to ask for them" in refusal
    assert "--incomplete" in refusal
    assert not (tmp_path / "run" / "export").exists()
    file, about = exported(tmp_path / "run", "mmar", "--incomplete")
    assert (about["failed"], about["answered"]) == (1, 3)
    assert lines(file.read_text())[4]["answer_prediction"] == ""
    assert about["score"]["official"]["counted"] == 6


def test_chains_that_are_too_long_are_cut_only_where_that_is_asked_for(tmp_path: Path, data: dict[str, Path]) -> None:
    def long(sample: Sample, repeat: int) -> str:
        return f"<think>{'x' * (9_999 if sample.question[-2] == '1' else 10_000)}</think>{sample.answer}"

    write_run(tmp_path / "run", {"mmar": data["mmar"]}, long)
    assert (
        "the reasoning of 5 answers is longer than the allowed 9,999 characters"
        in call("export", tmp_path / "run", "--format", "arc").refusal()
    )
    file, about = exported(tmp_path / "run", "arc", "--truncate")
    assert set(about["truncated"].values()) == {10_000}
    assert len(about["truncated"]) == 5
    with zipfile.ZipFile(file) as archive:
        assert {len(record["thinking_prediction"]) for record in lines(archive.read("result.jsonl"))} == {9_999}


def test_one_of_several_answers_is_chosen_and_told(tmp_path: Path, data: dict[str, Path]) -> None:
    write_run(tmp_path / "run", {"mmar": data["mmar"]}, says, repeats=3)
    file, about = exported(tmp_path / "run", "mmar-rubrics", "--sample", "2")
    assert {record["thinking_prediction"] for record in lines(file.read_text())} == {"Take 2: what is heard decides."}
    assert (about["sample"], about["of_samples"]) == (2, 3)
    assert (
        "the run has 3 answers per question; 0 to 2 is allowed"
        in call("export", tmp_path / "run", "--format", "mmar", "--sample", "3").refusal()
    )


def test_answers_to_rotated_options_are_the_options_that_were_meant(tmp_path: Path, data: dict[str, Path]) -> None:
    write_run(tmp_path / "run", {"mmar": data["mmar"]}, lambda sample, repeat: "(A)", form=PromptForm(permute=1))
    file, _ = exported(tmp_path / "run", "mmar")
    assert all(record["answer_prediction"] == record["choices"][1] for record in lines(file.read_text()))


def test_the_manifest_tells_how_it_was_made(run: Path) -> None:
    _, about = exported(run, "arc", "--task", "mmar")
    assert about["run"]["model"] == {"name": "made up"}
    assert about["run"]["settings"]["prompt_hash"]
    assert about["run"]["starts"][0]["command"] == ["dtbench", "run"]
    assert about["track"] is None


def test_a_file_that_no_export_made_is_not_overwritten(run: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text("precious")
    done = call("export", run, "--format", "mmar", "--out", mine)
    assert "this file was not written by an export and is not overwritten" in done.refusal()
    assert mine.read_text() == "precious"


def test_rubrics_need_the_version_that_has_them(tmp_path: Path) -> None:
    mmar_v1_archive(tmp_path / "v1")
    write_run(tmp_path / "run", {"mmar": tmp_path / "v1"}, says)
    assert "lacks thinking, cue, rubric" in call("export", tmp_path / "run", "--format", "mmar-rubrics").refusal()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--format", "codabench"], "--format codabench: unknown. "),
        (["--format", "lm_eval"], "unknown. Did you mean lm-eval or hub-eval? Known: arc, "),
        ([], "--format is missing: one of arc, mmar"),
        (["--format", "arc"], "--format arc: this format is for mmar"),
        (
            ["--format", "mmau", "--task", "mmar"],
            "--format mmau: this format is for mmau-mini; the exported task is mmar",
        ),
        (["--format", "mmar", "--task", "birds"], "--task birds: not in"),
        (["--format", "mmar", "--check", "x"], "name either a run's folder, or a file with --check"),
    ],
)
def test_a_wrong_wish_is_one_line(tmp_path: Path, data: dict[str, Path], options: list[str], complaint: str) -> None:
    write_run(tmp_path / "run", {"mmau-mini": data["mmau-mini"], "mmsu": data["mmsu"]}, says)
    if "--task" in options and "mmar" in options:
        write_run(tmp_path / "other", {"mmar": data["mmar"]}, says)
        assert complaint in call("export", tmp_path / "other", *options).refusal()
        return
    assert complaint in call("export", tmp_path / "run", *options).refusal()


@pytest.mark.parametrize(
    ("form", "out", "told"),
    [
        ("arc", "x.json", "writes a .zip file; name one, such as x.zip."),
        ("arc", "x.ZIP", "writes a .zip file; name one, such as x.zip."),
        ("mmar", "x.zip", "writes a .jsonl file; name one, such as x.jsonl."),
        ("mmar-rubrics", "x.json", "writes a .jsonl file; name one, such as x.jsonl."),
        ("mmau", "x.jsonl", "writes a .json file; name one, such as x.json."),
        ("mmau-test", "x.csv", "writes a .json file; name one, such as x.json."),
        ("mmsu", "x.eval", "writes a .jsonl file; name one, such as x.jsonl."),
        ("dcase-adqa", "x.output.json", "writes a .csv file; name one, such as x.output.csv."),
        ("predictions", "x.json", "writes a .jsonl file or a folder; name one, such as x.jsonl."),
        ("inspect", "x.json", "writes a .eval file or a folder; name one, such as x.eval."),
        *((name, "x.json", "writes a folder; name one, such as x.") for name in ("lm-eval", "hub-eval", "eee")),
        ("parquet", "x.parquet", "writes a folder; name one, such as x."),
    ],
)
def test_a_name_that_says_another_format_is_refused_before_the_run_is_read(
    tmp_path: Path, form: str, out: str, told: str
) -> None:
    line = call("export", tmp_path, "--format", form, "--out", out).refusal()
    assert line == f"error: --out {out}: --format {form} {told}"


def test_a_name_without_a_known_ending_is_taken(run: Path, tmp_path: Path) -> None:
    for form, out in (("arc", "mine"), ("arc", "mine-1.5"), ("mmar", "mine.txt"), ("predictions", "folder.v2")):
        assert call("export", run, "--format", form, "--task", "mmar", "--out", tmp_path / out).code == 0


def run_with(data: dict[str, Path], out: Path, *options: str) -> Done:
    return call("run", "--tasks", "mmar", "--data-dir", data["mmar"], "--out", out, "--track", "single", *options)


def test_a_run_on_the_single_track_says_so_in_its_manifest(data: dict[str, Path], tmp_path: Path) -> None:
    with chatting(default=Turn("<think>Hm.</think>(A)")) as chat:
        done = run_with(data, tmp_path / "run", "--model", chat.url)
        assert done.code == 0, done.err
    _, about = exported(tmp_path / "run", "arc")
    assert about["track"]["name"] == "single"
    assert any("no tools" in rule for rule in about["track"]["rules"])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--model", "URL", "-M", 'extra={"tools":[]}'], "-M extra gives the model tools"),
        (["--model", "URL", "--audio", "silence"], "mmar is asked with --audio silence"),
        (["--model", "first"], "first is not an audio-language model"),
        (["--model", "URL", "--track", "agent"], "--track agent: unknown."),
    ],
)
def test_what_the_single_track_forbids_is_refused_before_anything_is_asked(
    data: dict[str, Path], tmp_path: Path, options: list[str], complaint: str
) -> None:
    with chatting() as chat:
        given = [chat.url if option == "URL" else option for option in options]
        done = run_with(data, tmp_path / "run", *given)
        assert complaint in done.refusal()
        assert not chat.asked
    assert not (tmp_path / "run").exists()
