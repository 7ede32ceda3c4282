"""Every command killed at random moments: nothing is lost, doubled or half written, and nothing is left behind.

Kills come by the clock or once a command came a little further. The short form deals about 30, DTBENCH_WHOLE=1 about
200; DTBENCH_SEED says at which moments.
"""

from __future__ import annotations

import http.client
import itertools
import os
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from campaign import CAMPAIGN
from chat_server import Asked, Turn, chatting
from hub_server import serving_hub
from judges import honest, mmar_with_criteria
from kills import Counting, Killing, beside, dtbench, half_written, whole_lines
from made_up_run import write_run
from runs import audible_data, record_files_of, records, started, wait_until
from sharded import answers_in_files
from training_rows import made_rows, rows_file, without_chain
from viewed import Viewed

from dtbench.harness.core.schema import Sample
from dtbench.training.data.rows import write_rows

WHOLE = os.environ.get("DTBENCH_WHOLE") == "1"
SEED = int(os.environ.get("DTBENCH_SEED", "22"))
AT_ONCE = 4


def share(whole: int, short: int) -> int:
    """How many kills there are in this form."""
    return whole if WHOLE else short


@pytest.fixture
def killing(tmp_path: Path, request: pytest.FixtureRequest) -> Killing:
    return Killing(tmp_path, random.Random(f"{SEED} {request.node.name}"))


def answers_of(out: Path) -> int:
    return whole_lines(*record_files_of(out)) if out.is_dir() else 0


def test_a_run_that_is_killed_scored_and_reported_asks_each_question_once(tmp_path: Path, killing: Killing) -> None:
    kills = share(40, 3)
    questions = 6 * kills
    audible_data(tmp_path / "data" / "mmar", questions)
    out = tmp_path / "runs" / "run"
    with chatting(default=Turn("(B)", delay=0.03)) as chat:
        asked = ("run", "--model", chat.url, "--tasks", "mmar,mini", "--data-dir", tmp_path / "data", "--samples", "2")
        command = dtbench(*asked, "--concurrency", str(AT_ONCE), "--limit", str(questions), "--out", out)
        shuffled = [*command, "--audio", "shuffle"]
        seen = [
            dtbench("score", out),
            dtbench("score", out, "--write"),
            dtbench("report", out, "--out", out / "r.html"),
        ]
        other = out / "audio-shuffle"
        counting = Counting(chat, lambda: answers_of(out) + answers_of(other), AT_ONCE)
        for form, deaths in ((command, kills - kills // 3), (shuffled, kills // 3)):
            for _ in range(deaths):
                with ExitStack() as stack:
                    if killing.chance.random() < 0.3:
                        beside(stack, killing, killing.chance.choice(seen))
                    killing.kill_one(form, counting.stored)
                counting.after_kill()
                assert half_written([out / "summary.json", out / "run.json", out / "r.html"]) == []
            killing.finish(form)
        doubled = counting.at_end()
    for written in seen:
        killing.finish(written)
    killing.look(tmp_path / "runs")
    lost = 0
    for folder in (out, other):
        for task in ("mmar", "mini"):
            found = Counter((one["id"], one["sample"]) for one in records(folder, task))
            lost += 2 * questions - len(found)
            doubled += sum(answers_in_files(folder, task).values()) - len(found)
    CAMPAIGN.note(
        "kill: run, score and report beside it", killing.killed, lost=lost, doubled=doubled, leaked=len(killing.leaked)
    )
    assert (lost, doubled, killing.leaked) == (0, 0, [])
    assert killing.killed > kills // 2


def test_shards_and_their_merge_are_killed_and_no_answer_is_there_twice(tmp_path: Path, killing: Killing) -> None:
    kills = share(30, 3)
    items = audible_data(tmp_path / "data" / "mmar", 12 * kills)
    out = tmp_path / "runs" / "run"
    with chatting(default=Turn("(B)", delay=0.03)) as chat:
        asked = ("run", "--model", chat.url, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", out)
        shards = [dtbench(*asked, "--concurrency", str(AT_ONCE), "--shard", f"{number}/2") for number in (1, 2)]
        for _ in range(kills // 2):
            first = killing.start(shards[0])
            killing.kill_one(shards[1], lambda: answers_of(out))
            killing.kill(first)
        for _ in range(share(10, 1)):
            killing.kill_one(dtbench("merge", out), lambda: 0)
        for shard in shards:
            killing.finish(shard, 4)
        for _ in range(share(10, 1)):
            killing.kill_one(dtbench("merge", out), lambda: 0)
            assert half_written([out / "summary.json", out / "run.json"]) == []
        killing.finish(dtbench("merge", out))
        again = len(chat.asked) - len(items)
    killing.look(tmp_path / "runs")
    found = answers_in_files(out, "mmar")
    doubled = sum(found.values()) - len(found) + max(0, again - AT_ONCE * killing.killed)
    lost = len(items) - len(records(out))
    CAMPAIGN.note("kill: shards, merge", killing.killed, lost=lost, doubled=doubled, leaked=len(killing.leaked))
    assert (lost, doubled, killing.leaked) == (0, 0, [])


class Asking(NamedTuple):
    """A command that asks an endpoint and stores what it says."""

    command: Callable[[Path, int, str], list[str]]
    """Of a folder with the data, a number of questions and an endpoint."""
    answers: int
    """To each question."""
    choose: Callable[[Asked], Turn]
    stored: str
    """Where, in the folder."""
    outputs: Sequence[str]


def judge(folder: Path, count: int, url: str) -> list[str]:
    if not (folder / "run").exists():
        mmar_with_criteria(folder / "mmar", count)
        write_run(folder / "run", {"mmar": folder / "mmar"}, lambda one, _: f"<think>A door opens.</think>{one.answer}")
    return dtbench("judge", folder / "run", "--model", "tiny", "--base-url", url, "--calls", "2", "--concurrency", "4")


def cot(folder: Path, count: int, url: str) -> list[str]:
    if not (folder / "drafts.jsonl").exists():
        write_rows(folder / "drafts.jsonl", [without_chain(row) for row in made_rows(folder, count)])
    named = ("--captioner", url, "--writer", url, "--against", "none", "--concurrency", "4")
    return dtbench("cot", folder / "drafts.jsonl", "--out", folder / "out", *named)


def mine(folder: Path, count: int, url: str) -> list[str]:
    if not (folder / "rows.jsonl").exists():
        rows_file(folder, count)
    named = ("--model", url, "--samples", "2", "--against", "none", "--concurrency", "4")
    return dtbench("mine", folder / "rows.jsonl", "--out", folder / "out", *named)


def writer(asked: Asked) -> Turn:
    """Captions, and chains that end in the answer that they are given."""
    if b"input_audio" in asked.content:
        return Turn("A single note is heard, struck once, ringing on evenly in a quiet room without any echo.")
    text = str(asked.json()["messages"][-1]["content"])
    answer = text.rpartition("So the answer is ")[2].partition(".")[0]
    return Turn(
        "First the start of the note matters: it is sudden, as when metal is hit. Then it fades slowly and evenly, "
        f"which neither wind nor skin would do in such a quiet room. So the answer is {answer}."
    )


ASKING = {
    "judge": Asking(judge, 2, honest, "run/judge-tiny", ("summary.json", "run.json")),
    "cot": Asking(cot, 2, writer, "out/run", ("../rows.jsonl", "../rejects.jsonl", "summary.json", "run.json")),
    "mine": Asking(mine, 2, lambda asked: Turn("a bell"), "out/run", ("../rows.jsonl", "../mined.json", "run.json")),
}


@pytest.mark.parametrize("name", ASKING)
def test_what_a_command_asked_for_before_it_was_killed_is_not_asked_for_again(
    name: str, tmp_path: Path, killing: Killing
) -> None:
    kills, one = share(15, 2), ASKING[name]
    count = 8 * kills
    folder = tmp_path / "all"
    folder.mkdir()
    where = folder / one.stored

    def slowly(asked: Asked) -> Turn:
        return Turn(one.choose(asked).text, delay=0.03)

    with chatting(choose=slowly) as chat:
        command = one.command(folder, count, chat.url)
        counting = Counting(chat, lambda: answers_of(where), AT_ONCE)
        for _ in range(kills):
            killing.kill_one(command, counting.stored)
            counting.after_kill()
            assert half_written([where / name for name in one.outputs]) == []
        killing.finish(command)
        doubled = counting.at_end()
    assert half_written([where / name for name in one.outputs]) == []
    killing.look(folder)
    lost = one.answers * count - answers_of(where)
    CAMPAIGN.note(f"kill: {name}", killing.killed, lost=lost, doubled=doubled, leaked=len(killing.leaked))
    assert (lost, doubled, killing.leaked) == (0, 0, [])


WRITING: dict[str, tuple[tuple[str, ...], int, int]] = {
    "score --write": (("score", "{run}", "--write"), 15, 2),
    "report": (("report", "{run}", "--out", "{out}.html"), 15, 2),
    "export arc": (("export", "{run}", "--format", "arc", "--out", "{out}.zip"), 4, 1),
    "export lm-eval": (("export", "{run}", "--format", "lm-eval", "--out", "{out}"), 4, 0),
    "export parquet": (("export", "{run}", "--format", "parquet", "--out", "{out}"), 6, 1),
    "export hub-eval": (("export", "{run}", "--format", "hub-eval", "--out", "{out}"), 3, 0),
    "export eee": (("export", "{run}", "--format", "eee", "--out", "{out}"), 3, 1),
    "export inspect": (("export", "{run}", "--format", "inspect", "--out", "{out}"), 3, 0),
    "data load": (("data", "load", "mini", "--limit", "20", "--to", "{out}"), 8, 1),
    "table": (("table", "{run}", "--html", "--out", "{out}.html"), 4, 1),
    "plot": (("plot", "{run}", "--by", "category", "--out", "{out}.svg"), 4, 1),
}
"""What writes files of a finished run, and how many kills it gets in either form."""


def says(sample: Sample, repeat: int) -> str:
    return f"<think>What is heard decides.</think>{sample.answer}"


@pytest.mark.parametrize("name", [name for name, (_, whole, short) in WRITING.items() if share(whole, short)])
def test_what_a_killed_command_was_writing_is_the_old_one_or_whole_and_the_next_start_leaves_nothing_else(
    name: str, tmp_path: Path, killing: Killing
) -> None:
    arguments, whole, short = WRITING[name]
    audible_data(tmp_path / "mmar", 60)
    run, made = tmp_path / "runs" / "run", tmp_path / "made"
    write_run(run, {"mmar": tmp_path / "mmar"}, says)
    made.mkdir()

    def command(place: str) -> list[str]:
        return dtbench(*(part.format(run=run, out=made / place) for part in arguments))

    def far() -> int:
        return sum(1 for folder in (run, made, killing.scratch) for _ in folder.rglob("*"))

    killing.span = killing.finish(command("old"))
    for number in range(share(whole, short)):
        place = "old" if name != "data load" and number % 2 else f"new-{number}"
        killing.kill_one(command(place), far)
        written = [path for path in (*made.rglob("*"), *run.glob("*")) if not path.name.startswith(".")]
        assert half_written([path for path in written if ".saving-" not in str(path)]) == []
        if name != "data load" or not (made / place).exists():
            killing.finish(command(place))
        killing.look(tmp_path / "runs", made)
    CAMPAIGN.note(f"kill: {name}", killing.killed, leaked=len(killing.leaked))
    assert killing.leaked == []


PULL = """
import sys
from pathlib import Path
from dtbench.tasks.data.download import fetch_all
from dtbench.tasks.data.sources import HubFile, WebFile
url, folder, digest = sys.argv[1:]
files = [HubFile("made/up", "0" * 40, "data.bin", digest)]
files += [WebFile(f"{url}/raw/meta.jsonl", "meta.jsonl", sha256=digest)]
fetch_all("made-up", files, Path(folder))
"""


def test_a_pull_that_is_killed_goes_on_where_it_was_and_leaves_no_part(tmp_path: Path, killing: Killing) -> None:
    import hashlib

    content = random.Random(1).randbytes(20_000_000)
    digest = hashlib.sha256(content).hexdigest()
    kills, folder = share(12, 2), tmp_path / "data"
    with serving_hub() as hub:
        hub.files["/raw/meta.jsonl"] = hub.files["/datasets/made/up/resolve/" + "0" * 40 + "/data.bin"] = content
        command = [sys.executable, "-c", PULL, hub.url, str(folder), digest]
        environment = {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HOME": str(tmp_path / "hf")}
        for number in range(kills):
            names = ("data.bin", "meta.jsonl")[number % 2 :]
            for name in names:
                (folder / name).unlink(missing_ok=True)
            killing.kill_one(command, lambda: sum(1 for _ in folder.rglob("*")), **environment)
            for name in names:
                assert not (folder / name).exists() or (folder / name).read_bytes() == content
        killing.finish(command, **environment)
    lost = sum((folder / name).read_bytes() != content for name in ("data.bin", "meta.jsonl"))
    killing.look(folder)
    CAMPAIGN.note("kill: data pull", killing.killed, lost=lost, leaked=len(killing.leaked))
    assert (lost, killing.leaked) == (0, [])


def test_a_view_that_is_killed_while_it_answers_changes_no_run_and_the_next_one_shows_the_same(
    tmp_path: Path, killing: Killing
) -> None:
    audible_data(tmp_path / "mmar", 12)
    runs = tmp_path / "runs"
    for name in ("first", "second"):
        write_run(runs / name, {"mmar": tmp_path / "mmar"}, says)
    before = contents(runs)
    port = free_port()
    command = dtbench("view", runs, "--port", str(port))
    view = Viewed(f"http://127.0.0.1:{port}/", None)
    for _ in range(share(10, 1)):
        process = killing.start(command)
        wait_until(lambda: answers(view, "/"))
        asking = threading.Thread(target=asked_on, args=(view,))
        asking.start()
        time.sleep(killing.chance.uniform(0, 0.5))
        killing.kill(process)
        asking.join()
    with started("--port", str(port), runs, command="view"):
        wait_until(lambda: answers(view, "/"))
        page = view.ask("/report?run=first&run=second")
        assert (page.status, sorted(view.runs())) == (200, ["first", "second"])
    killing.look(runs)
    CAMPAIGN.note("kill: view", killing.killed, leaked=len(killing.leaked))
    assert killing.leaked == []
    assert contents(runs) == before


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def answers(view: Viewed, path: str) -> bool:
    try:
        return view.ask(path).status == 200
    except (OSError, http.client.HTTPException):
        return False


def asked_on(view: Viewed) -> None:
    """Ask for pages until nobody answers any more."""
    paths = itertools.cycle(["/report?run=first", "/", "/report?run=first&run=second", "/change?run=first&since=x"])
    while answers(view, next(paths)):
        pass
