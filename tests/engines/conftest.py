"""What the engine tests share: a tiny checkpoint, a real vLLM server, and the rule that CI skips no file of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from engines import need, tiny_checkpoint
from required import failed_if_skipped
from vllm_process import Server, serving


@pytest.fixture(scope="session")
def tiny_qwen2_audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Qwen2-Audio checkpoint of random weights."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny-qwen2-audio"
    return tiny_checkpoint("qwen2-audio", folder)


@pytest.fixture(scope="session")
def vllm_server(tiny_qwen2_audio: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The tiny checkpoint behind `vllm serve`, once for all tests."""
    need("vllm")
    with serving(tiny_qwen2_audio, tmp_path_factory.mktemp("vllm") / "server.log") as server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Where engines are required, a file of tests that skips itself has failed."""
    report = yield
    failed_if_skipped(report)
    return report
