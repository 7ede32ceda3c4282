"""A run grows in its folder, in every direction; figures are over what was asked for last, and identity is kept."""

from __future__ import annotations

import json
import random
import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from command import Done, call
from runs import (
    Arguments,
    assert_each_once,
    lines_of,
    mmar_data,
    record_files_of,
    records,
    started,
    summary,
    wait_until,
    write_script,
)
from small_data import mmsu_items, write_json

from dtbench.harness.store.jsonl import encode_line, read_lines
from dtbench.harness.store.run_folder import StoredRun

COUNT = 12
MODEL = ("--model", "random", "-M", "seed=1")


class Step(NamedTuple):
    """One start, and what it must leave."""

    options: Sequence[str]
    asked: int
    """How many answers it asks for anew."""
    n: dict[str, int]
    """Task -> how many answers its summary is over."""
    other: str = ""
    """What it says of the answers beside those."""


ALL = {"mmar": COUNT}
SEQUENCES: dict[str, Sequence[Step]] = {
    "limit up and down": [
        Step(["--limit", "4"], 4, {"mmar": 4}),
        Step([], 8, ALL),
        Step(
            ["--limit", "6"], 0, {"mmar": 6}, "6 more answers of this task lie in out; run it without --limit to count"
        ),
        Step([], 0, ALL),
    ],
    "ids to other ids": [
        Step(["--ids", "a"], 2, {"mmar": 2}),
        Step(
            ["--ids", "b"], 2, {"mmar": 3}, "1 more answer of this task lies in out; run it without --ids to count them"
        ),
        Step(["--ids", "a"], 0, {"mmar": 2}, "2 more answers of this task lie in out; run it without --ids to count"),
        Step(
            ["--limit", "1"], 0, {"mmar": 1}, "3 more answers of this task lie in out; run it without --limit to count"
        ),
        Step([], COUNT - 4, ALL),
    ],
    "tasks more and fewer": [
        Step(["--tasks", "mmar"], COUNT, ALL),
        Step(["--tasks", "mmar,mmsu"], 6, {**ALL, "mmsu": 6}),
        Step(
            ["--tasks", "mmsu"], 0, {"mmsu": 6}, "out holds answers of mmar too; run it with --tasks mmsu,mmar to count"
        ),
        Step(["--tasks", "mmsu", "--limit", "2"], 0, {"mmsu": 2}, "4 more answers of this task lie in out"),
        Step(["--tasks", "mmsu,mmar"], 0, {"mmsu": 6, **ALL}),
    ],
    "samples more and fewer": [
        Step(["--samples", "1"], COUNT, ALL),
        Step(["--samples", "4"], 3 * COUNT, {"mmar": 4 * COUNT}),
        Step(
            ["--samples", "2"],
            0,
            {"mmar": 2 * COUNT},
            "24 more answers of this task lie in out; run it with --samples 4",
        ),
        Step(
            ["--samples", "2", "--limit", "3"],
            0,
            {"mmar": 6},
            "run it without --limit and with --samples 4 to count them",
        ),
        Step(["--samples", "5"], COUNT, {"mmar": 5 * COUNT}),
    ],
    "what changes no answer": [
        Step(["--limit", "4", "--concurrency", "2"], 4, {"mmar": 4}),
        Step(["--limit", "4", "--concurrency", "9", "--max-failed", "0.5"], 0, {"mmar": 4}),
    ],
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A folder to work in, with data and two lists of ids that share one; the ids of its questions."""
    monkeypatch.chdir(tmp_path)
    ids = [str(item["id"]) for item in mmar_data(tmp_path / "data", COUNT)]
    write_json(tmp_path / "data" / "mmsu.jsonl", mmsu_items(6))
    Path("a").write_text(f"{ids[3]}\n{ids[5]}\n")
    Path("b").write_text(f"{ids[0]}\n{ids[3]}\n{ids[7]}\n")
    return ids


def ask(out: str, *options: str) -> Done:
    tasks = () if "--tasks" in options else ("--tasks", "mmar")
    done = call("run", *MODEL, *tasks, "--data-dir", "data", "--out", out, *options)
    assert done.code == 0, done
    return done


def stored(out: Path) -> int:
    """How many records lie in a folder."""
    return sum(len(list(read_lines(path, path.stat().st_size))) for path in record_files_of(out))


def figures(out: str) -> Any:
    """The summary, less what says where it is, what it took, and what lies beside."""
    told: Any = json.loads(summary(Path(out)))
    del told["notes"]
    for task in told["tasks"]:
        task["notes"] = [note for note in task["notes"] if "more answer" not in note]
    return told


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_run_grows_and_every_step_has_the_figures_of_a_run_of_its_own(here: list[str], name: str) -> None:
    for number, step in enumerate(SEQUENCES[name]):
        before = stored(Path("out"))
        done = ask("out", *step.options)
        assert stored(Path("out")) - before == step.asked, step
        found = json.loads(Path("out/summary.json").read_text())
        assert {one["task"]: one["n"] for one in found["tasks"]} == step.n
        assert all(one["missing"] == 0 for one in found["tasks"])
        assert step.other in done.out + done.err
        lies = re.search(r"\d more answers?\b", done.out) is not None or "holds answers of" in done.err
        assert lies is bool(step.other)
        ask(f"alone-{number}", *step.options)
        assert figures("out") == figures(f"alone-{number}")
        scores = [json.loads(call("score", out, "--json").out) for out in ("out", f"alone-{number}")]
        assert [one["strict"] for one in scores[0]] == [one["strict"] for one in scores[1]]
        assert call("compare", "out", f"alone-{number}", "--json").out.count('"better": 0') >= 1
        assert "UNFAIR" not in call("compare", "out", f"alone-{number}").out


def test_every_reader_counts_what_was_asked_for_last(here: list[str]) -> None:
    ask("out")
    ask("out", "--limit", "3")
    assert call("report", "out", "--audio", "none").out.startswith("report out/report.html")
    assert "3 questions" in call("report", "out", "--audio", "none").out
    line = call("export", "out", "--format", "mmar").refusal()
    assert line.startswith("error: 9 of 12 questions were not asked for (--limit 3): repeat the `dtbench run` command")
    assert "without --limit to ask for them" in line
    ask("other", "--limit", "5")
    (told,) = json.loads(call("compare", "out", "other", "--json").out)
    assert (told["n"], told["only_before"], told["only_after"]) == (3, 0, 2)
    assert "only in the candidate" in call("gate", "--baseline", "out", "--candidate", "other").refusal(3)
    (scored,) = json.loads(call("score", "out", "--json").out)
    assert scored["n"] == 3
    assert any(note.startswith("9 more answers of this task lie in out") for note in scored["notes"])


def test_scoring_a_run_anew_rereads_the_answers_that_were_not_asked_for_last_too(here: list[str]) -> None:
    ask("out")
    ask("out", "--limit", "3")
    assert call("score", "out", "--write", "--min-evidence", "stated").code == 0
    line = call("run", *MODEL, "--tasks", "mmar", "--data-dir", "data", "--out", "out").refusal()
    assert "was made with another --min-evidence (stated; now said)" in line
    ask("out", "--min-evidence", "stated")
    (again,) = json.loads(call("score", "out", "--json").out)
    assert (again["n"], again["differ"]) == (COUNT, {"n": 0, "ids": []})


def test_a_task_of_an_earlier_start_is_named_where_it_is_asked_for(here: list[str]) -> None:
    ask("out", "--tasks", "mmar")
    ask("out", "--tasks", "mmsu")
    line = call("score", "out", "--task", "mmar").refusal()
    assert line == (
        "error: --task mmar: out holds answers of it, but its last start asked for mmsu: run it with --tasks mmar to "
        "count them; nothing is asked again."
    )


REFUSED: dict[str, tuple[Sequence[str], str]] = {
    "seed": (["--seed", "2"], "out was made with another seed (0; now 2). Use another --out, or the same seed."),
    "model": (["--model", "first"], "out was made with another model (random; now first)."),
    "option": (["-M", "seed=2"], "out was made with other options of the model (seed 1; now 2)."),
    "prompt": (["--prompt", "words"], "out was made with another prompt (first difference: "),
    "evidence": (["--min-evidence", "stated"], "out was made with another --min-evidence (said; now stated)."),
    "clips": (["--long-clips", "windows"], "out was made with another rule for long clips (cut; now windows)."),
}


GROWTHS: Sequence[Sequence[str]] = [(), ("--limit", "2"), ("--samples", "3"), ("--tasks", "mmsu")]
OF_A_TASK = ("prompt", "evidence")
"""What each task has of its own."""


@pytest.mark.parametrize(
    ("name", "growth"),
    [(name, growth) for name in REFUSED for growth in GROWTHS if name not in OF_A_TASK or "--tasks" not in growth],
)
def test_another_identity_is_refused_in_words_whatever_else_is_asked_for(
    here: list[str], name: str, growth: Sequence[str]
) -> None:
    Path("words").write_text("{question}\n{options}\nWell?")
    ask("out", "--limit", "4")
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    options, says = REFUSED[name]
    model = [] if "--model" in options else ["--model", "random"]
    seed = ["-M", "seed=1"] if not {"-M", "--model"} & set(options) else []
    tasks = [] if "--tasks" in growth else ["--tasks", "mmar"]
    done = call("run", *model, *seed, *tasks, "--data-dir", "data", "--out", "out", *growth, *options)
    line = done.refusal()
    assert says in line
    assert "Use another --out, or the same " in line
    assert not any(word in line for word in ("tasks.", "sha256", "prompt_hash", "model.name", "stored"))
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before


OWN = """
import json
from pathlib import Path
from dtbench import Sample, Task

class Birds(Task):
    name = "birds"

    def samples(self, data_dir):
        for name, question, answer in json.loads(Path("birds.json").read_text()):
            yield Sample(name, question, ("Crow", "Jay", "Owl"), answer, Path(f"{name}.wav"))
"""
BIRDS = [["1", "Who calls?", "Jay"], ["2", "Who sings?", "Crow"]]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([*BIRDS, ["3", "Who is last?", "Owl"]], None),
        ([["0", "Who is first?", "Owl"], *BIRDS], None),
        (
            [BIRDS[0], ["2", "Who hums?", "Crow"]],
            "1 of the birds questions it answered have changed since",
        ),
        ([BIRDS[0], ["2", "Who sings?", "Owl"]], "(first: '2'). Use another --out, or the original data (birds)."),
        ([BIRDS[0]], "1 of the birds questions it answered have changed since they were asked"),
    ],
    ids=["one more", "one in front", "another question", "another answer", "one less"],
)
def test_a_benchmark_of_ones_own_may_grow_and_its_questions_may_not_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: list[list[str]], says: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("birds.py").write_text(OWN)
    asked = ("run", "--model", "first", "--task-file", "birds.py", "--out", "out")
    Path("birds.json").write_text(json.dumps(BIRDS))
    assert call(*asked).code == 0
    Path("birds.json").write_text(json.dumps(data))
    done = call(*asked)
    if says is None:
        assert done.code == 0
        assert_each_once(Path("out"), ["1", "2", data[-1][0] if data[-1][0] == "3" else "0"], task="birds")
        assert lines_of(Path("out"), "birds") == 3
    else:
        assert says in done.refusal()


def test_a_growing_run_that_is_killed_again_and_again_ends_as_one_that_nobody_disturbed(tmp_path: Path) -> None:
    items = mmar_data(tmp_path / "data", 120)
    model = write_script(
        tmp_path / "script.jsonl",
        [
            {"id": item["id"], "text": ("(A)", "I think (B)", "Hm.")[n % 3], "sleep": 0.02}
            for n, item in enumerate(items)
        ],
    )
    asked: Arguments = (*model, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--concurrency", "4")
    chance, killed, alone = random.Random(7), tmp_path / "killed", tmp_path / "alone"
    growths: Sequence[Arguments] = (
        ("--limit", "20"),
        ("--limit", "60"),
        ("--samples", "2", "--limit", "30"),
        (),
        ("--samples", "2"),
    )
    for growth in growths:
        before = stored(killed) if killed.exists() else 0
        with started(*asked, *growth, "--out", killed) as run:
            wait_until(lambda before=before: stored(killed) > before)  # type: ignore[misc]
            time.sleep(chance.uniform(0.0, 0.15))
            run.kill()
            assert run.wait() in {-signal.SIGKILL, 0}
        StoredRun.open(killed)
    ends: Sequence[Arguments] = (("--samples", "2"), ("--limit", "25"), ())
    for last in ends:
        assert [call("run", *asked, *last, "--out", out).code for out in (killed, alone)] == [0, 0]
        assert figures(str(killed)) == figures(str(alone))
    assert lines_of(killed) == lines_of(alone) == 2 * len(items)
    assert len(records(killed)) == len(items)


def test_a_folder_that_an_earlier_dtbench_wrote_goes_on_and_grows(here: list[str]) -> None:
    ask("out", "--limit", "4")
    info = json.loads(Path("out/run.json").read_text())
    for key in ("chosen_by", "ids", "min_evidence"):
        info["tasks"]["mmar"].pop(key, None)
    info.pop("request", None)
    lines = [{k: v for k, v in record.items() if k != "question_hash"} for record in records(Path("out"))]
    Path("out/mmar.jsonl").write_bytes(b"".join(map(encode_line, lines)))
    Path("out/run.json").write_text(json.dumps(info))
    assert json.loads(call("score", "out", "--json").out)[0]["n"] == 4
    assert "9 of 12" not in call("export", "out", "--format", "mmar").refusal()
    assert "8 of 12 questions were not asked for: repeat" in call("export", "out", "--format", "mmar").refusal()
    ask("out", "--min-evidence", "inferred")
    assert_each_once(Path("out"), here)
    assert lines_of(Path("out")) == COUNT


@pytest.mark.parametrize("model", ["first", "majority", "echo-gold"])
@pytest.mark.parametrize("audio", ["clip", "shuffle"])
def test_what_a_model_or_a_clip_has_from_other_questions_does_not_change_with_growth(
    here: list[str], model: str, audio: str
) -> None:
    asked = ("run", "--model", model, "--tasks", "mmar", "--data-dir", "data", "--audio", audio)
    for growth in (("--limit", "3"), (), ("--ids", "b")):
        assert call(*asked, *growth, "--out", "out").code == 0
    assert call(*asked, "--ids", "b", "--out", "alone").code == 0
    said = [{one["id"]: one["response"]["text"] for one in records(Path(out))} for out in ("out", "alone")]
    assert said[0] == said[1]
    assert len(said[0]) == 3


def test_shards_grow_with_their_run(here: list[str]) -> None:
    for growth, n in ((("--limit", "4"), 4), ((), COUNT), (("--limit", "3"), 3)):
        for shard in ("1/2", "2/2"):
            ask("out", "--shard", shard, *growth)
        assert json.loads(Path("out/summary.json").read_text())["tasks"][0]["n"] == n
    assert stored(Path("out")) == COUNT
    ask("out")
    assert stored(Path("out")) == COUNT
    assert_each_once(Path("out"), here)
