"""`dtbench run` as a process, with clips as they are published, against a real vLLM server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import pytest
from called_birds import TASK, call, calls, write_birds
from command import process
from runs import assert_each_once, records
from sounds import encoded
from vllm_process import Server

from dtbench.harness.store.run_folder import StoredRun

pytestmark = pytest.mark.engine

LENGTH = ("-M", "max_tokens=12", "-M", 'extra={"ignore_eos":true}')


def run(server: Server, data: Path, out: Path, *options: str, temperature: int = 0) -> Mapping[str, Any]:
    """A run that ends well; its records by `id/repeat`."""
    sampling = (*LENGTH, "-M", f"temperature={temperature}")
    asked = ("--model", server.url, "--task-file", TASK, "--data-dir", data, "--out", out)
    done = process("run", *asked, *sampling, *options)
    assert done.code == 0, done.err
    found = {f"{record['id']}/{record['sample']}": record for record in records(out, "birds")}
    assert not [record["error"] for record in found.values() if "error" in record]
    return found


def texts(found: Mapping[str, Any]) -> Mapping[str, str]:
    return {id_: record["response"]["text"] for id_, record in found.items()}


@pytest.fixture(scope="session")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten clips of as many sounds, all at the model's rate."""
    folder = tmp_path_factory.mktemp("birds")
    write_birds(folder, calls(10))
    return folder


@pytest.fixture(scope="session")
def plain(vllm_server: Server, birds: Path) -> Mapping[str, Any]:
    """The answers of a run with nothing special."""
    return run(vllm_server, birds, birds / "plain")


def test_clips_of_many_forms_are_heard_and_scored(vllm_server: Server, tmp_path: Path) -> None:
    forms = [
        encoded(call(1), 16000),
        encoded(numpy.stack([call(2, rate=44100)] * 2, axis=1), 44100),
        encoded(call(3, rate=48000), 48000, "FLAC"),
        encoded(call(4, rate=22050), 22050, "OGG"),
        encoded(call(5, rate=44100), 44100, "MP3"),
        encoded(numpy.stack([call(6, rate=32000)] * 6, axis=1), 32000, "WAV", "FLOAT"),
        encoded(call(7, rate=8000), 8000, "WAV", "ULAW"),
    ]
    ids = write_birds(tmp_path / "data", [form.data for form in forms])
    found = run(vllm_server, tmp_path / "data", tmp_path / "out")
    assert_each_once(tmp_path / "out", ids, task="birds")
    heard = [(found[f"{id_}/0"]["audio"]["rate"], found[f"{id_}/0"]["audio"]["channels"]) for id_ in ids]
    assert heard == [(16000, 1), (44100, 2), (48000, 1), (22050, 1), (44100, 1), (32000, 6), (8000, 1)]
    assert all(record["response"]["usage"]["completion_tokens"] == 12 for record in found.values())
    told = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (told["status"], told["tasks"][0]["n"], told["tasks"][0]["failed"]) == ("done", len(forms), 0)


@pytest.mark.parametrize("concurrency", ["1", "5", "32"])
def test_answers_are_the_same_again_and_with_any_number_in_flight(
    vllm_server: Server, birds: Path, plain: Mapping[str, Any], tmp_path: Path, concurrency: str
) -> None:
    again = run(vllm_server, birds, tmp_path / "out", "--concurrency", concurrency)
    assert texts(again) == texts(plain)


def test_the_model_listens(vllm_server: Server, birds: Path, plain: Mapping[str, Any], tmp_path: Path) -> None:
    unheard = run(vllm_server, birds, tmp_path / "out", "--audio", "silence")
    assert unheard.keys() == plain.keys()
    assert all(unheard[id_]["response"]["usage"] == plain[id_]["response"]["usage"] for id_ in plain)
    assert all(texts(unheard)[id_] != text for id_, text in texts(plain).items())


def test_the_record_has_the_version_of_vllm_and_the_name_of_the_model(birds: Path, plain: Mapping[str, Any]) -> None:
    from importlib.metadata import version

    info = StoredRun.open(birds / "plain").info
    assert info["model"]["model"] == "tiny"
    assert version("vllm").startswith(info["endpoint"]["version"])


def test_a_clip_as_a_data_url_is_the_same_clip(
    vllm_server: Server, birds: Path, plain: Mapping[str, Any], tmp_path: Path
) -> None:
    by_url = run(vllm_server, birds, tmp_path / "out", "-M", "audio_part=audio_url")
    assert texts(by_url) == texts(plain)
    assert StoredRun.open(tmp_path / "out").info["model"]["audio_part"] == "audio_url"


def test_a_long_clip_is_cut_and_counted_and_what_is_left_is_heard(vllm_server: Server, tmp_path: Path) -> None:
    long = call(11, seconds=40.0)
    short = [encoded(long[: 16000 * seconds], 16000).data for seconds in (2, 30)]
    write_birds(tmp_path / "whole", [encoded(long, 16000).data] * 2)
    write_birds(tmp_path / "short", short)
    for limit, place in (("2", "call-0/0"), ("30", "call-1/0")):
        out = tmp_path / f"cut at {limit}"
        cut = run(vllm_server, tmp_path / "whole", out, "-M", f"limit_seconds={limit}")
        alike = run(vllm_server, tmp_path / "short", tmp_path / f"short {limit}")
        assert (cut[place]["audio"]["rule"], cut[place]["audio"]["seconds"]) == ("cut", 40.0)
        assert texts(cut)[place] == texts(alike)[place]
        assert cut[place]["response"]["usage"] == alike[place]["response"]["usage"]
        assert json.loads((out / "summary.json").read_text())["tasks"][0]["clips"] == {"cut": 2}


def test_seeds_and_repeats_reach_the_server(vllm_server: Server, tmp_path: Path) -> None:
    write_birds(tmp_path / "data", calls(2))
    options = ("--samples", "3", "-M", "n=1")
    first, again, other = (
        texts(run(vllm_server, tmp_path / "data", tmp_path / name, *options, "--seed", seed, temperature=1))
        for name, seed in (("first", "5"), ("again", "5"), ("other", "6"))
    )
    assert len(first) == 6 == len(set(first.values()))
    assert first == again
    assert all(other[id_] != text for id_, text in first.items())
