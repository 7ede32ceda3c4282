"""The steps of the GitHub Action in action.yml: `python action_steps.py STEP`, with the inputs in the environment.

A runner executes this file by its path, before dtbench is installed, so it imports nothing but the standard library. No
input is ever pasted into a script: all of them come as JSON in INPUTS, and what earlier steps said as JSON in STEPS.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import traceback
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

WRONG_INPUT, FAILURE = 2, 3
KEEP_WITHIN_DAYS_OF_USE = 7
"""Days after which GitHub deletes what nobody took from its cache."""
CHOICES = {
    "keep": ("folder", "cache"),
    "renew": ("never", "passed"),
    "comment": ("false", "true"),
    "undecided": ("", "pass", "fail"),
    "until": ("", "decided"),
}
NAMES = {
    "plan": "reading the inputs",
    "install": "the installation of dtbench",
    "restore-baseline": "restoring the baseline",
    "restore-history": "restoring the history",
    "baseline": "the run of the baseline",
    "run": "the run of the candidate",
    "gate": "the gate",
}
"""Steps without which there is no verdict, in their order, as a reader calls them."""
MEANINGS = {
    "2": "wrong input",
    "3": "a failure of network, disk or engine, or runs that cannot be compared",
    "130": "interrupted, or at a limit of cost, tokens or quota; the job run again resumes where the folder is kept",
}
RENEWED = (
    "The candidate is the baseline from now on (renew: passed). Losses too small to be seen add up so: 0.3 points a "
    "night are 7 points after a month, with every verdict right. A baseline that stays, with a history, finds them."
)
Inputs = Mapping[str, str]
Steps = Mapping[str, Mapping[str, Any]]
"""Each step's outputs and outcome, by its id."""


class ExitedCommand(NamedTuple):
    """How a command of dtbench ended."""

    code: int
    error: str
    """The last line of its complaint; empty where it has none."""


def plan(inputs: Inputs) -> None:
    """Refuse inputs that cannot be meant, and say where things lie and how they are called."""
    job, index = os.environ["GITHUB_JOB"], os.environ.get("JOB_INDEX") or "0"
    place = f"{job}-{index}"
    _put(key=_slug(inputs["cache-key"] or place))
    _refuse_unmeant(inputs)
    out = inputs["out"] or f"{inputs['history'] or 'candidate'}/{os.environ['GITHUB_RUN_ID']}-{place}"
    artifact = f"dtbench-gate-{place}-{os.environ.get('GITHUB_RUN_ATTEMPT') or '1'}"
    if inputs["out"]:
        artifact = f"{artifact}-{_slug(out)}"  # the Action may be used twice in one job
    _put(
        out=out,
        report=f"dtbench-gate/{_slug(out)}",
        artifact=inputs["artifact"] or artifact,
        install=re.sub(r"^self(?=$|\[)", lambda _: os.environ["GITHUB_ACTION_PATH"], inputs["install"].strip()),
    )


def _refuse_unmeant(inputs: Inputs) -> None:
    for name in ("model", "baseline"):
        if not inputs[name]:
            _refuse(f"{name} is missing: say it under `with:`.")
    for name, allowed in CHOICES.items():
        if inputs[name] not in allowed:
            _refuse(f"{name}: {inputs[name]!r} is not known; {' or '.join(filter(None, allowed))} is expected.")
    for name in ("options", "baseline-options", "gate-options"):
        words(name, inputs[name])
    if inputs["renew"] == "passed" and (inputs["history"] or inputs["until"]):
        _refuse("renew: passed goes with neither history nor until: both need a baseline that stays.")
    if inputs["until"] and (inputs["options"] or inputs["ids"]):
        _refuse("until: decided asks the candidate as the baseline was asked; leave options and ids out.")
    if inputs["history"] and inputs["out"] and Path(inputs["history"]) not in Path(inputs["out"]).parents:
        _refuse(f"out: {inputs['out']} is not in the history {inputs['history']}, which it is to join; leave out away.")
    if inputs["history"] and os.environ.get("GITHUB_EVENT_NAME", "").startswith("pull_request"):
        _refuse("history: the nights before are of other weights than a pull request's; leave history out there.")


def words(name: str, text: str) -> list[str]:
    """Split options as a shell would, over several lines, or read them from a JSON list; nothing is executed."""
    if text.lstrip().startswith("["):
        try:
            listed = json.loads(text)
        except ValueError as error:
            _refuse(f"{name}: this begins as a JSON list and is none ({error}).")
        if not all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in listed):
            _refuse(f"{name}: a JSON list of texts and numbers is expected.")
        return [str(one) for one in listed]
    try:
        return shlex.split(text.replace("\\\n", " "))
    except ValueError as error:
        _refuse(f"{name}: {error} in {text.strip()!r}; quote values as in a shell, such as -M extra='{{\"a\": 1}}'.")


def baseline(inputs: Inputs) -> None:
    """Make sure of a baseline before the candidate costs anything: it is there, or its model is run once."""
    folder = Path(inputs["baseline"])
    if _is_finished(folder):
        _put(made="false")
        return
    if not inputs["baseline-model"]:
        if any(folder.glob("run*.json")):
            return  # the gate says what is missing
        _refuse(
            f"baseline: {folder} has no run. Name the folder of a run of dtbench, or its model with baseline-model, "
            f"which is then run once."
        )
    run = run_dtbench(
        [*_run_arguments(inputs, inputs["baseline-model"], folder), *words("", inputs["baseline-options"])]
    )
    _put(code=run.code, error=run.error, made="true" if run.code == 0 else "false")
    sys.exit(run.code)


def run(inputs: Inputs, steps: Steps) -> None:
    """Run the candidate, or go on with it where an attempt before this one ended."""
    out = Path(steps["plan"]["outputs"]["out"])
    ended = run_dtbench(_run_arguments(inputs, inputs["model"], out))
    _put(code=ended.code, error=ended.error)
    sys.exit(ended.code)


def _run_arguments(inputs: Inputs, model: str, out: Path) -> list[str]:
    flags = ("tasks", "task-file", "data-dir", "ids")
    given = [word for name in flags if inputs[name] for word in (f"--{name}", inputs[name])]
    return ["run", "--model", model, *given, "--out", str(out), *words("options", inputs["options"])]


def gate(inputs: Inputs, steps: Steps) -> None:
    """Compare the candidate with the baseline, and write the verdict in each form that a job needs."""
    out, report = (Path(steps["plan"]["outputs"][name]) for name in ("out", "report"))
    report.mkdir(parents=True, exist_ok=True)
    if inputs["history"]:
        Path(inputs["history"]).mkdir(parents=True, exist_ok=True)
    with (report / "gate.json").open("wb") as file:
        ended = run_dtbench(_gate_arguments(inputs, out, report), file)
    about = _read_json(report / "gate.json") or {}
    code = ended.code if about or ended.code != 1 else FAILURE  # 1 is a regression, and nothing else
    _put(code=code, error=ended.error, verdict=about.get("verdict", ""), sentence=about.get("sentence", ""))
    deciding = [one for one in about.get("results", ()) if one["verdict"] == about["verdict"] and one["required"]]
    for one in [*deciding, *about.get("results", ())][:1]:
        _put(difference=f"{100 * one['difference']:.2f}")
    page = report / "report.html"
    if about and run_dtbench(["report", inputs["baseline"], str(out), "--out", str(page)]).code == 0:
        _put(report=page)
    sys.exit(code)


def _gate_arguments(inputs: Inputs, out: Path, report: Path) -> list[str]:
    flags = ("max-drop", "alpha", "undecided", "history", "looks", "policy", "until")
    given = [word for name in flags if inputs[name] for word in (f"--{name}", inputs[name])]
    if inputs["until"] and not (out / "run.json").is_file():
        given += ["--model", inputs["model"]]
    files = ["--junit", str(report / "gate.xml"), "--markdown", str(report / "gate.md"), "--json"]
    asked = words("gate-options", inputs["gate-options"])
    return ["gate", "--baseline", inputs["baseline"], "--candidate", str(out), *given, *asked, *files]


def renew(inputs: Inputs, steps: Steps) -> None:
    """Put a candidate that passed in the place of the baseline, whole or not at all."""
    folder, candidate = Path(inputs["baseline"]).absolute(), Path(steps["plan"]["outputs"]["out"])
    new, old = (folder.with_name(f"{folder.name}.{word}") for word in ("new", "before"))
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(candidate, new)
    folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old)
    print(f"::warning::{RENEWED}")
    _put(renewed="true")


def summary(inputs: Inputs, steps: Steps) -> None:
    """Say in the job's summary how this ended, however it ended."""
    planned = steps.get("plan", {}).get("outputs", {})
    verdict = steps.get("gate", {}).get("outputs", {})
    markdown = Path(planned.get("report", "dtbench-gate")) / "gate.md"
    if verdict.get("verdict") and markdown.is_file():
        sentence, text = verdict["sentence"], markdown.read_text(encoding="utf-8").rstrip()
    else:
        sentence, error = _no_verdict(steps)
        text = f"## dtbench gate: no verdict\n\n{sentence}" + (f"\n\n    {error}" if error else "")
        sentence = f"{sentence} {error}".rstrip()
    text = "\n\n".join([text, *_notes(inputs, steps)]) + "\n"
    with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as file:
        file.write(text)
    finished = "out" in planned and _is_finished(Path(planned["out"]))
    _put(sentence=sentence, finished=str(finished).lower())
    kept = markdown.with_name("summary.md")
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(text, encoding="utf-8")
    _put(text=kept)


def _no_verdict(steps: Steps) -> tuple[str, str]:
    """Return why there is no verdict in a sentence, and the complaint of the command that ended."""
    for name, called in NAMES.items():
        step = steps.get(name, {})
        said, outcome = step.get("outputs", {}), step.get("outcome", "success")
        code = said.get("code", "0")
        if code == "0" and outcome in {"success", "skipped"}:
            continue
        if code != "0":
            means = f" ({MEANINGS[code]})" if code in MEANINGS else ""
            return f"No verdict: {called} ended with exit code {code}{means}.", said.get("error", "")
        if outcome == "cancelled":
            return f"No verdict: {called} was cancelled, or out of time.", ""
        return f"No verdict: {called} failed; the job's log says why.", ""
    return "No verdict: the job was cancelled before the gate.", ""


def _notes(inputs: Inputs, steps: Steps) -> list[str]:
    said = {name: step.get("outputs", {}) for name, step in steps.items()}
    notes = []
    if said.get("baseline", {}).get("made") == "true":
        notes.append(f"There was no baseline in {inputs['baseline']}: {inputs['baseline-model']} was run for it.")
        if inputs["keep"] == "cache":
            notes.append(
                f"It stays in the cache of GitHub, which deletes what is not used for {KEEP_WITHIN_DAYS_OF_USE} days."
            )
    if said.get("renew", {}).get("renewed") == "true":
        notes.append(RENEWED)
    return notes


def run_dtbench(arguments: Sequence[str], out: IO[bytes] | None = None) -> ExitedCommand:
    """Run a command of dtbench, hand signals on to it, and remember what it complained of."""
    program = shutil.which("dtbench")
    if program is None:
        _refuse("dtbench is not on the PATH: install it in a step before, or leave the input install as it is.")
    own = {name: value for name, value in os.environ.items() if name not in {"INPUTS", "STEPS"}}
    complaints: list[str] = []
    with subprocess.Popen([program, *arguments], stdout=out, stderr=subprocess.PIPE, env=own) as process:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda which, _: process.send_signal(which))
        # An engine that outlives the command may keep the pipe open: its end is not waited for.
        reader = threading.Thread(target=_pass_on, args=(process.stderr, complaints), daemon=True)
        reader.start()
        code = process.wait()
        reader.join(timeout=5)
    return ExitedCommand(128 - code if code < 0 else code, complaints[-1] if complaints else "")


def _pass_on(pipe: IO[bytes], complaints: list[str]) -> None:
    for line in pipe:
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
        if line.startswith(b"error: "):
            complaints.append(line.decode("utf-8", "replace").strip())


def _is_finished(folder: Path) -> bool:
    return (_read_json(folder / "run.json") or {}).get("status") == "done"


def _read_json(path: Path) -> dict[str, Any] | None:
    """Read an object from a file; None where there is none, or no whole one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _slug(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-")


def _put(**outputs: object) -> None:
    """Set outputs of this step, each on one line."""
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as file:
        for name, value in outputs.items():
            file.write(f"{name}={' '.join(str(value).split())}\n")


def _refuse(complaint: str) -> NoReturn:
    """End the step as dtbench ends on wrong input."""
    _end(WRONG_INPUT, complaint)


def _end(code: int, complaint: str) -> NoReturn:
    print(f"::error::{' '.join(complaint.split()).replace('%', '%25')}")
    _put(code=code, error=f"error: {complaint}")
    sys.exit(code)


def main() -> None:
    """Take the step that the command line names."""
    given = json.loads(os.environ["INPUTS"])  # under the names as the workflow spells them
    inputs = defaultdict(str, {name.lower(): str(value) for name, value in given.items()})
    steps: Steps = json.loads(os.environ.get("STEPS") or "{}")
    alone = {"plan": plan, "baseline": baseline}
    after_others = {"run": run, "gate": gate, "renew": renew, "summary": summary}
    name = sys.argv[1]
    try:
        if name in alone:
            alone[name](inputs)
        else:
            after_others[name](inputs, steps)
    except Exception as error:  # else Python's own exit code, 1, would be a regression
        traceback.print_exc()
        _end(FAILURE, f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
