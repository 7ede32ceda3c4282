"""A training that is killed while an earlier model is asked which questions are worth training on."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
from collections import Counter
from pathlib import Path

from chat_server import Asked, Turn, chatting
from command import call
from kills import Counting, Killing, dtbench, whole_lines
from runs import record_files_of
from sharded import answers_in_files
from stand_in_engine import install
from trainer import begun, endpoint_recipe
from training_rows import CHOICES, rows_file

from dtbench.training.data.rows import read_rows
from dtbench.training.stages import state

SEED = int(os.environ.get("DTBENCH_SEED", "24"))
ROWS, SAMPLES, AT_ONCE = 16, 4, 4
NUMBER = re.compile(rb"number (\d+)\?")


def answer(asked: Asked) -> Turn:
    """Question 0 never rightly, the last always; the others as the seed of the request says."""
    found = NUMBER.search(asked.content)
    if found is None:
        return Turn("(B)")
    number, seed = int(found[1]), asked.json()["seed"]
    even = hashlib.sha256(f"{number} {seed}".encode()).digest()[0] % 2 == 0
    right = number > 0 and (number == ROWS - 1 or even)
    return Turn(f"<think>It rings.</think>{CHOICES[(number + (not right)) % 3]}", delay=0.03)


def test_what_was_asked_before_a_kill_is_not_asked_again_and_the_stage_trains_on_what_is_kept(tmp_path: Path) -> None:
    killing, out = Killing(tmp_path, random.Random(f"{SEED} mining"), span=8.0), tmp_path / "run"
    mine = f'mine = {{ from = "stage-1", samples = {SAMPLES}, pass = [1, 3], keep = 6 }}'
    data = rows_file(tmp_path / "rows", ROWS)
    second = ('data = ["mini-train-2"]\nquestions = 40', f'data = ["{data}"]\n{mine}')
    with chatting(choose=answer) as chat:
        plain = [(f"{name} = true", f"{name} = false") for name in ("describe", "audio_ablation")]
        file = endpoint_recipe(tmp_path, chat.url, AT_ONCE, second, *plain)
        layout = begun(file, out)
        progress = state.read_state(layout.state)
        progress.set("stage-1", state.DONE)
        (out / "stage-1").mkdir()
        shutil.copytree(tmp_path / "base-model", layout.stage("stage-1").model)
        own = layout.stage("stage-2")
        counting = Counting(chat, lambda: whole_lines(*record_files_of(own.mined_run)), AT_ONCE)
        command = dtbench("train", file, "--out", out, "--json")
        engine = str(install(tmp_path / "engine"))
        for _ in range(2):
            killing.kill_one(command, counting.stored, DTBENCH_ENGINE=engine)
            counting.after_kill()
        assert state.read_state(layout.state).stages["stage-2"] == state.WAITING
        first = call("watch", out, "--once").out.splitlines()[0]
        assert re.match(rf"stage-2 \(2 of 2\), mining: (\d+ of {ROWS * SAMPLES}|\.\.\.)", first), first
        killing.finish(command, DTBENCH_ENGINE=engine)
    killing.look(out)
    assert (counting.doubled, killing.leaked) == (0, [])
    answers = answers_in_files(own.mined_run, "rows")
    assert set(answers.values()) == {1}
    assert len(answers) == ROWS * SAMPLES
    right = Counter(
        record["id"]
        for record in map(json.loads, (own.mined_run / "rows.jsonl").read_text().splitlines())
        if record["score"]["official"]["correct"]
    )
    counts = [right[f"r{number}"] for number in range(ROWS)]
    kept = {f"r{number}" for number, count in enumerate(counts) if 1 <= count <= 3}
    report = json.loads(own.mined_report.read_text())
    assert (counts[0], counts[-1]) == (0, SAMPLES)
    assert {key: report[key] for key in ("stage", "from", "answers", "questions", "band", "rows_kept")} == {
        "stage": "stage-2",
        "from": "stage-1",
        "answers": SAMPLES,
        "questions": ROWS,
        "band": [1, 3],
        "rows_kept": 6,
    }
    assert report["outcomes"]["kept"] == len(kept) > 6
    assert report["outcomes"]["never right"] == counts.count(0)
    mined = [row.id for row in read_rows(own.mined_rows)]
    assert (len(mined), set(mined) <= kept) == (6, True)
    assert [json.loads(line)["row"] for line in own.questions.read_text().splitlines()] == mined
    outcome = json.loads((out / "outcome.json").read_text())
    assert outcome["mined"] == [report]
    assert state.read_state(layout.state).stages["stage-2"] == state.DONE


def test_a_stage_for_which_too_little_is_kept_stops_with_what_to_do_and_asks_nothing_anew(tmp_path: Path) -> None:
    out = tmp_path / "run"
    data = rows_file(tmp_path / "rows", ROWS)
    mine = 'mine = { from = "base", samples = 2, pass = [1, 1] }'
    first = ('data = ["mini-train-1"]\nquestions = 40', f'data = ["{data}"]\n{mine}')
    with chatting(default=Turn("I do not know.")) as chat:
        file = endpoint_recipe(tmp_path, chat.url, AT_ONCE, first)
        layout = begun(file, out)
        command = ("train", file, "--out", out, "--engine", install(tmp_path / "engine"))
        done = call(*command)
        assert (done.code, len(chat.asked)) == (2, 2 * ROWS)
        again = call(*command)
        assert (again.code, len(chat.asked)) == (2, 2 * ROWS)
    for said in (done.err, again.err):
        last = said.splitlines()[-1]
        assert last.startswith("error: stage stage-1: mine: 0 questions are kept, and a step takes 4: 16 never right;")
        assert f"with --reuse {layout.root}" in last
    assert json.loads(layout.stage("stage-1").mined_report.read_text())["rows_kept"] == 0
    assert state.read_state(layout.state).stages["stage-1"] == state.WAITING
