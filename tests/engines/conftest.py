"""What the engine tests share: tiny checkpoints, a server of vLLM, the demo; and the rule that CI skips no file."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from engines import Demo, apart, demo_in, need, write_checkpoints
from required import failed_if_skipped
from tiny_checkpoints.catalogue import TINY, TRIED
from vllm_process import Server, serving


@pytest.fixture(scope="session")
def tiny_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A folder of random weights of each architecture that is tried: to be read alone, as all workers share it."""
    need("transformers")
    base = tmp_path_factory.getbasetemp()
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tiny-checkpoints"
    home.mkdir(exist_ok=True)
    folders = {name: home / f"tiny-{name}" for name in TRIED if TINY[name].is_there}
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "written").exists():
            write_checkpoints(folders)
            (home / "written").touch()
    return folders


@pytest.fixture(scope="session")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What all probes found that load the model in the box: one process for the tests of all workers."""
    need("transformers")
    base = tmp_path_factory.getbasetemp()
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "probed"
    home.mkdir(exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "found.json").exists():
            (home / "found.json").write_text(apart("probed_apart", home))
    return json.loads((home / "found.json").read_text())


@pytest.fixture(scope="session")
def tiny_qwen2_audio(tiny_checkpoints: Mapping[str, Path]) -> Path:
    """A folder with a Qwen2-Audio checkpoint of random weights."""
    return tiny_checkpoints["qwen2-audio"]


@pytest.fixture(scope="session")
def vllm_server(tiny_qwen2_audio: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The tiny checkpoint behind `vllm serve`, once for all tests."""
    need("vllm")
    with serving(tiny_qwen2_audio, tmp_path_factory.mktemp("vllm") / "server.log") as server:
        yield server


@pytest.fixture(scope="session")
def first_demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """`dtbench demo` in an empty folder, once for all tests."""
    need("transformers")
    return demo_in(tmp_path_factory.mktemp("stranger"))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Where engines are required, a file of tests that skips itself has failed."""
    report = yield
    failed_if_skipped(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a table of the architectures that were run, where any was."""
    passed = [("passed", one) for one in terminalreporter.getreports("passed")]
    failed = [("FAILED", one) for one in terminalreporter.getreports("failed")]
    rows = [
        (ended, *told)
        for ended, report in (*passed, *failed)
        if getattr(report, "when", None) == "call"
        for name, told in report.user_properties
        if name == "architecture"
    ]
    if not rows:
        return
    head = ("", "architecture", "vLLM", "local", "log-probability", "what was run")
    widths = [max(len(str(row[column])) for row in (head, *rows)) for column in range(len(head))]
    terminalreporter.section("architectures: answers equal to transformers' own, in vLLM and with --backend local")
    for row in (head, *rows):
        line = "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
        terminalreporter.write_line(line.rstrip())
