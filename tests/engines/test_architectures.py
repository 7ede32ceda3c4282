"""A tiny checkpoint of each true architecture: vLLM, transformers and the local backend give the same answers.

With DTBENCH_ALL_ARCHITECTURES=1 all of the catalogue, else those that are always tried.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from called_birds import TASK, call, write_birds
from command import process
from engines import apart, need, write_checkpoints
from runs import assert_each_once, records, status
from sounds import encoded
from tiny_checkpoints.catalogue import TINY

pytestmark = pytest.mark.engine

ALL = os.environ.get("DTBENCH_ALL_ARCHITECTURES") == "1"
CHOSEN = [name for name, tiny in TINY.items() if ALL or tiny.always]
SECONDS = (1.0, 0.6, 2.0, 3.3, 1.0, 0.45, 5.0, 1.7)
"""Of the clips: whole and broken seconds, and several in one batch that are not as long as each other."""
TOKENS = "12"


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("birds")
    write_birds(folder, [encoded(call(number, seconds), 16000).data for number, seconds in enumerate(SECONDS)])
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A folder of each architecture that is tried, all written by one process."""
    need("transformers")
    top = tmp_path_factory.mktemp("architectures")
    folders = {name: top / f"tiny-{name}" for name in CHOSEN}
    write_checkpoints(folders)
    return folders


@pytest.mark.parametrize("name", CHOSEN)
def test_vllm_transformers_and_the_local_backend_agree(
    checkpoints: Mapping[str, Path], birds: Path, tmp_path: Path, name: str
) -> None:
    tiny = TINY[name]
    if tiny.vllm is not None:
        need("vllm")
    engines = asked(name, checkpoints[name], birds, tmp_path / "engines.json")
    computed = engines["transformers"]
    assert len({tuple(one["tokens"]) for one in computed}) > 1  # it listens
    assert answers(checkpoints[name], birds, tmp_path / "out") == [
        (one["text"], len(one["read"]), len(one["tokens"])) for one in computed
    ]
    assert ("vllm" in engines) is (tiny.vllm is not None)
    for seconds, one, other in zip(SECONDS, engines.get("vllm", computed), computed, strict=True):
        if seconds in tiny.apart:
            assert one["read"] != other["read"]
            continue
        assert one["read"] == other["read"]
        assert (one["tokens"], one["text"]) == (other["tokens"], other["text"])
        assert one["logprobs"] == pytest.approx(other["logprobs"], abs=tiny.tolerance)


def asked(name: str, checkpoint: Path, birds: Path, out: Path) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """What each engine read and wrote."""
    apart("parity", name, checkpoint, birds, out)
    engines: Mapping[str, Sequence[Mapping[str, Any]]] = json.loads(out.read_text())
    return engines


def answers(checkpoint: Path, birds: Path, out: Path) -> Sequence[tuple[str, int, int]]:
    """Text and tokens of each answer of a run with transformers that was scored to its end."""
    greedy = ("-M", "temperature=0", "-M", f"max_tokens={TOKENS}", "-M", "dtype=float32")
    where = ("--task-file", TASK, "--data-dir", birds, "--out", out)
    done = process("run", "--model", checkpoint, "--backend", "local", *where, *greedy, OMP_NUM_THREADS="1")
    assert done.code == 0, done.err
    ids = [f"call-{number}" for number in range(len(SECONDS))]
    assert_each_once(out, ids, task="birds")
    assert status(out) == "done"
    found = {record["id"]: record for record in records(out, "birds")}
    assert all("score" in record for record in found.values())
    replies = [found[id_]["response"] for id_ in ids]
    return [(one["text"], one["usage"]["prompt_tokens"], one["usage"]["completion_tokens"]) for one in replies]
