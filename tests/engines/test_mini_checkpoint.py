"""A checkpoint of mini's architecture, not yet trained, under vLLM and transformers alike."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from command import process
from runs import records
from vllm_process import Server, serving

pytestmark = pytest.mark.engine
pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("vllm")

SUPPORT = Path(__file__).parents[1] / "support"
# A process of its own keeps torch, and the warnings of what it imports, out of this one.
WRITE = """
import sys
from pathlib import Path
from tiny_checkpoints.parts import randomise
from dtbench.models.mini.architecture import build, save
model = build(0)
randomise(model)
save(model, Path(sys.argv[1]))
"""
ASKED = ("--tasks", "mini", "--limit", "12", "-M", "max_tokens=6", "-M", "temperature=0")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints") / "mini-raw"
    subprocess.run([sys.executable, "-c", WRITE, str(folder)], check=True, cwd=SUPPORT, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def server(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(checkpoint, tmp_path_factory.mktemp("vllm") / "server.log") as served:
        yield served


def answers(out: Path, *model: str | Path, heard: str = "clip") -> Mapping[str, str]:
    """The words of each answer."""
    done = process("run", *ASKED, "--out", out, *model, "--audio", heard)
    assert done.code == 0, done.err
    where = out if heard == "clip" else out / f"audio-{heard}"
    return {record["id"]: record["response"]["text"].strip() for record in records(where, "mini")}


def test_it_is_as_large_as_a_laptop_and_a_repository_bear(checkpoint: Path) -> None:
    assert (checkpoint / "model.safetensors").stat().st_size < 15_000_000
    assert sum(file.stat().st_size for file in checkpoint.iterdir()) < 15_000_000


def test_both_engines_say_the_same_and_it_depends_on_what_is_heard(
    checkpoint: Path, server: Server, tmp_path: Path
) -> None:
    here = answers(tmp_path / "local", "--model", checkpoint, "--backend", "local")
    there = answers(tmp_path / "vllm", "--model", server.url)
    assert len(here) == 12
    assert here == there
    unheard = answers(tmp_path / "silence", "--model", checkpoint, "--backend", "local", heard="silence")
    assert unheard != here
