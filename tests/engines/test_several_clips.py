"""Prompts with several clips, and with examples that have their own, in both engines."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from called_birds import call as bird_call
from command import process
from runs import records
from sounds import encoded
from vllm_process import Server

pytestmark = pytest.mark.engine

TASK = """
from pathlib import Path
from dtbench import Sample, Task

HERE = Path(__file__).parent
WORDS = "First {audio 1} and then {audio 2}: what comes first?"
BACK = "First {audio 2} and then {audio 1}: what comes first?"

class Orders(Task):
    name = "orders"

    def samples(self, data_dir):
        a, b = HERE / "a.wav", HERE / "b.wav"
        for id_, words, clips in (("ab", WORDS, [a, b]), ("ba", WORDS, [b, a]), ("marked", BACK, [b, a])):
            yield Sample(id_, words, ("crow", "jay"), "crow", clips=clips)

    def examples(self, data_dir):
        return [Sample("e", WORDS, ("wren", "kite"), "wren", clips=[HERE / "c.wav", HERE / "a.wav"])]
"""
GREEDY = ("-M", "temperature=0", "-M", "max_tokens=12")


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("orders")
    for number, name in enumerate("abc"):
        (folder / f"{name}.wav").write_bytes(encoded(bird_call(30 * number, 1.0 + number), 16000).data)
    (folder / "task.py").write_text(textwrap.dedent(TASK))
    return folder / "task.py"


def answers(task: Path, out: Path, *options: str | Path) -> Mapping[str, str]:
    """What a model said to each question."""
    done = process("run", "--task-file", task, "--out", out, *GREEDY, *options)
    assert done.code == 0, done
    return {one["id"]: json.dumps(one["response"]["text"]) for one in records(out, "orders") if "response" in one}


def test_both_engines_hear_several_clips_in_the_order_of_their_marks(
    task: Path, vllm_server: Server, tiny_qwen2_audio: Path, tmp_path: Path
) -> None:
    for shots in ("0", "1"):
        served = answers(task, tmp_path / f"served-{shots}", "--model", vllm_server.url, "--num-fewshot", shots)
        local = ("--model", tiny_qwen2_audio, "--backend", "local", "-M", "dtype=float32", "--num-fewshot", shots)
        here = answers(task, tmp_path / f"local-{shots}", *local)
        assert served["ab"] == served["marked"] != served["ba"]
        assert here == served
