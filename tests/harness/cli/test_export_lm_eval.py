"""`dtbench export --format lm-eval`: files that lm-eval's own readers take, with the scores of the run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from command import call
from exports import says
from made_up_run import write_run
from small_data import mmar_v2_folder, mmsu_parquet


@pytest.fixture
def run(tmp_path: Path) -> Path:
    mmar_v2_folder(tmp_path / "mmar")
    mmsu_parquet(tmp_path / "mmsu")
    write_run(tmp_path / "run", {"mmar": tmp_path / "mmar", "mmsu": tmp_path / "mmsu"}, says)
    return tmp_path / "run"


def written(run: Path) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """The results file, and the samples of each task."""
    done = call("export", run, "--format", "lm-eval", "--json")
    assert (done.code, done.err) == (0, ""), done
    folder = Path(json.loads(done.out)["path"])
    (results,) = folder.glob("results_*.json")
    samples = {
        file.name.partition("_2")[0].removeprefix("samples_"): [
            json.loads(line) for line in file.read_text().splitlines()
        ]
        for file in folder.glob("samples_*.jsonl")
    }
    return json.loads(results.read_text()), samples


def test_the_scores_are_those_of_the_run_and_can_be_counted_again(run: Path) -> None:
    results, samples = written(run)
    assert set(samples) == set(results["results"]) == {"dtbench_mmar", "dtbench_mmsu"}
    for summary in json.loads(call("score", run, "--json").out):
        name = f"dtbench_{summary['task']}"
        figures = results["results"][name]
        assert figures["official,none"] == pytest.approx(summary["official"]["accuracy"])
        assert figures["strict,none"] == pytest.approx(summary["strict"]["accuracy"])
        counted = [line["official"] for line in samples[name] if "official" in line]
        assert sum(counted) / len(counted) == figures["official,none"]
        assert results["n-samples"][name] == {"original": 6, "effective": 6}


def test_a_line_holds_question_prompt_answer_and_hashes(run: Path) -> None:
    _, samples = written(run)
    line = samples["dtbench_mmar"][1]
    assert line["doc_id"] == 1
    assert line["doc"]["choices"][1] == line["filtered_resps"][0]
    assert line["resps"][0][0].startswith("<think>Take 0")
    words = line["arguments"]["gen_args_0"]["arg_0"]
    assert line["doc"]["question"] in words
    assert line["prompt_hash"] == hashlib.sha256(words.encode()).hexdigest()
    assert line["target"] == line["doc"]["answer"]


def test_lm_evals_own_readers_find_the_files_and_make_its_table_of_them(run: Path) -> None:
    utils = pytest.importorskip("lm_eval.utils", reason="lm-eval, of the extra lm-eval, is not installed")
    results, _ = written(run)
    files = [path.as_posix() for path in (run / "export" / "lm-eval").glob("*/*")]
    (found,) = utils.get_results_filenames(files)
    assert utils.get_latest_filename([Path(found).name]) == Path(found).name
    samples = [Path(path).name for path in utils.get_sample_results_filenames(files)]
    assert {utils.get_file_task_name(name) for name in samples} == {"dtbench_mmar", "dtbench_mmsu"}
    assert {utils.get_file_datetime(name) for name in samples} == {
        utils.get_file_datetime(Path(found).name).removesuffix(".json")
    }
    table = utils.make_table(results)
    assert "dtbench_mmar" in table
    assert "official" in table


def test_a_run_without_an_answer_is_one_line(tmp_path: Path) -> None:
    mmar_v2_folder(tmp_path / "mmar")
    write_run(tmp_path / "run", {"mmar": tmp_path / "mmar"}, lambda sample, repeat: None)
    assert "there is no answer of mmar in it" in call("export", tmp_path / "run", "--format", "lm-eval").refusal()
    assert "only files for boards are checked" in call("export", "--check", "x", "--format", "lm-eval").refusal()
