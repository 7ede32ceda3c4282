"""docs/ci: the whole workflows, parsed, and executed for a few nights on a made-up runner."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from action_runner import ROOT, Job, Machine, work
from chat_server import chatting
from command import call
from listeners import listener
from runs import audible_data
from stand_ins import STUBBORN

from dtbench.harness.compare.action_steps import words

WORKFLOWS = sorted((ROOT / "docs" / "ci").glob("*.yml"))
LOCAL = all(importlib.util.find_spec(name) for name in ("torch", "transformers"))


def workflow(name: str) -> Any:
    return yaml.safe_load((ROOT / "docs" / "ci" / f"nightly-{name}.yml").read_text())


def inputs_of(flow: Any) -> dict[str, str]:
    """What a workflow gives the Action."""
    (job,) = flow["jobs"].values()
    (step,) = (step for step in job["steps"] if step.get("uses") == "./dtbench")
    found: dict[str, str] = step["with"]
    return found


def night(number: int, tmp_path: Path, flow: Any) -> Job:
    return work(Machine(tmp_path, run_id=number), flow)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_gives_the_action_what_it_takes_and_may_write_nothing(path: Path) -> None:
    flow = yaml.safe_load(path.read_text())
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    given = inputs_of(flow)
    assert set(given) <= set(action["inputs"])
    assert {name for name, about in action["inputs"].items() if about.get("required")} <= set(given)
    assert all(isinstance(value, str) for value in given.values())
    assert flow["permissions"] == {"contents": "read"}
    assert flow["concurrency"], "two nights at once would lose one of the histories"
    assert {"schedule", "workflow_dispatch"} <= set(flow[True])  # YAML 1.1 reads the key `on` so
    assert given["history"]
    assert given["looks"] == "30"


REAL = pytest.mark.skipif(not LOCAL, reason="torch and transformers, of the extra local, are not installed")


def test_the_options_of_the_nights_are_those_of_the_model_in_the_box() -> None:
    given = inputs_of(workflow("cpu"))
    options = words("options", given["options"].replace("${{ github.run_number }}", "7"))
    done = call("run", "--model", given["model"], "--tasks", given["tasks"], *options, "--dry-run")
    assert (done.code, given["baseline-model"]) == (0, given["model"]), done


@pytest.mark.parametrize("model", [STUBBORN, pytest.param("mini", marks=[pytest.mark.whole, REAL])])
def test_the_nights_of_the_model_in_the_box_pass_and_are_kept(tmp_path: Path, model: str) -> None:
    flow = workflow("cpu")
    given = inputs_of(flow)
    if model != given["model"]:  # one that needs no torch, whose start takes most of the time
        given |= {"model": model, "baseline-model": model}
        given["options"] = "--seed ${{ github.run_number }}\n--limit 24\n"
    else:
        given["options"] += "--limit 48\n"
    given["baseline-options"] = "--samples 2"
    given["max-drop"] = "45"
    jobs = [night(number, tmp_path, flow) for number in (1, 2)]
    assert [job.status for job in jobs] == ["success", "success"], jobs[0].summary
    for line in (tmp_path / "pip.jsonl").read_text().splitlines():
        assert (Path(json.loads(line)[-1].removesuffix("[local]")) / "pyproject.toml").is_file()
    assert f"There was no baseline in anchor: {model} was run for it." in jobs[0].summary
    assert "passed. The candidate is not worse" in jobs[1].printed
    (kept,) = tmp_path.glob("workspace-2/dtbench-gate/*/gate.json")
    (one,) = json.loads(kept.read_text())["results"]
    assert (one["nights"], one["look"], one["looks"]) == (2, 2, 30)
    anchors = [path for path in (tmp_path / "cache").iterdir() if "baseline" in path.name]
    assert len(anchors) == 1, "the baseline is kept once and stays"


def test_the_nights_on_a_machine_of_ones_own_find_a_loss_and_say_so(tmp_path: Path) -> None:
    flow = workflow("gpu")
    given = inputs_of(flow)
    disk = tmp_path / "disk"
    audible_data(disk / "benchmarks" / "mmar", 80)
    given |= {name: given[name].replace("/data", str(disk)) for name in ("baseline", "history", "data-dir")}
    given |= {"baseline-options": "--samples 2", "max-drop": "8"}
    with chatting(choose=listener()) as good, chatting(choose=listener(deaf_in=2)) as bad:
        given["baseline-model"] = good.url
        said = []
        for number, server in enumerate((good, bad), start=1):
            flow["env"]["CHECKPOINT"] = server.url
            said.append(night(number, tmp_path, flow))
    assert [job.status for job in said] == ["success", "failure"], [job.summary for job in said]
    assert "regressed. The candidate is worse than the baseline" in said[1].printed
    (kept,) = tmp_path.glob("workspace-2/dtbench-gate/*/gate.json")
    (one,) = json.loads(kept.read_text())["results"]
    assert (one["nights"], one["look"]) == (2, 2)
    assert one["since_last"] < one["difference"] < 0, "the last night fell, the mean of the nights by less"
    assert len(list((disk / "gate" / "nights").iterdir())) == 2
    assert not (tmp_path / "pip.jsonl").exists()


def test_a_night_without_a_verdict_says_why(tmp_path: Path) -> None:
    flow = workflow("cpu")
    given = inputs_of(flow)
    given["tasks"] = "none-such"
    job = night(1, tmp_path, flow)
    assert job.status == "failure"
    assert "no verdict. No verdict: the run of the baseline ended with exit code 2 (wrong input)." in job.printed
    assert list((tmp_path / "cache").iterdir()) == []
