"""A job of GitHub Actions on this machine: steps and composite actions as the runner would execute them.

Scripts are executed by bash as the runner calls it, in an environment that has what a hosted machine would give. Of the
actions of others, checkout links this repository, the cache is a folder, and the rest are written down.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from expressions import filled, holds

ROOT = Path(__file__).resolve().parents[2]
_PIP = """#!{python}
import json, os, sys
if sys.argv[1:3] == ["-m", "pip"]:
    with open({log!r}, "a") as file:
        file.write(json.dumps(sys.argv[3:]) + "\\n")
    sys.exit(int(os.environ.get("PIP_ENDS_WITH", "0")))
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""
"""`python`, but that pip only writes down what it was asked for."""


@dataclass
class Machine:
    """A runner with a workspace, in a folder of a test."""

    folder: Path
    run_id: int = 1
    attempt: int = 1
    event: str = "schedule"
    pull_request: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    strategy: Mapping[str, Any] = field(default_factory=lambda: {"job-index": 0, "job-total": 1})
    on_start: Callable[[str, subprocess.Popen[str]], None] | None = None
    """Called with the name of each step that is a script, and its process."""

    def __post_init__(self) -> None:
        for name in ("bin", "temp", "cache"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.workspace = self.folder / f"workspace-{self.run_id}"
        self.workspace.mkdir(exist_ok=True)
        python = self.folder / "bin" / "python"
        python.write_text(_PIP.format(python=sys.executable, log=str(self.folder / "pip.jsonl")))
        python.chmod(python.stat().st_mode | stat.S_IXUSR)

    def github(self) -> dict[str, Any]:
        """The context `github`; its action_path is known to the steps of an action alone."""
        return {
            "run_id": str(self.run_id),
            "run_number": str(self.run_id),
            "run_attempt": str(self.attempt),
            "event_name": self.event,
            "event": {} if self.pull_request is None else {"pull_request": {"number": self.pull_request}},
            "job": "gate",
            "token": "made-up-token",
        }

    def variables(self) -> dict[str, str]:
        """Return what every process of a job finds: nothing of ours but where dtbench and the models of tests are."""
        ours = {name: value for name, value in os.environ.items() if name in {"HOME", "LANG", "PYTHONPATH", "TMPDIR"}}
        path = [str(self.folder / "bin"), str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
        places = [ours.get("PYTHONPATH", ""), str(Path(__file__).parent)]
        return {
            **ours,
            "PYTHONPATH": os.pathsep.join(filter(None, places)),
            "PATH": os.pathsep.join(path),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_JOB": "gate",
            "GITHUB_RUN_ID": str(self.run_id),
            "GITHUB_RUN_ATTEMPT": str(self.attempt),
            "GITHUB_EVENT_NAME": self.event,
            "GITHUB_REPOSITORY": "someone/models",
            "GITHUB_SERVER_URL": "https://forge.example",
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.folder / "temp"),
            **self.environment,
        }


@dataclass
class Job:
    """What is known while the steps of a job, or of an action within it, are executed."""

    machine: Machine
    inputs: Mapping[str, str] | None = None
    action_path: Path | None = None
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: str = "success"
    codes: dict[str, int] = field(default_factory=dict)
    used: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """The actions of others, and what they were given."""
    summary: str = ""
    printed: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)

    def contexts(self) -> dict[str, Any]:
        github = self.machine.github() | ({"action_path": str(self.action_path)} if self.action_path else {})
        known = {"github": github, "steps": self.steps, "job": {"status": self.status}, "env": self.env}
        mine = {} if self.inputs is None else {"inputs": dict(self.inputs)}
        return {**known, **mine, "strategy": dict(self.machine.strategy), "matrix": {}}

    def execute(self, steps: list[dict[str, Any]]) -> Job:
        """Execute the steps in order, each where its condition holds."""
        for number, step in enumerate(steps):
            name = step.get("id", f"__{number}")
            if not holds(step.get("if"), self.contexts()):
                self.steps[name] = {"outputs": {}, "outcome": "skipped", "conclusion": "skipped"}
                continue
            own = {key: filled(str(value), self.contexts()) for key, value in step.get("env", {}).items()}
            outputs: dict[str, str] = {}
            code = self._script(step, {**self.env, **own}, outputs) if "run" in step else self._use(step, outputs)
            self.codes[step.get("name", name)] = code
            outcome = "failure" if code else "success"
            self.steps[name] = {"outputs": outputs, "outcome": outcome, "conclusion": outcome}
            if code:
                self.status = "failure"
        return self

    def _script(self, step: Mapping[str, Any], env: Mapping[str, str], outputs: dict[str, str]) -> int:
        assert self.action_path is None or step["shell"] == "bash", "a step of an action has to name its shell"
        temp = self.machine.folder / "temp"
        files = {name: temp / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV")}
        for file in files.values():
            file.write_text("")
        script = temp / "step.sh"
        script.write_text(filled(step["run"], self.contexts()))
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail"] if "shell" in step else ["bash", "-e"]
        place = {} if self.action_path is None else {"GITHUB_ACTION_PATH": str(self.action_path)}
        known = {**self.machine.variables(), **{name: str(file) for name, file in files.items()}, **place, **env}
        with subprocess.Popen(
            [*shell, str(script)],
            cwd=self.machine.workspace,
            env=known,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            if self.machine.on_start is not None:
                self.machine.on_start(step.get("name", ""), process)
            self.printed += process.communicate()[0]
        self.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        outputs |= dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
        return process.returncode

    def _use(self, step: Mapping[str, Any], outputs: dict[str, str]) -> int:
        given = {name: filled(str(value), self.contexts()) for name, value in step.get("with", {}).items()}
        name = step["uses"].partition("@")[0]
        if name.startswith("./"):
            inner = act(self.machine, given, self.machine.workspace / name, self.env)
            self.used += inner.used
            self.summary += inner.summary
            self.printed += inner.printed
            outputs |= inner.outputs
            return int(inner.status == "failure")
        self.used.append((name, given))
        if name == "actions/checkout":
            (self.machine.workspace / given["path"]).symlink_to(ROOT)
        if name == "actions/cache/save":
            shutil.copytree(self.machine.workspace / given["path"], self.machine.folder / "cache" / given["key"])
        if name == "actions/cache/restore":
            self._restore(given)
        return 0

    def _restore(self, given: Mapping[str, str]) -> None:
        """Take the newest entry whose key begins so, as the cache does."""
        kept = sorted((self.machine.folder / "cache").iterdir(), key=lambda path: path.stat().st_ctime_ns)
        found = [path for path in kept if path.name.startswith((given["key"], given["restore-keys"]))]
        if found:
            shutil.copytree(found[-1], self.machine.workspace / given["path"])


def act(machine: Machine, given: Mapping[str, str], path: Path = ROOT, env: Mapping[str, str] | None = None) -> Job:
    """Execute action.yml with these inputs; defaults are filled in before its path is known, as the runner does."""
    action: Any = yaml.safe_load((path / "action.yml").read_text())
    outside = Job(machine).contexts()
    defaults = {name: filled(str(about.get("default", "")), outside) for name, about in action["inputs"].items()}
    assert set(given) <= set(defaults), f"{set(given) - set(defaults)}: no inputs of the action"
    job = Job(machine, {**defaults, **given}, path, env=env or {})
    job.execute(action["runs"]["steps"])
    job.outputs = {name: filled(about["value"], job.contexts()) for name, about in action["outputs"].items()}
    return job


def work(machine: Machine, workflow: Mapping[str, Any]) -> Job:
    """Execute the one job of a workflow."""
    (job,) = workflow["jobs"].values()
    environment = {**workflow.get("env", {}), **job.get("env", {})}
    filled_in = {name: filled(str(value), Job(machine).contexts()) for name, value in environment.items()}
    return Job(machine, env=filled_in).execute(job["steps"])
