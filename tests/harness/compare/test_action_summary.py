"""What the Action says at the end of a job, however it ended: never a verdict that this job has not come to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dtbench.harness.compare.action_steps import RENEWED, summary

INPUTS = {"baseline": "anchor", "baseline-model": "first", "keep": "folder"}
GATED = {"outcome": "success", "outputs": {"verdict": "passed", "sentence": "All is well.", "code": "0"}}
CANCELLED = "No verdict: the job was cancelled before the gate."


def ended(
    monkeypatch: pytest.MonkeyPatch, steps: Mapping[str, Any], inputs: Mapping[str, str] = INPUTS
) -> tuple[str, dict[str, str]]:
    """The job's summary, and what the step puts out."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    monkeypatch.setenv("GITHUB_OUTPUT", "output.txt")
    summary(inputs, steps)
    lines = Path("output.txt").read_text().splitlines()
    return Path("summary.md").read_text(), {name: value for name, _, value in (one.partition("=") for one in lines)}


@pytest.fixture(autouse=True)
def _in_a_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_markdown(text: str = "## dtbench gate: passed\n\nAs good.\n") -> None:
    Path("dtbench-gate").mkdir()
    Path("dtbench-gate", "gate.md").write_text(text)


def test_a_verdict_is_the_sentence_and_the_table_of_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    write_markdown()
    text, outputs = ended(monkeypatch, {"gate": GATED})
    assert text == "## dtbench gate: passed\n\nAs good.\n"
    assert outputs == {"sentence": "All is well.", "finished": "false", "text": "dtbench-gate/summary.md"}
    assert Path("dtbench-gate", "summary.md").read_text() == text


def test_a_table_that_an_earlier_job_left_is_no_verdict_and_neither_is_a_verdict_without_its_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ended(monkeypatch, {"gate": GATED})[0] == f"## dtbench gate: no verdict\n\n{CANCELLED}\n"
    Path("summary.md").unlink()
    (Path("dtbench-gate") / "gate.md").write_text("## dtbench gate: passed\n")
    text, outputs = ended(monkeypatch, {"gate": {"outcome": "skipped", "outputs": {}}})
    assert (text, outputs["sentence"]) == (f"## dtbench gate: no verdict\n\n{CANCELLED}\n", CANCELLED)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ({}, CANCELLED),
        ({"plan": {"outcome": "failure"}}, "No verdict: reading the inputs failed; the job's log says why."),
        ({"run": {"outcome": "cancelled"}}, "No verdict: the run of the candidate was cancelled, or out of time."),
        (
            {"gate": {"outcome": "failure", "outputs": {"code": "2", "error": "error: no such run"}}},
            "No verdict: the gate ended with exit code 2 (wrong input). error: no such run",
        ),
        ({"run": {"outputs": {"code": "7"}}}, "No verdict: the run of the candidate ended with exit code 7."),
        (
            {"baseline": {"outcome": "failure"}, "gate": {"outcome": "cancelled"}},
            "No verdict: the run of the baseline failed; the job's log says why.",
        ),
    ],
)
def test_without_a_verdict_the_first_step_that_failed_is_told(
    monkeypatch: pytest.MonkeyPatch, steps: Mapping[str, Any], said: str
) -> None:
    text, outputs = ended(monkeypatch, steps)
    assert outputs["sentence"] == said
    assert " ".join(text.split()) == f"## dtbench gate: no verdict {said}"


@pytest.mark.parametrize(
    ("made", "keep", "renewed", "notes"),
    [
        ("true", "folder", "false", ["There was no baseline in anchor: first was run for it."]),
        (
            "true",
            "cache",
            "false",
            [
                "There was no baseline in anchor: first was run for it.",
                "It stays in the cache of GitHub, which deletes what is not used for 7 days.",
            ],
        ),
        ("false", "cache", "true", [RENEWED]),
        ("false", "folder", "false", []),
    ],
)
def test_what_was_done_about_the_baseline_is_noted(
    monkeypatch: pytest.MonkeyPatch, made: str, keep: str, renewed: str, notes: list[str]
) -> None:
    write_markdown("table")
    steps = {"gate": GATED, "baseline": {"outputs": {"made": made}}, "renew": {"outputs": {"renewed": renewed}}}
    assert ended(monkeypatch, steps, {**INPUTS, "keep": keep})[0] == "\n\n".join(["table", *notes]) + "\n"


@pytest.mark.parametrize(("status", "finished"), [("done", "true"), ("running", "false"), (None, "false")])
def test_a_run_is_finished_where_its_folder_says_so(
    monkeypatch: pytest.MonkeyPatch, status: str | None, finished: str
) -> None:
    Path("out").mkdir()
    Path("out", "run.json").write_text("{" if status is None else f'{{"status": "{status}"}}')
    plan = {"outputs": {"out": "out", "report": "here"}}
    outputs = ended(monkeypatch, {"plan": plan})[1]
    assert (outputs["finished"], outputs["text"]) == (finished, "here/summary.md")
    assert Path("here", "summary.md").is_file()
