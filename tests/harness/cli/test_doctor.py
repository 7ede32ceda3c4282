"""`dtbench doctor`: what it finds here, where nearly everything is missing, and where something is broken."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from command import call, process

import dtbench
from dtbench.harness.core.installed import clone_folder, install_command
from dtbench.harness.doctor.packages import ALL_EXTRAS, CORE
from dtbench.tasks.registry import TASKS

SOURCE = Path(dtbench.__file__).parent.parent
NEEDED_TO_START = ("typer", "shellingham", "annotated-doc", "typing-extensions")
Findings = Mapping[str, Mapping[str, Any]]


class Examined(NamedTuple):
    """What a doctor's call left behind."""

    code: int
    ok: bool
    findings: Findings


def examined(done: subprocess.CompletedProcess[str]) -> Examined:
    assert done.stderr == ""
    report = json.loads(done.stdout)
    return Examined(done.returncode, report["ok"], {one["name"]: one for one in report["findings"]})


@pytest.fixture
def stripped(tmp_path: Path) -> Path:
    """A folder of packages with nothing but what a command needs to start."""
    folder = tmp_path / "site"
    folder.mkdir()
    for name in NEEDED_TO_START:
        for file in top_level(name):
            (folder / file.name).symlink_to(file)
    return folder


def top_level(name: str) -> Iterator[Path]:
    """The files and folders of a package in site-packages, its metadata among them."""
    distribution = importlib.metadata.distribution(name)
    tops = {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}
    return (Path(str(distribution.locate_file(top))) for top in tops - {"__pycache__"})


def examine(packages: Path, cwd: Path, **environment: str) -> Examined:
    """What the doctor says of an environment of these packages alone."""
    code = "from dtbench.harness.cli.main import main; main()"
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("_KEY", "_TOKEN"))}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, "doctor", "--json"],
        cwd=cwd,
        env={**kept, "PYTHONPATH": f"{SOURCE}{os.pathsep}{packages}", "HOME": str(cwd), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return examined(done)


def write_metadata(folder: Path, name: str, version: str, *requirements: str) -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    needs = "".join(f"Requires-Dist: {one}\n" for one in requirements)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")


def test_here_nothing_is_broken_and_every_section_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("doctor")
    assert (done.code, done.err) == (0, "")
    for heading in ("Installed", "Extras", "Works here", "Data sets", "Keys"):
        assert f"\n{heading}\n" in done.out
    assert done.out.splitlines()[-1] == "all is well; a first score: dtbench demo"
    assert list(tmp_path.iterdir()) == [], "it looks and changes nothing"


def test_json_has_every_package_extra_benchmark_and_key_of_the_page() -> None:
    report = json.loads(call("doctor", "--json").out)
    names = {one["name"] for one in report["findings"]}
    assert names >= {"python", "dtbench", *(one.name for one in CORE), *(one.name for one in ALL_EXTRAS), *TASKS}
    assert names >= {"GPU", "audio", "ports", "DTBENCH_API_KEY", "HF_TOKEN"}
    assert {one["state"] for one in report["findings"]} <= {"ok", "missing", "broken"}


def test_in_a_stripped_environment_it_says_what_to_install_and_exits_3(stripped: Path, tmp_path: Path) -> None:
    code, ok, findings = examine(stripped, tmp_path)
    assert (code, ok) == (3, False)
    assert findings["typer"]["state"] == "ok"
    for name in ("numpy", "msgspec", "pyarrow", "soundfile"):
        assert findings[name]["state"] == "broken", name
        assert findings[name]["detail"] == "not installed, and every command needs it"
        assert findings[name]["fix"].startswith("pip install ")
    for name in ("local", "vllm", "aac", "lm-eval", "train"):
        assert findings[name]["state"] == "missing", name
        assert findings[name]["fix"] == f"pip install '{clone_folder()}[{name}]'"
    assert findings["audio"]["state"] == "broken"
    assert "ModuleNotFoundError" in findings["audio"]["detail"]


def test_metadata_without_the_module_and_a_version_that_is_too_old_are_broken(stripped: Path, tmp_path: Path) -> None:
    write_metadata(stripped, "torch", "2.9.1+cpu")
    write_metadata(stripped, "peft", "0.1.5")
    (stripped / "peft.py").write_text("")
    write_metadata(stripped, "safetensors", "0.6")
    (stripped / "safetensors.py").write_text("")
    write_metadata(stripped, "dtbench", "0.1.0", 'peft>=0.20; extra == "train"', 'safetensors>=0.5; extra == "train"')
    findings = examine(stripped, tmp_path).findings
    assert findings["local"]["state"] == "broken"
    assert "torch 2.9.1+cpu, but there is no module torch" in findings["local"]["detail"]
    assert findings["train"]["state"] == "broken"
    assert findings["train"]["detail"] == "peft 0.1.5, but >=0.20 is needed, safetensors 0.6"


def test_of_keys_only_the_names_are_told() -> None:
    done = process("doctor", "--json", DTBENCH_API_KEY="sk-very-secret", HF_TOKEN="")
    assert "sk-very-secret" not in done.out + done.err
    states = {one["name"]: one["detail"] for one in json.loads(done.out)["findings"] if one["section"] == "Keys"}
    assert (states["DTBENCH_API_KEY"], states["HF_TOKEN"]) == ("set", "not set")


def test_data_sets_are_found_where_the_variable_says(tmp_path: Path) -> None:
    (tmp_path / "mmar").mkdir()
    (tmp_path / "mmar" / "MMAR-meta.jsonl").write_text("no JSON\n")
    report = json.loads(process("doctor", "--json", DTBENCH_DATA=str(tmp_path)).out)
    findings = {one["name"]: one for one in report["findings"]}
    assert findings["data folder"]["detail"] == str(tmp_path)
    assert findings["mmar"]["state"] == "broken"
    assert "MMAR-meta.jsonl" in findings["mmar"]["detail"]
    assert (findings["mmsu"]["state"], findings["mmsu"]["fix"]) == ("missing", "dtbench data pull mmsu")


def test_a_hidden_gpu_is_told_apart_from_none() -> None:
    report = json.loads(process("doctor", "--json", CUDA_VISIBLE_DEVICES="").out)
    (gpu,) = (one for one in report["findings"] if one["name"] == "GPU")
    assert (gpu["state"], gpu["detail"]) == ("missing", "hidden by CUDA_VISIBLE_DEVICES")


def test_a_gpu_whose_driver_fails_is_broken(tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'Failed to initialize NVML: Driver/library version mismatch'\nexit 18\n")
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = process("doctor", "--json", PATH=path, CUDA_VISIBLE_DEVICES="0")
    (gpu,) = (one for one in json.loads(done.out)["findings"] if one["name"] == "GPU")
    assert (done.code, gpu["state"]) == (3, "broken")
    assert gpu["detail"].endswith("Driver/library version mismatch")


def test_a_gpu_is_told_with_its_memory(tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H200, 143771 MiB'\necho 'NVIDIA H200, 143771 MiB'\n")
    program.chmod(0o755)
    done = process("doctor", "--json", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}", CUDA_VISIBLE_DEVICES="0,1")
    (gpu,) = (one for one in json.loads(done.out)["findings"] if one["name"] == "GPU")
    assert (gpu["state"], gpu["detail"]) == ("ok", "NVIDIA H200, 143771 MiB; NVIDIA H200, 143771 MiB")


def test_what_to_install_depends_on_where_this_dtbench_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = clone_folder()
    assert clone is not None
    monkeypatch.chdir(tmp_path)
    assert install_command("local") == f"pip install '{clone}[local]'"
    monkeypatch.chdir(clone)
    assert install_command("local") == "pip install '.[local]'"


def test_an_installed_package_names_itself(tmp_path: Path) -> None:
    place = tmp_path / "dtbench" / "harness" / "core"
    place.mkdir(parents=True)
    text = (SOURCE / "dtbench" / "harness" / "core" / "installed.py").read_text()
    (place / "installed.py").write_text(text)
    code = "import runpy, sys; print(runpy.run_path(sys.argv[1])['install_command']('local'))"
    done = subprocess.run([sys.executable, "-c", code, place / "installed.py"], capture_output=True, check=True)
    assert done.stdout.decode() == "pip install 'dtbench[local]'\n"


def test_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys; sys.argv = ['dtbench', 'doctor', '--json']\n"
        "from dtbench.harness.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n"
        "    print(*({'torch', 'vllm', 'transformers', 'lm_eval', 'datasets'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""
