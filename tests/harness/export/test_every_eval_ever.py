"""`export --format eee`: what stands in the aggregate and in the lines of answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import call
from exported_runs import QUESTIONS, write_mini_run, write_mmar_run

from dtbench.harness.export.stored_answers import limits_copying


def exported(run: Path, *options: str) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """The aggregate, the lines, and what was said on stderr."""
    done = call("export", run, "--format", "eee", "--json", *options)
    assert done.code == 0, done
    samples, aggregate = map(Path, json.loads(done.out)["files"])
    assert samples.name == f"{aggregate.stem}_samples.jsonl"
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    return json.loads(aggregate.read_text()), lines, " ".join(json.loads(done.out)["notes"])


def test_the_scores_are_those_of_the_run_and_of_the_lines(tmp_path: Path) -> None:
    run = write_mmar_run(tmp_path, repeats=2)
    aggregate, lines, _ = exported(run)
    (task,) = json.loads(call("score", run, "--json").out)
    for result in aggregate["evaluation_results"]:
        name = result["evaluation_result_id"].partition("/")[2]
        assert result["score_details"]["score"] == pytest.approx(task[name]["accuracy"])
        interval = result["score_details"]["uncertainty"]["confidence_interval"]
        assert (interval["lower"], interval["upper"]) == (task[name]["low"], task[name]["high"])
        own = [line for line in lines if line["evaluation_result_id"] == result["evaluation_result_id"]]
        assert sum(line["evaluation"]["score"] for line in own) / len(own) == pytest.approx(task[name]["accuracy"])
    assert aggregate["detailed_evaluation_results"]["total_rows"] == len(lines)
    assert len(lines) == 2 * QUESTIONS + task["official"]["counted"]


def test_a_line_has_the_chain_how_the_answer_was_read_and_what_it_took(tmp_path: Path) -> None:
    _, lines, _ = exported(write_mmar_run(tmp_path), "--with-text")
    right, _, unread, failed = [line for line in lines if line["evaluation_result_id"] == "mmar/strict"][:4]
    assert right["output"]["reasoning_trace"] == ["Take 0: a `|` and <b>tags</b>."]
    (how,) = right["answer_attribution"]
    assert how["extracted_value"] == right["input"]["reference"][0]
    assert how["extraction_method"].startswith("dtbench.extract: ")
    assert right["token_usage"] == {"input_tokens": 100, "output_tokens": 7, "total_tokens": 107}
    assert right["performance"] == {"latency_ms": 500}
    assert (unread["answer_attribution"][0]["extracted_value"], unread["evaluation"]["is_correct"]) == ("", False)
    assert (failed["error"], failed["output"]["raw"]) == ("the endpoint answered 503", [])


def test_the_text_of_a_benchmark_whose_licence_limits_copying_stays_out_unless_asked_for(tmp_path: Path) -> None:
    run = write_mmar_run(tmp_path)
    question = json.loads((tmp_path / "mmar" / "MMAR-meta.jsonl").read_text().splitlines()[0])["question"]
    _, lines, notes = exported(run)
    assert question not in json.dumps(lines)
    assert "withheld, its licence is cc-by-nc-4.0" in notes
    assert all(line["input"]["choices"] == line["input"]["reference"] == [] for line in lines)
    _, kept, _ = exported(run, "--with-text")
    assert kept[0]["input"]["raw"] == question
    assert [line["sample_hash"] for line in lines] == [line["sample_hash"] for line in kept]


def test_the_same_run_writes_the_same_files(tmp_path: Path) -> None:
    run = write_mini_run(tmp_path)
    exported(run)
    folder = run / "export" / "eee"
    before = {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    exported(run)
    assert {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


LICENCES = {
    "cc-by-nc-4.0": True,
    "CC BY-NC-SA 4.0": True,
    "cc-by-nd-4.0": True,
    "mit": False,
    "Apache-2.0": False,
    "": False,
}


@pytest.mark.parametrize("licence", LICENCES)
def test_a_licence_for_some_uses_alone_limits_copying(licence: str) -> None:
    assert limits_copying(licence) is LICENCES[licence]
