"""action.yml, executed as a runner would: its expressions, its scripts, and what a job finds afterwards."""

from __future__ import annotations

import ast
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from action_runner import ROOT, Job, Machine, act
from chat_server import Turn, chatting
from command import call
from runs import audible_data
from small_data import mmar_items
from stand_ins import DICE, PERFECT, STUBBORN

from dtbench.harness.compare.action_steps import words

QUESTIONS = 60
SCRIPTS = ("action_steps.py", "action_comment.py")
INPUTS = {"tasks": "mmar", "baseline": "base", "data-dir": "data", "install": "", "max-drop": "8"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, and a baseline that knows every answer."""
    folder = tmp_path_factory.mktemp("prepared")
    audible_data(folder / "data", QUESTIONS)
    where = ("--tasks", "mmar", "--data-dir", folder / "data", "--out", folder / "base")
    assert call("run", "--model", "echo-gold", *where).code == 0
    return folder


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> tuple[Machine, Job]:
    """A candidate as good as the baseline, on a machine that has nothing installed."""
    machine = with_data(Machine(tmp_path_factory.mktemp("good"), run_id=7), prepared)
    given = {**INPUTS, "model": PERFECT, "options": "--seed 5"}
    del given["install"]
    return machine, act(machine, given)


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> tuple[Machine, Job]:
    """A worse candidate, which would be the next baseline had it passed."""
    machine = with_data(Machine(tmp_path_factory.mktemp("worse"), run_id=7), prepared)
    return machine, acted(machine, model=DICE, renew="passed", options="--seed 5")


@pytest.fixture
def machine(tmp_path: Path, prepared: Path) -> Machine:
    return with_data(Machine(tmp_path, run_id=7), prepared)


def with_data(machine: Machine, prepared: Path) -> Machine:
    for name in ("data", "base"):
        subprocess.run(["cp", "-r", prepared / name, machine.workspace / name], check=True)
    return machine


def acted(machine: Machine, **inputs: str) -> Job:
    return act(machine, {**INPUTS, **{name.replace("_", "-"): text for name, text in inputs.items()}})


def planned(machine: Machine, **inputs: str) -> Job:
    """A job that ends once its inputs are read and dtbench is installed, for want of a baseline."""
    return acted(machine, **{"model": STUBBORN, **inputs, "baseline": "nowhere"})


def seed_of_the_baseline(machine: Machine) -> int:
    return int(json.loads((machine.workspace / "base" / "run.json").read_text())["request"]["seed"])


def written(machine: Machine, job: Job, name: str) -> str:
    return (machine.workspace / "dtbench-gate" / job.outputs["run"].replace("/", "-") / name).read_text()


def test_a_candidate_as_good_passes(good: tuple[Machine, Job]) -> None:
    machine, job = good
    assert job.status == "success"
    assert (job.outputs["verdict"], job.outputs["code"], job.outputs["difference"]) == ("passed", "0", "0.00")
    assert job.outputs["sentence"] == "The candidate is not worse than the baseline by 8 points or more."
    assert job.summary.startswith("## dtbench gate: ✅ passed")
    assert job.outputs["sentence"] in job.summary
    assert written(machine, job, "gate.xml").count("<testcase") == 1
    assert "perfect" in (machine.workspace / job.outputs["report"]).read_text()


def test_a_worse_candidate_stops_the_job_and_says_why(worse: tuple[Machine, Job]) -> None:
    machine, job = worse
    assert (job.status, job.codes["Gate"], job.outputs["verdict"]) == ("failure", 1, "regressed")
    assert "| mmar | ❌ regressed | 100.00 |" in job.summary
    assert "echo-gold against dice" in (machine.workspace / job.outputs["report"]).read_text()
    (kept,) = (given for name, given in job.used if name == "actions/upload-artifact")
    assert all((machine.workspace / path).is_dir() for path in kept["path"].split())


def test_a_gate_that_cannot_compare_ends_with_its_code_and_one_true_line(machine: Machine) -> None:
    ids = [item["id"] for item in mmar_items(QUESTIONS)][:50]
    (machine.workspace / "ids.txt").write_text("\n".join(ids))
    job = acted(machine, model=PERFECT, ids="ids.txt", options="--concurrency 4 --seed 3")
    assert job.codes["Gate"] == 3, "the baseline has all questions, and what is not alike does not pass"
    assert job.outputs["verdict"] == ""
    assert "No verdict: the gate ended with exit code 3 (a failure of network, disk or engine, or runs" in job.summary
    assert "\n    error: " in job.summary


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"model": "http://127.0.0.1:9/v1"}, 3, "error: no endpoint can be reached: http://127.0.0.1:9/v1"),
        ({"model": "first", "tasks": "none"}, 2, "error: unknown task 'none'"),
        ({"model": "first", "tasks": ""}, 2, "error: --tasks"),
    ],
)
def test_a_run_that_fails_never_gets_to_the_gate_and_is_in_the_summary(
    machine: Machine, given: dict[str, str], code: int, said: str
) -> None:
    job = acted(machine, **given)
    assert (job.status, job.codes["Run the candidate"]) == ("failure", code)
    assert "Gate" not in job.codes
    assert f"No verdict: the run of the candidate ended with exit code {code}" in job.summary
    assert said in job.summary
    assert said in job.outputs["sentence"]


def test_a_job_that_is_cancelled_says_so_and_keeps_what_was_answered(machine: Machine) -> None:
    folder = machine.workspace / "candidate" / "7-gate-0"

    def cancel(name: str, process: subprocess.Popen[str]) -> None:
        def later() -> None:
            while not (folder / "mmar.jsonl").exists() and process.poll() is None:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)

        if name == "Run the candidate":
            threading.Thread(target=later).start()

    machine.on_start = cancel
    with chatting(default=Turn(delay=0.2)) as server:
        job = acted(machine, model=server.url, options="--concurrency 1", baseline="base")
    assert job.codes["Run the candidate"] == 130
    assert "the run of the candidate ended with exit code 130 (interrupted, or at a limit" in job.summary
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    assert any(name == "actions/upload-artifact" for name, _ in job.used)


def pip(machine: Machine) -> list[list[str]]:
    log = machine.folder / "pip.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_it_installs_itself_on_a_machine_that_has_nothing(good: tuple[Machine, Job]) -> None:
    ((command, *_, package),) = pip(good[0])
    assert (command, good[1].status) == ("install", "success")
    assert (Path(package) / "pyproject.toml").is_file()


def test_it_installs_itself_with_an_extra(machine: Machine) -> None:
    assert planned(machine, install="self[local]").codes["Install dtbench"] == 0
    ((command, *_, package),) = pip(machine)
    assert command == "install"
    assert package.endswith("[local]")
    assert (Path(package.removesuffix("[local]")) / "pyproject.toml").is_file()


def test_a_default_cannot_know_where_the_action_lies(machine: Machine, tmp_path: Path) -> None:
    """Why `install` is not github.action_path: the runner fills in defaults before the first step of the action."""
    step = {"id": "say", "shell": "bash", "env": {"P": "${{ inputs.where }}${{ github.action_path }}"}}
    action: dict[str, Any] = {
        "inputs": {"where": {"default": "<${{ github.action_path }}>"}},
        "outputs": {"said": {"value": "${{ steps.say.outputs.p }}"}},
        "runs": {"steps": [{**step, "run": 'echo "p=$P" >> "$GITHUB_OUTPUT"'}]},
    }
    (tmp_path / "action.yml").write_text(yaml.safe_dump(action))
    assert act(machine, {}, tmp_path).outputs["said"] == f"<>{tmp_path}"


def test_what_is_there_is_not_installed_and_another_package_is(machine: Machine) -> None:
    planned(machine)
    assert pip(machine) == []
    planned(machine, install="dtbench==1.0")
    assert pip(machine) == [["install", "--quiet", "dtbench==1.0"]]


def test_a_failed_installation_is_in_the_summary(machine: Machine) -> None:
    machine.environment = {"PIP_ENDS_WITH": "1"}
    job = acted(machine, model=PERFECT, install="self")
    assert job.summary.startswith("## dtbench gate: no verdict")
    assert job.outputs["sentence"] == "No verdict: the installation of dtbench failed; the job's log says why."


def test_options_go_over_lines_and_have_spaces_and_quotes_in_them(machine: Machine) -> None:
    options = """--system 'Say "yes", or no: $(date)'\n  --seed 3 \\\n  --answer think\n --limit 2"""
    listed = '["--system", "Say \\"yes\\", or no: $(date)", "--seed", 3, "--answer", "think", "--limit", 2]'
    assert words("options", listed) == words("options", options)
    job = acted(machine, model=STUBBORN, options=options)
    request = json.loads((machine.workspace / job.outputs["run"] / "run.json").read_text())["request"]
    assert (request["system"], request["seed"], request["answer"]) == ('Say "yes", or no: $(date)', 3, "think")


def test_options_as_a_json_list_arrive_too(machine: Machine) -> None:
    listed = '["--seed", 3, "--limit", 2]'
    job = acted(machine, model=STUBBORN, options=listed)
    request = json.loads((machine.workspace / job.outputs["run"] / "run.json").read_text())["request"]
    assert (request["seed"], request["limit"]) == (3, 2)


def test_a_setting_that_is_json_arrives_as_it_was_written(machine: Machine) -> None:
    with chatting() as server:
        job = acted(machine, model=server.url, options='--limit 2\n-M extra=\'{"a": [1, "b c"]}\'\n')
    assert job.codes["Run the candidate"] == 0
    request = json.loads((machine.workspace / job.outputs["run"] / "run.json").read_text())["request"]
    assert json.loads(request["model_options"]["extra"]) == {"a": [1, "b c"]}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"options": "--system 'no end"}, "options: No closing quotation"),
        ({"options": "[1, "}, "options: this begins as a JSON list and is none"),
        ({"options": "[true]"}, "options: a JSON list of texts and numbers is expected"),
        ({"renew": "always"}, "renew: 'always' is not known; never or passed is expected."),
        ({"renew": "passed", "history": "nights"}, "both need a baseline that stays"),
        ({"history": "nights", "out": "elsewhere"}, "which it is to join"),
        ({"until": "decided", "options": "--seed 1"}, "leave options and ids out"),
        ({"model": ""}, "model is missing"),
        ({"baseline": "nowhere"}, "baseline: nowhere has no run."),
    ],
)
def test_inputs_that_cannot_be_meant_end_before_the_run(machine: Machine, given: dict[str, str], said: str) -> None:
    job = acted(machine, **{"model": "first", **given})
    assert 2 in job.codes.values()
    assert "Run the candidate" not in job.codes
    assert said in job.summary
    assert "ended with exit code 2 (wrong input)." in job.summary


def test_a_disk_that_fails_is_no_regression(machine: Machine) -> None:
    (machine.workspace / "dtbench-gate").write_text("a file where the verdict is to lie")
    job = acted(machine, model="echo-gold")
    assert (job.status, job.codes["Gate"]) == ("failure", 3)
    assert "No verdict: the gate ended with exit code 3 (a failure of network, disk or engine" in job.summary
    assert "NotADirectoryError" in job.outputs["sentence"]


def test_a_step_that_fails_of_itself_is_no_regression(machine: Machine) -> None:
    (machine.workspace / "base.new").write_text("in the way of the next baseline")
    job = acted(machine, model=PERFECT, renew="passed")
    assert (job.codes["Gate"], job.codes["Renew the baseline"]) == (0, 3)
    assert "FileExistsError" in job.printed


def test_the_nights_of_a_history_are_not_compared_with_a_pull_request(machine: Machine) -> None:
    machine.event = "pull_request"
    assert "leave history out there" in acted(machine, model=STUBBORN, history="nights").summary


def test_artifacts_of_a_matrix_and_of_attempts_have_names_of_their_own(machine: Machine) -> None:
    names = []
    for index, attempt in ((0, 1), (1, 1), (0, 2)):
        machine.strategy, machine.attempt = {"job-index": index, "job-total": 2}, attempt
        names.append(planned(machine).outputs["artifact"])
    assert names == ["dtbench-gate-gate-0-1", "dtbench-gate-gate-1-1", "dtbench-gate-gate-0-2"]
    job = planned(machine, out="a/second", artifact="")
    assert job.outputs["artifact"] == "dtbench-gate-gate-0-2-a-second"
    assert planned(machine, artifact="mine").outputs["artifact"] == "mine"


def test_a_policy_and_groups_and_a_verdict_for_the_undecided_go_to_the_gate(machine: Machine) -> None:
    (machine.workspace / "gate.toml").write_text("[mmar]\nmax_drop = 2.0\n")
    job = acted(machine, model=PERFECT, policy="gate.toml", max_drop="", gate_options="--group modality=sound")
    results = json.loads(written(machine, job, "gate.json"))["results"]
    assert [(one["group"], one["max_drop"]) for one in results] == [
        (None, 0.02),
        ("modality=sound", results[1]["max_drop"]),
    ]


def test_a_candidate_is_asked_in_rounds_until_the_verdict_stands(machine: Machine) -> None:
    job = acted(machine, model=PERFECT, until="decided")
    about = json.loads(written(machine, job, "gate.json"))
    assert (job.outputs["verdict"], "Run the candidate" in job.codes) == ("passed", False)
    assert about["asked"] < about["of"]
    machine.attempt = 2
    assert acted(machine, model=PERFECT, until="decided").outputs["verdict"] == "passed"


def test_a_task_of_ones_own_is_a_file(machine: Machine) -> None:
    (machine.workspace / "mine.py").write_text(
        "from pathlib import Path\nfrom dtbench import Sample, Task\n\n\nclass Mine(Task):\n    name = 'mine'\n\n"
        "    def samples(self, data_dir):\n"
        "        for number in range(60):\n"
        "            yield Sample(str(number), 'What?', ('a', 'b'), answer='a', audio=Path(f'{number}.wav'))\n"
    )
    job = acted(
        machine,
        model=STUBBORN,
        tasks="",
        task_file="mine.py",
        baseline="own",
        baseline_model="first",
        data_dir="",
        max_drop="10",
    )
    assert job.printed.count("error: ") == 0, job.printed
    assert job.outputs["verdict"] == "passed"


def test_a_baseline_is_made_once_and_stays_and_a_run_without_out_lies_in_the_history(machine: Machine) -> None:
    given = {"baseline": "anchor", "baseline_model": "first", "baseline_options": "--samples 2", "history": "nights"}
    first = acted(machine, model=STUBBORN, **given)
    assert "There was no baseline in anchor: first was run for it." in first.summary
    assert folders_of_runs(machine) == {"base", "anchor", "nights/7-gate-0"}
    made = (machine.workspace / "anchor" / "run.json").read_text()
    assert json.loads(made)["request"]["samples"] == 2
    second = acted(machine, **{**given, "model": "none-such"})
    assert second.codes["Run the candidate"] == 2
    assert "There was no baseline" not in second.summary
    assert (machine.workspace / "anchor" / "run.json").read_text() == made


def test_a_baseline_is_renewed_where_that_is_asked_for_and_the_candidate_passed(machine: Machine) -> None:
    job = acted(machine, model=PERFECT, renew="passed", options="--seed 5")
    assert seed_of_the_baseline(machine) == 5
    assert "0.3 points a night" in job.summary
    assert "::warning::" in job.printed


@pytest.mark.parametrize("name", ["good", "worse"])
def test_a_baseline_stays_where_nobody_asked_for_another_or_the_candidate_did_not_pass(
    request: pytest.FixtureRequest, name: str
) -> None:
    machine, job = request.getfixturevalue(name)
    assert seed_of_the_baseline(machine) == 0
    assert "0.3 points a night" not in job.summary
    assert "::warning::" not in job.printed


def test_no_input_is_pasted_into_a_script() -> None:
    action: Any = yaml.safe_load((ROOT / "action.yml").read_text())
    assert not [step["name"] for step in action["runs"]["steps"] if "${{" in step.get("run", "")]


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_a_step_executes_needs_nothing_installed(name: str) -> None:
    tree = ast.parse((ROOT / "harness" / "compare" / name).read_text())
    imports = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imports += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert {one.partition(".")[0] for one in imports} <= set(sys.stdlib_module_names)


def folders_of_runs(machine: Machine) -> set[str]:
    return {str(path.parent.relative_to(machine.workspace)) for path in machine.workspace.rglob("run.json")}


def test_the_run_of_the_candidate_lies_in_a_folder_of_its_job(good: tuple[Machine, Job]) -> None:
    assert good[1].outputs["run"] == "candidate/7-gate-0"
    assert folders_of_runs(good[0]) == {"base", "candidate/7-gate-0"}


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ({"out": "mine/run"}, "mine/run"),
        ({"history": "nights", "out": "nights/monday", "max_drop": "25"}, "nights/monday"),
    ],
    ids=["out", "both"],
)
def test_the_run_of_the_candidate_lies_where_out_says(machine: Machine, given: dict[str, str], folder: str) -> None:
    job = acted(machine, model=PERFECT, **given)
    assert (job.status, job.outputs["run"]) == ("success", folder)
    assert folders_of_runs(machine) == {"base", folder}
