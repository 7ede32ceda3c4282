"""Print what `dtbench run --dry-run` finds."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

import typer

from dtbench.harness.core.errors import MachineryError, one_line
from dtbench.harness.run.dry_run import DryRun, PlannedTask, dry_run
from dtbench.harness.run.live_line import duration
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.spending import cost_words
from dtbench.models.checkpoints.defaults import SERVERS_OWN
from dtbench.models.endpoint.server import UNKNOWN

_WIDTH = 13


def show_dry_run(request: RunRequest, *, as_json: bool) -> None:
    """Plan a run and print the plan; a MachineryError after it where the endpoint of the run is away."""
    plan = dry_run(request)
    if as_json:
        typer.echo(json.dumps(plan))
    else:
        for name, text in _lines(plan):
            first, *rest = text.splitlines() or [""]
            for line in (f"{name:<{_WIDTH}}{one_line(first)}", *(" " * _WIDTH + one_line(line) for line in rest)):
                typer.echo(line.rstrip())
        typer.echo("nothing was started, nothing was written")
    if plan["away"] is not None:
        raise MachineryError(plan["away"])


def _lines(plan: DryRun) -> Iterator[tuple[str, str]]:
    prompt = plan["prompt"]
    name = str(plan["model"].get("model") or plan["model"].get("name"))
    yield "model", "unknown, as its endpoint was not reached" if plan["away"] and name == UNKNOWN else name
    for task in plan["tasks"]:
        yield task["task"], _task_line(task)
        yield "  clips", _clips_line(task)
        if task["sampling"] is not None:
            fields = (f"{name} {json.dumps(value)}" for name, value in task["sampling"].items())
            rest = ["all else as the endpoint has it"] if plan["model"].get("sampling_source") == SERVERS_OWN else []
            yield "  sampling", ", ".join([*fields, *rest]) or "as the endpoint has it"
        yield "  expected", _expected_line(task)
    clip = f"with {prompt['clip']}" if prompt["clip"] else "without a clip"
    yield "prompt", f"the first one, {prompt['task']} {prompt['id']}, {clip}:"
    if prompt["system"]:
        yield "", prompt["system"] + "\n\n"
    for number, example in enumerate(prompt["examples"], start=1):
        heard = f", with {' and '.join(example['clips'])}" if example["clips"] else ""
        yield f"  example {number}", f"{example['text']}\nanswered: {example['answer']}{heard}"
    yield "", prompt["text"]
    yield "goes to", prompt["where"]
    if prompt["body"] is not None:
        yield "request", json.dumps(prompt["body"], ensure_ascii=False)
    if plan["command"]:
        yield "command", shlex.join(plan["command"])
    why = f", {plan['why']}" if plan["why"] else ""
    yield "folder", f"{plan['run']} ({'the run goes on there' if plan['resumes'] else 'new'}{why})"


def _task_line(task: PlannedTask) -> str:
    times = task["answers"] // max(1, task["questions"])
    repeats = f", {times} answers to each" if times > 1 else ""
    there = f"; {task['answered']:,} of {task['answers']:,} answers are there" if task["answered"] else ""
    left_out = f"; {task['left_out']:,} left out, as they are examples" if task["left_out"] else ""
    return f"{task['questions']:,} questions (data {task['data']}){repeats}{left_out}{there}"


def _clips_line(task: PlannedTask) -> str:
    clips = task["clips"]
    if clips is None:
        return "none is sent: this model does not listen"
    missing = f"{clips['missing']:,} missing"
    first = f" (first: {clips['first_missing']})" if clips["first_missing"] else ""
    unchecked = f", {clips['unchecked']:,} that only reading tells" if clips["unchecked"] else ""
    return f"{clips['found']:,} found, {missing}{first}{unchecked}"


def _expected_line(task: PlannedTask) -> str:
    if task["answered"] == task["answers"]:
        return "nothing is left to ask"
    expected = task["expected"]
    if expected is None:
        return "no earlier run of this model to tell from"
    counts = {"in": expected["tokens_in"], "out": expected["tokens_out"]}
    tokens = ", ".join(f"{count:,} tokens {way}" for way, count in counts.items() if count is not None)
    other = "" if expected["task"] == task["task"] else f" on {expected['task']}"
    cost = "" if task["cost"] is None else f", about {cost_words(task['cost'])}"
    takes = f"{tokens or 'tokens unknown'}{cost}, about {duration(max(1, expected['seconds']))}"
    return f"{takes}, if it goes as in {expected['run']}{other}"
