"""What an engine that is started here gets: its environment, and how many requests at once."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dtbench.models.vllm.process import requests_at_once, vllm_environment

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
