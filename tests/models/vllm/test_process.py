"""What an engine that is started here gets: its environment, and how many requests at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.store.known_secrets import MASK
from dtbench.harness.store.redact import mask_text
from dtbench.models.vllm.process import Launch, VllmProcess, requests_at_once, vllm_environment

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VLLM_HOST_IP", *OFFLINE):
        monkeypatch.delenv(name, raising=False)


def test_an_engine_stays_on_this_machine_and_a_folder_offline() -> None:
    folder, hub = vllm_environment(local=True), vllm_environment(local=False)
    assert folder["VLLM_HOST_IP"] == hub["VLLM_HOST_IP"] == "127.0.0.1"
    assert [folder.get(name) for name in OFFLINE] == ["1"] * 3
    assert [hub.get(name) for name in OFFLINE] == [None] * 3


def test_the_address_of_the_user_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_HOST_IP", "10.0.0.7")
    assert vllm_environment(local=True)["VLLM_HOST_IP"] == "10.0.0.7"


@pytest.mark.parametrize("name", OFFLINE)
def test_whoever_decides_on_offline_mode_decides_on_all_of_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "0")
    environment = vllm_environment(local=True)
    assert [environment.get(one) for one in OFFLINE] == ["0" if one == name else None for one in OFFLINE]


@pytest.mark.parametrize(
    ("flags", "requests"),
    [
        ({}, 64),
        ({"data_parallel_size": "8"}, 512),
        ({"max_num_seqs": "16"}, 16),
        ({"max_num_seqs": "256", "data_parallel_size": "2"}, 128),
        ({"data_parallel_size": "many", "max_num_seqs": True}, 64),
    ],
)
def test_an_engine_gets_as_many_requests_as_keep_it_busy(flags: Mapping[str, str | bool], requests: int) -> None:
    assert requests_at_once(flags) == requests


async def started(executable: Path, log_of: str) -> tuple[VllmProcess, Mapping[str, str], str]:
    """A process that ends at once, the environment that it got, and its command line."""
    process = VllmProcess(Launch("bird", {}, vllm_environment(local=True), 60.0), str(executable))
    with pytest.raises(MachineryError, match=r"vLLM exited during start-up \(exit 7\)"):
        await process.start(lambda line: None)
    environment, arguments = process.log.read_text().split(log_of)
    process.log.unlink()
    return process, dict(line.partition("=")[::2] for line in environment.splitlines()), arguments


def test_an_engine_listens_on_loopback_with_a_key_of_its_own_that_no_command_line_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "a key of the user")
    monkeypatch.setenv("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "1")
    executable = tmp_path / "vllm"
    executable.write_text('#!/bin/sh\nenv\necho ARGUMENTS "$@"\nexit 7\n')
    executable.chmod(0o755)
    keys = set()
    for _ in range(2):
        process, environment, arguments = asyncio.run(started(executable, "ARGUMENTS"))
        key = environment["VLLM_API_KEY"]
        assert process.access.headers == {"authorization": f"Bearer {key}"}
        assert (len(key) >= 43, key in arguments, mask_text(f"with {key}")) == (True, False, f"with {MASK}")
        assert f"--host 127.0.0.1 --port {process.address.port}" in arguments
        assert environment["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == environment["VLLM_SERVER_DEV_MODE"] == "0"
        keys.add(key)
    assert len(keys) == 2
