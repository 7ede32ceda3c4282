"""A tiny checkpoint of each true architecture: vLLM, transformers and the local backend give the same answers.

With DTBENCH_WHOLE=1 all of the catalogue, which is `make architectures`; else those that are always tried: the three
Qwen families, and Granite Speech for all that have another shape. A table of what was found ends the run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from called_birds import TASK, call, write_birds
from command import Done
from engines import apart, need
from runs import assert_each_once, records, status
from sounds import encoded
from tiny_checkpoints.catalogue import TINY, TRIED, Tiny

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
    if any(TINY[name].vllm is not None for name in tiny_checkpoints):
        need("vllm")
    birds, folder = tmp_path_factory.mktemp("birds"), tmp_path_factory.mktemp("architectures")
    write_birds(birds, [encoded(call(number, seconds), 16000).data for number, seconds in enumerate(SECONDS)])
    (folder / "parity").mkdir()
    prepared = {"DTBENCH_CHECKPOINTS": str(folder / "prepared")}
    pairs = (word for pair in tiny_checkpoints.items() for word in pair)
    apart("parity", birds, folder / "parity", *pairs, **prepared)
    where = ("--backend", "local", "--task-file", str(TASK), "--data-dir", str(birds), *GREEDY)
    local = {name: TINY[name].asked(place) for name, place in tiny_checkpoints.items() if TINY[name].local}
    commands = [
        ["run", "--model", str(model), *where, "--out", str(folder / "runs" / name)] for name, model in local.items()
    ]
    done = apart("calls", given=json.dumps(commands), **prepared)
    return Asked(
        folder / "parity",
        folder / "runs",
        dict(zip(local, (Done(*one) for one in json.loads(done)), strict=True)),
    )


@pytest.mark.parametrize("name", TRIED)
def test_vllm_transformers_and_the_local_backend_agree(
    asked: Asked, name: str, record_property: Callable[[str, object], None]
) -> None:
    tiny = TINY[name]
    if tiny.needs:
        need(tiny.needs)
    computed = written(asked.parity / f"{name}.transformers")
    served = written(asked.parity / f"{name}.vllm") if tiny.vllm is not None else None
    said = answers(asked, name) if tiny.local else None
    record_property("architecture", row(name, tiny, computed, served, said))
    assert len({tuple(one["tokens"]) for one in computed}) > 1  # it listens
    if tiny.bare:
        bare = [one["tokens"] for one in written(asked.parity / f"{tiny.bare}.transformers")]
        assert not [one for one, other in zip(computed, bare, strict=True) if one["tokens"] == other]
    assert said in (None, texts(computed))
    for seconds, one, other in zip(SECONDS, served or computed, computed, strict=True):
        if seconds in tiny.apart:
            assert one["read"] != other["read"]
            continue
        assert one["read"] == other["read"]
        assert (one["tokens"], one["text"]) == (other["tokens"], other["text"])
        assert one["logprobs"] == pytest.approx(other["logprobs"], abs=tiny.tolerance)


Written = Sequence[Mapping[str, Any]]


def row(
    name: str, tiny: Tiny, computed: Written, served: Written | None, said: Sequence[tuple[str, int, int]] | None
) -> Sequence[str]:
    """Name, vLLM, local, the largest difference of a log-probability, and what was run, for the table."""
    pairs = list(zip(served or [], computed, strict=False))
    same = [(one, other) for one, other in pairs if one["tokens"] == other["tokens"]]
    differences = [
        abs(mine - theirs)
        for one, other in same
        for mine, theirs in zip(one["logprobs"], other["logprobs"], strict=True)
    ]
    equal = sum(one == other for one, other in zip(said or [], texts(computed), strict=False))
    return (
        name,
        f"{len(same)} of {len(pairs)}" if pairs else "-",
        f"{equal} of {len(said)}" if said else "-",
        f"{max(differences):.1e}" if differences else "-",
        tiny.what(),
    )


def texts(computed: Written) -> Sequence[tuple[str, int, int]]:
    """What a run keeps of each answer: its text, and how many tokens it read and wrote."""
    return [(one["text"], len(one["read"]), len(one["tokens"])) for one in computed]


def written(place: Path) -> Written:
    """What an engine read and wrote."""
    answers = place.with_name(f"{place.name}.json")
    assert answers.exists(), place.with_name(f"{place.name}.log").read_text()[-3000:]
    told: Written = json.loads(answers.read_text())
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
