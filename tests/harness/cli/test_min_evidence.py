"""`--min-evidence` of `dtbench run`, `score` and `extract`: what counts, what is set aside, and what it is worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import levelled
import pytest
from command import Done, call
from levelled import COUNTS
from reported import first
from runs import forget_questions, write_script
from small_data import mmar_items, write_json

from dtbench.harness.extract.answer import extract
from dtbench.harness.extract.evidence import DEFAULT_MIN_EVIDENCE, EVIDENCE_LEVELS
from dtbench.harness.store.run_folder import RunFolder, StoredRun
from dtbench.harness.store.run_json import OWN_KEYS

LEVELS = list(COUNTS)
N = sum(n for n, _ in COUNTS.values()) + 1
TIMES = ("seconds", "differ", "data", "notes")
TASK = Path(levelled.__file__)


def ask(out: Path, *options: str | Path) -> Done:
    script = write_script(out.with_suffix(".script"), levelled.texts())
    return call("run", *script, "--task-file", TASK, "--out", out, "--max-failed", "0", *options)


def summary_of(out: Path) -> dict[str, Any]:
    (task,) = json.loads((out / "summary.json").read_text())["tasks"]
    return dict(task)


def scored(out: Path, *options: str | Path) -> dict[str, Any]:
    done = call("score", out, "--json", *options)
    assert done.code == 0, done
    (task,) = json.loads(done.out)
    return dict(task)


def figures(summary: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in summary.items() if name not in TIMES}


def threshold_of(out: Path) -> str | None:
    return StoredRun.open(out).info["tasks"]["levelled"].get("min_evidence")


def test_the_table_of_this_test_has_every_level() -> None:
    assert tuple(COUNTS) == EVIDENCE_LEVELS


@pytest.mark.parametrize("threshold", LEVELS)
def test_a_run_counts_what_is_as_firm_as_its_threshold_and_shows_the_rest(tmp_path: Path, threshold: str) -> None:
    done = ask(tmp_path / "run", "--min-evidence", threshold)
    assert done.code == 0, done
    summary = summary_of(tmp_path / "run")
    counted = LEVELS[: LEVELS.index(threshold) + 1]
    right, aside = sum(COUNTS[level][1] for level in counted), N - 1 - sum(COUNTS[level][0] for level in counted)
    assert summary["evidence"] == {level: {"n": n, "correct": good} for level, (n, good) in COUNTS.items()}
    assert list(summary["evidence"]) == LEVELS
    assert (summary["min_evidence"], summary["set_aside"], summary["unanswered"]) == (threshold, aside, aside + 1)
    assert (summary["strict"]["correct"], summary["official"]["correct"]) == (right, right)
    for record in StoredRun.open(tmp_path / "run").records("levelled"):
        level, read = record["id"].partition(" ")[0], record["extraction"]
        if level == "none":
            assert (read["choice"], read["level"], read["set_aside"]) == (None, None, None)
        elif level in counted:
            assert (read["level"], read["set_aside"], record["score"].get("set_aside")) == (level, None, None)
            assert read["choice"] in levelled.CHOICES
        else:
            assert (read["choice"], read["level"]) == (None, level)
            assert read["how"] == f"it is {level}: weaker evidence than {threshold}"
            assert record["score"]["correct"] is None
            assert record["score"]["set_aside"] is (read["set_aside"] == "a bell")


def test_the_tables_say_it_in_one_line(tmp_path: Path) -> None:
    out = ask(tmp_path / "run", "--min-evidence", "concluded").out
    line = "evidence       stated 6 (83% right), chosen 5 (60% right), concluded 4 (75% right); "
    assert f"{line}set aside: said 3 (33% right), inferred 3 (0% right)\n" in out
    assert "unanswered     7 (no answer could be extracted, or only from too weak evidence (6); counted as" in out
    whole = ask(tmp_path / "whole", "--min-evidence", "inferred").out
    assert "set aside" not in whole
    assert "unanswered     1 (no answer could be extracted; counted as wrong in the strict score)" in whole


def test_without_the_option_the_usual_threshold_holds_and_is_stored(tmp_path: Path) -> None:
    assert ask(tmp_path / "run").code == 0
    assert threshold_of(tmp_path / "run") == summary_of(tmp_path / "run")["min_evidence"] == DEFAULT_MIN_EVIDENCE


def test_scoring_a_run_under_another_threshold_gives_what_a_run_under_it_gives(tmp_path: Path) -> None:
    for level in LEVELS:
        ask(tmp_path / level, "--min-evidence", level)
    for stored in LEVELS:
        for level in LEVELS:
            again = scored(tmp_path / stored, "--min-evidence", level)
            assert figures(again) == figures(scored(tmp_path / level)), (stored, level)
        assert threshold_of(tmp_path / stored) == stored


def test_a_run_resumes_under_its_own_threshold_alone_until_score_writes_another(tmp_path: Path) -> None:
    out = tmp_path / "run"
    ask(out, "--min-evidence", "said", "--limit", "20")
    line = ask(out, "--min-evidence", "stated", "--limit", "20").refusal()
    assert "was made with another --min-evidence (said; now stated). Use another --out, or the same" in line
    assert "`dtbench score RUN --min-evidence LEVEL --write` changes what counts as an answer" in line
    assert line.endswith(" without a new run.")
    before = (out / "levelled.jsonl").read_bytes()
    assert call("score", out, "--min-evidence", "stated").code == 0
    assert (out / "levelled.jsonl").read_bytes() == before
    assert call("score", out, "--min-evidence", "stated", "--write").code == 0
    assert (out / "levelled.jsonl").read_bytes().startswith(before)
    assert threshold_of(out) == summary_of(out)["min_evidence"] == "stated"
    assert scored(out)["differ"] == {"n": 0, "ids": []}
    again = ask(out, "--min-evidence", "stated", "--limit", "20")
    assert (again.code, len(StoredRun.open(out).info["starts"])) == (0, 2)
    assert figures(summary_of(out)) == figures(scored(out))
    choices = [record["extraction"]["choice"] for record in StoredRun.open(out).records("levelled")]
    assert sum(choice is not None for choice in choices) == COUNTS["stated"][0]


def test_writing_what_is_stored_already_adds_no_record(tmp_path: Path) -> None:
    ask(tmp_path / "run", "--min-evidence", "said")
    before = (tmp_path / "run" / "levelled.jsonl").read_bytes()
    assert call("score", tmp_path / "run", "--min-evidence", "said", "--write").code == 0
    assert (tmp_path / "run" / "levelled.jsonl").read_bytes() == before


def without_levels(run: Path) -> None:
    """Make of a run what one had stored before evidence had levels."""
    stored = StoredRun.open(run)
    settings: dict[str, Any] = {name: value for name, value in stored.info.items() if name not in OWN_KEYS}
    lines: list[Any] = list(stored.records("levelled"))
    forget_questions(run)
    for name in ("levelled.jsonl", "run.json", "summary.json"):
        (run / name).unlink()
    del settings["tasks"]["levelled"]["min_evidence"]
    with RunFolder.start(run, settings) as folder:
        for record in lines:
            for part, keys in (("extraction", ("level", "set_aside")), ("score", ("set_aside",))):
                for key in keys:
                    record[part].pop(key, None)
            folder.append("levelled", record)
        folder.finish("done")


@pytest.fixture
def older(tmp_path: Path) -> Path:
    assert ask(tmp_path / "older", "--min-evidence", "inferred").code == 0
    without_levels(tmp_path / "older")
    return tmp_path / "older"


def test_a_run_from_before_there_were_levels_is_read_as_it_was_decided(older: Path) -> None:
    summary = scored(older)
    assert (summary["min_evidence"], summary["set_aside"], summary["differ"]["n"]) == ("inferred", 0, 0)
    assert summary["evidence"]["inferred"] == {"n": 3, "correct": 0}
    assert call("report", older, "--audio", "none").code == 0
    (task,) = first(older / "report.html")["tasks"]
    note = "21 answers were stored before evidence had levels: `dtbench score RUN --write` extracts them again"
    assert note in task["runs"][0]["notes"][0]
    assert task["runs"][0]["levels"] == []


def test_score_writes_the_levels_of_a_run_from_before_there_were_any(older: Path) -> None:
    assert "another --min-evidence (inferred; now said)" in ask(older, "--min-evidence", "said").refusal()
    assert call("score", older, "--min-evidence", "said", "--write").code == 0
    assert ask(older, "--min-evidence", "said").code == 0
    records = list(StoredRun.open(older).records("levelled"))
    assert sum(record["extraction"].get("set_aside") is not None for record in records) == COUNTS["inferred"][0]
    assert all("level" in record["extraction"] for record in records)


def test_writing_without_a_threshold_stores_levels_and_leaves_what_counts(older: Path) -> None:
    assert call("score", older, "--write").code == 0
    assert threshold_of(older) == "inferred"
    records = list(StoredRun.open(older).records("levelled"))
    assert all("level" in record["extraction"] for record in records)
    assert call("report", older, "--audio", "none").code == 0
    (task,) = first(older / "report.html")["tasks"]
    assert not [note for note in task["runs"][0]["notes"] if "before evidence had levels" in note]
    assert [one["level"] for one in task["runs"][0]["levels"]] == LEVELS


def test_a_mistake_leaves_a_run_as_it_was(older: Path) -> None:
    before = {path.name: path.read_bytes() for path in older.iterdir() if path.name != ".lock"}
    for wrong in (("--scorer", "2025"), ("--task", "birds")):
        assert call("score", older, "--min-evidence", "said", "--write", *wrong).code == 2
    assert {path.name: path.read_bytes() for path in older.iterdir() if path.name != ".lock"} == before


def test_a_level_that_a_task_makes_up_is_one_line(tmp_path: Path) -> None:
    script = write_script(tmp_path / "script", [{"text": "sure: a bell"}])
    done = call("run", *script, "--task-file", TASK, "--out", tmp_path / "run")
    assert done.code != 0
    assert "levelled: scoring the answer to " in done.err
    assert "'sure' is no level of evidence; there are stated, chosen, concluded, said, inferred" in done.err


def test_another_threshold_needs_the_data(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write_json(folder / "MMAR-meta.jsonl", mmar_items(4))
    options = ("--model", "echo-gold", "--tasks", "mmar", "--data-dir", folder, "--out", tmp_path / "run")
    assert call("run", *options, "--min-evidence", "said").code == 0
    (folder / "MMAR-meta.jsonl").unlink()
    forget_questions(tmp_path / "run")
    line = call("score", tmp_path / "run", "--min-evidence", "stated").refusal()
    assert "--min-evidence stated: scoring again needs the run's mmar data, which was not found" in line
    assert line.endswith("The stored verdicts are those of said.")
    assert scored(tmp_path / "run", "--min-evidence", "said")["min_evidence"] == "said"


def test_a_threshold_that_differs_makes_a_comparison_unfair(tmp_path: Path) -> None:
    for level in ("said", "stated"):
        ask(tmp_path / level, "--min-evidence", level)
    (told,) = json.loads(call("compare", tmp_path / "said", tmp_path / "stated", "--json").out)
    assert told["confounders"] == [{"name": "min-evidence", "before": "said", "after": "stated"}]
    both = ("--baseline", tmp_path / "said", "--candidate", tmp_path / "stated")
    line = call("gate", *both).refusal(3)
    assert "the runs differ in more than the model: min-evidence: said vs stated." in line
    assert line.endswith("--allow min-evidence. `dtbench score RUN --min-evidence LEVEL --write` changes what "
                         "counts as an answer without a new run.")  # fmt: skip
    assert call("score", tmp_path / "said", "--min-evidence", "stated", "--write").code == 0
    (told,) = json.loads(call("compare", tmp_path / "said", tmp_path / "stated", "--json").out)
    assert (told["confounders"], told["difference"]) == ([], 0.0)


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        (("run", "--model", "first", "--task-file", TASK, "--min-evidence", "chose"), "chosen"),
        (("score", "run", "--min-evidence", "state"), "stated"),
        (("score", "--task", "mmar", "--predictions", "p.json", "--min-evidence", "inferrd"), "inferred"),
        (("extract", "--min-evidence", "sad"), "said"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else value,
)
def test_an_unknown_level_is_one_line_with_the_nearest_one(command: tuple[str | Path, ...], meant: str) -> None:
    line = call(*command).refusal()
    assert f"--min-evidence {command[-1]}: unknown. Did you mean {meant}" in line
    assert line.endswith(f"Known: {', '.join(EVIDENCE_LEVELS)}.")


@pytest.mark.parametrize("command", ["run", "score", "extract"])
def test_the_help_names_every_level(command: str) -> None:
    told = " ".join(call(command, "--help").out.replace("│", " ").split())
    assert "stated, chosen, concluded, said or inferred" in told


def test_the_page_of_scores_names_the_usual_threshold() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "scores.md"
    told = " ".join(page.read_text().split())
    assert f"`--min-evidence LEVEL` sets the weakest level that counts (`{DEFAULT_MIN_EVIDENCE}` by default)" in told


OUTPUTS = (
    "The answer is (A) a bell.",
    "A",
    "I would go with the bell.",
    "So it must be a bell.",
    "I hear a bell.",
    "It is neither a drum nor a horn.",
    "I cannot tell.",
)


@pytest.mark.parametrize("threshold", LEVELS)
def test_extract_writes_the_level_and_sets_weak_evidence_aside(tmp_path: Path, threshold: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"choices": levelled.CHOICES, "output": text}) + "\n" for text in OUTPUTS))
    everything = [json.loads(line) for line in call("extract", source).out.splitlines()]
    assert [line["set_aside"] for line in everything] == [None] * len(OUTPUTS)
    lines = [json.loads(line) for line in call("extract", source, "--min-evidence", threshold).out.splitlines()]
    for text, line, whole in zip(OUTPUTS, lines, everything, strict=True):
        read = extract(text, levelled.CHOICES)
        assert (whole["choice"], whole["level"], line["level"]) == (read.choice, read.level, read.level)
        counts = read.level is None or LEVELS.index(read.level) <= LEVELS.index(threshold)
        assert (line["choice"], line["set_aside"]) == ((read.choice, None) if counts else (None, read.choice))


@pytest.mark.parametrize("threshold", LEVELS)
def test_a_prediction_file_of_texts_is_read_strictly_under_the_threshold(tmp_path: Path, threshold: str) -> None:
    items = [{**mmar_items(1)[0], "id": str(n), "choices": levelled.CHOICES, "answer": "a bell"} for n in range(7)]
    pairs = zip(items, OUTPUTS, strict=True)
    write_json(tmp_path / "p.jsonl", [{**item, "answer_prediction": text} for item, text in pairs])
    file = ("--task", "mmar", "--predictions", tmp_path / "p.jsonl", "--json")
    rows = tmp_path / "rows.jsonl"
    told = json.loads(call("score", *file, "--rows", rows, "--min-evidence", threshold).out)
    whole = json.loads(call("score", *file, "--min-evidence", "inferred").out)
    assert (told["official"], told["evidence"]) == (whole["official"], whole["evidence"])
    reads = [extract(text, levelled.CHOICES) for text in OUTPUTS]
    for level in LEVELS:
        choices = [read.choice for read in reads if read.level == level]
        assert told["evidence"][level] == {"n": len(choices), "correct": choices.count("a bell")}
    counted = [read for read in reads if read.level and LEVELS.index(read.level) <= LEVELS.index(threshold)]
    assert told["strict"]["correct"] == sum(read.choice == "a bell" for read in counted)
    assert told["unanswered"] == len(OUTPUTS) - len(counted)
    lines = [json.loads(line) for line in rows.read_text().splitlines()]
    assert told["set_aside"] == sum(line["set_aside"] is not None for line in lines)
    assert [line["level"] for line in lines] == [read.level for read in reads]
    usual = json.loads(call("score", *file).out)
    assert usual["min_evidence"] == DEFAULT_MIN_EVIDENCE
