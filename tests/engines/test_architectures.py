"""A tiny checkpoint of each true architecture: vLLM, transformers and the local backend give the same answers.

With DTBENCH_WHOLE=1 all of the catalogue, else those that are always tried.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from called_birds import TASK, call, write_birds
from command import Done
from engines import apart, need
from runs import assert_each_once, records, status
from sounds import encoded
from tiny_checkpoints.catalogue import TINY, TRIED

pytestmark = pytest.mark.engine

SECONDS = (1.0, 0.6, 2.0, 3.3, 1.0, 0.45, 5.0, 1.7)
"""Of the clips: whole and broken seconds, and several in one batch that are not as long as each other."""
GREEDY = ("-M", "temperature=0", "-M", "max_tokens=12", "-M", "dtype=float32")


class Asked(NamedTuple):
    """Where all that was asked lies: each engine in a process with its heavy imports, shared by all architectures."""

    parity: Path
    """The answers of plain transformers and vLLM."""
    runs: Path
    """A run with the local backend for each architecture."""
    ends: Mapping[str, Done]
    """How they ended."""


@pytest.fixture(scope="module")
def asked(tiny_checkpoints: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Asked:
    if any(TINY[name].vllm is not None for name in TRIED):
        need("vllm")
    birds, folder = tmp_path_factory.mktemp("birds"), tmp_path_factory.mktemp("architectures")
    write_birds(birds, [encoded(call(number, seconds), 16000).data for number, seconds in enumerate(SECONDS)])
    (folder / "parity").mkdir()
    apart("parity", birds, folder / "parity", *(word for name in TRIED for word in (name, tiny_checkpoints[name])))
    where = ("--backend", "local", "--task-file", str(TASK), "--data-dir", str(birds), *GREEDY)
    commands = [
        ["run", "--model", str(tiny_checkpoints[name]), *where, "--out", str(folder / "runs" / name)] for name in TRIED
    ]
    ended = [Done(*one) for one in json.loads(apart("calls", given=json.dumps(commands)))]
    return Asked(folder / "parity", folder / "runs", dict(zip(TRIED, ended, strict=True)))


@pytest.mark.parametrize("name", TRIED)
def test_vllm_transformers_and_the_local_backend_agree(asked: Asked, name: str) -> None:
    tiny = TINY[name]
    computed = written(asked.parity / f"{name}.transformers")
    assert len({tuple(one["tokens"]) for one in computed}) > 1  # it listens
    assert answers(asked, name) == [(one["text"], len(one["read"]), len(one["tokens"])) for one in computed]
    served = computed if tiny.vllm is None else written(asked.parity / f"{name}.vllm")
    for seconds, one, other in zip(SECONDS, served, computed, strict=True):
        if seconds in tiny.apart:
            assert one["read"] != other["read"]
            continue
        assert one["read"] == other["read"]
        assert (one["tokens"], one["text"]) == (other["tokens"], other["text"])
        assert one["logprobs"] == pytest.approx(other["logprobs"], abs=tiny.tolerance)


def written(place: Path) -> Sequence[Mapping[str, Any]]:
    """What an engine read and wrote."""
    answers = place.with_name(f"{place.name}.json")
    assert answers.exists(), place.with_name(f"{place.name}.log").read_text()[-3000:]
    told: Sequence[Mapping[str, Any]] = json.loads(answers.read_text())
    return told


def answers(asked: Asked, name: str) -> Sequence[tuple[str, int, int]]:
    """Text and tokens of each answer of a run with transformers that was scored to its end."""
    out = asked.runs / name
    assert asked.ends[name].code == 0, asked.ends[name].err
    ids = [f"call-{number}" for number in range(len(SECONDS))]
    assert_each_once(out, ids, task="birds")
    assert status(out) == "done"
    found = {record["id"]: record for record in records(out, "birds")}
    assert all("score" in record for record in found.values())
    replies = [found[id_]["response"] for id_ in ids]
    return [(one["text"], one["usage"]["prompt_tokens"], one["usage"]["completion_tokens"]) for one in replies]
