"""What a whole `dtbench run` costs: 5,000 and 50,000 made-up questions, from a file and over HTTP; printed.

The bars for 5,000 answers from a file are 0.6 s of wall and CPU on a quiet machine, and 150 MB, which hold at 50,000 as
well; over HTTP to an endpoint that answers at once 0.5 ms of CPU a request, and 1 ms with a clip of 10 s.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import many_questions
from bench_page import note
from chat_server import chatting_elsewhere
from command import COMMAND
from measured import Cost, measured
from runs import Arguments, mmar_data
from small_data import Item, tone, write_json

ROUNDS = 3
CHAIN = "<think>" + "A soft sound, then a second one that answers it. " * 24 + "</think> <answer>B</answer>"
REQUESTS = 5000
FEWEST = 500
"""What a run of so few questions costs is its start, and is left out of the cost of a request."""


def test_answers_from_a_file(tmp_path: Path) -> None:
    for count in (5_000, 50_000):
        data = tmp_path / str(count)
        items = mmar_data(data, count)
        write_json(data / "answers.jsonl", [{"id": item["id"], "response": CHAIN} for item in items])
        model = ("--model", "replay", "-M", f"file={data / 'answers.jsonl'}")
        cost = _least(model, data, tmp_path)
        note("Memory of a run", f"dtbench, {count:,} questions", cost.megabytes)
        print(f"\nreplay, {count:>6} questions: {cost.wall:.2f} s wall, {cost.cpu:.2f} s CPU, {cost.megabytes:.0f} MB")


def test_requests_over_http(tmp_path: Path) -> None:
    _write_with_clips(tmp_path / "data", REQUESTS)
    for what, arguments in (("the clip", ()), ("silence", ("--audio", "silence"))):
        with chatting_elsewhere() as url:
            model = ("--model", url, "--concurrency", "64", *arguments)
            whole = _least((*model, "--limit", str(REQUESTS)), tmp_path / "data", tmp_path)
            start = _least((*model, "--limit", str(FEWEST)), tmp_path / "data", tmp_path)
        cpu = 1000 * (whole.cpu - start.cpu) / (REQUESTS - FEWEST)
        print(f"\nHTTP, {what} of 10 s, decoded and stored: {cpu:.2f} ms of CPU a question, {whole.megabytes:.0f} MB")


def _write_with_clips(data: Path, count: int) -> None:
    """Questions about one clip of 10 s at the model's rate, under as many names."""
    items: list[Item] = mmar_data(data, count)
    (data / "audio").mkdir()
    (data / "audio" / "one.wav").write_bytes(tone(seconds=10.0))
    for item in items:
        (data / item["audio_path"]).hardlink_to(data / "audio" / "one.wav")


def _least(model: Sequence[str], data: Path, folder: Path) -> Cost:
    """The least of some runs into new folders; every answer is there."""
    costs = []
    for _ in range(ROUNDS):
        out = folder / f"out{len(list(folder.glob('out*')))}"
        arguments: Arguments = ("run", *model, "--tasks", "mmar", "--data-dir", data, "--out", out)
        costs.append(measured([*COMMAND, *arguments], folder, dict(os.environ), folder / "said.txt"))
        (info,) = out.rglob("run.json")  # a run with other clips lies inside the plain one's folder
        assert json.loads(info.read_text())["status"] == "done"
    return min(costs[0].least(costs[1]), costs[2].least(costs[1]))


def test_very_many_questions(tmp_path: Path) -> None:
    """DTBENCH_BENCH_QUESTIONS names how many; the goals are 120 MB at 1,000,000, and of 200,000 a resume in 10 s."""
    count = os.environ.get("DTBENCH_BENCH_QUESTIONS", "50000")
    env = {**os.environ, many_questions.COUNT: count}
    first, second = tmp_path / "first", tmp_path / "second"
    task = ("--model", "random", "--task-file", Path(many_questions.__file__))
    steps: dict[str, Arguments] = {
        "run": ("run", *task, "--seed", "1", "--out", first),
        "the other run": ("run", *task, "--seed", "2", "--out", second),
        "resume": ("run", *task, "--seed", "1", "--out", first),
        "score": ("score", first),
        "compare": ("compare", first, second, "--json"),
        "report": ("report", first, "--clips", "none", "--out", tmp_path / "report.html"),
    }
    for name, arguments in steps.items():
        cost = measured([*COMMAND, *arguments], tmp_path, env, tmp_path / "said.txt")
        print(f"\n{count} questions, {name}: {cost.wall:.1f} s wall, {cost.cpu:.1f} s CPU, {cost.megabytes:.0f} MB")
