"""A folder is the first run in it, other forms lie inside, and a folder that is named is taken for the run it means."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from chat_server import chatting
from command import Done, call
from judges import chain_of, honest, mmar_with_criteria
from made_up_run import write_run
from reported import first
from run_records import SETTINGS
from runs import lines_of, mmar_data, write_script

from dtbench.harness.store.run_folder import RunFolder, StoredRun

COUNT = 6
ASKED = ("--tasks", "mmar", "--data-dir", "data")
THINK, SILENT, TURNED = ("--answer", "think"), ("--audio", "silence"), ("--permute", "1")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    mmar_data(tmp_path / "data", COUNT)
    return tmp_path


def ask(*options: str, out: str = "out", code: int = 0) -> Done:
    done = call("run", "--model", "random", *ASKED, "--out", out, *options)
    assert done.code == code, done
    return done


def place(done: Done) -> str:
    """Where a run went, as its last line says."""
    return done.out.splitlines()[-1].split()[1]


ORDERS: dict[str, Sequence[tuple[Sequence[str], str]]] = {
    "plain first": [
        ((), "out"),
        (THINK, "out/answer-think"),
        (SILENT, "out/audio-silence"),
        (TURNED, "out/permute-1"),
        ((*THINK, *SILENT, *TURNED), "out/answer-think/audio-silence/permute-1"),
        ((), "out"),
    ],
    "think first": [
        (THINK, "out"),
        ((), "out/answer-direct"),
        (THINK, "out"),
        ((*THINK, *SILENT), "out/audio-silence"),
        (SILENT, "out/answer-direct/audio-silence"),
        ((*THINK, *TURNED), "out/permute-1"),
    ],
    "silence first": [(SILENT, "out"), ((), "out/audio-clip"), (THINK, "out/answer-think/audio-clip"), (SILENT, "out")],
    "another order first": [(TURNED, "out"), ((), "out/permute-0"), (("--permute", "2"), "out/permute-2")],
    "two at once first": [
        ((*THINK, *SILENT), "out"),
        (THINK, "out/audio-clip"),
        ((), "out/answer-direct/audio-clip"),
    ],
}


@pytest.mark.parametrize("name", ORDERS)
def test_the_first_run_is_the_folder_and_others_lie_inside_it(name: str) -> None:
    for options, where in ORDERS[name]:
        assert place(ask(*options)) == where
        assert lines_of(Path(where)) == COUNT
        info = StoredRun.open(Path(where)).info["tasks"]["mmar"]
        wanted = dict(zip(options[::2], options[1::2], strict=True))
        assert info["answer"] == wanted.get("--answer", "direct")
        assert info["audio"] == wanted.get("--audio", "clip")
        assert info["permute"] == int(wanted.get("--permute", "0"))


@pytest.mark.parametrize("first", [(), THINK, SILENT, TURNED, (*THINK, *SILENT)], ids=" ".join)
def test_runs_are_compared_with_the_plain_one_in_whatever_order_they_were_made(first: Sequence[str]) -> None:
    for options in (first, (), THINK, SILENT, TURNED, (*THINK, *SILENT)):
        ask(*options)
    told = {}
    for options in (THINK, SILENT, TURNED, (*THINK, *SILENT)):
        done = call(
            *("run", "--model", "random", "--tasks", "mmar", "--data-dir", "data", "--out", "out", "--json", *options)
        )
        told[options] = json.loads(done.out)["tasks"][0]
    assert told[THINK]["vs_plain"]["n"] == told[SILENT]["audio_ablation"]["n"] == COUNT
    assert told[TURNED]["order_sensitivity"]["orders"] == 2
    both = told[(*THINK, *SILENT)]
    assert both["vs_plain"]["n"] == both["audio_ablation"]["n"] == COUNT
    assert call("report", "out", "--audio", "none").code == 0


def test_runs_inside_a_folder_without_one_of_its_own_go_on_where_they_are() -> None:
    ask(*THINK, out="out/answer-think")
    assert place(ask(*THINK)) == "out/answer-think"
    assert place(ask(*SILENT)) == "out/audio-silence"
    assert place(ask()) == "out"


def test_a_run_that_failed_before_its_first_answer_leaves_its_folder_to_the_next() -> None:
    with RunFolder.start(Path("out"), {**SETTINGS, "model": {"name": "other"}}):
        pass
    assert StoredRun.open(Path("out")).info["status"] == "failed"
    assert place(ask(*THINK)) == "out"


def test_a_folder_that_nobody_named_is_told_with_the_reason() -> None:
    asked = ("run", "--model", "random", "--tasks", "mmar", "--data-dir", "data")
    done = call(*asked)
    assert "the run goes to results/runs/random-mmar, as no --out was given" in done.err.splitlines()
    assert call(*asked, "--json").err == ""
    line = call(*asked, "--seed", "4").refusal()
    assert line.startswith(
        "error: results/runs/random-mmar (as no --out was given) was made with another seed (0; now 4)"
    )


READERS: dict[str, Sequence[str]] = {
    "score": ["score", "DIR"],
    "score --write": ["score", "DIR", "--write"],
    "report": ["report", "DIR", "--audio", "none"],
    "compare": ["compare", "DIR", "whole"],
    "gate": ["gate", "--baseline", "whole", "--candidate", "DIR"],
    "export": ["export", "DIR", "--format", "mmar"],
    "export lm-eval": ["export", "DIR", "--format", "lm-eval"],
    "judge": ["judge", "DIR", "--model", "tiny", "--base-url", "http://127.0.0.1:9/v1"],
}
BUT_JUDGE = [name for name in READERS if name != "judge"]


def read(name: str, folder: str) -> Done:
    return call(*(folder if word == "DIR" else word for word in READERS[name]))


@pytest.mark.parametrize("name", BUT_JUDGE)
def test_the_only_run_inside_a_folder_is_taken_and_named(name: str) -> None:
    for out in ("whole", "trials/first"):
        done = call("run", *write_script(Path("script.jsonl"), [{"text": "(A)"}]), *ASKED, "--out", out)
        assert done.code == 0, done
    done = read(name, "trials")
    assert done.code in {0, 4}, done
    assert "note: trials is not a run itself; taking the only run in it, trials/first" in done.err.splitlines()
    assert not [path.name for path in Path("trials").iterdir() if path.name != "first"]


@pytest.mark.parametrize("name", READERS)
def test_several_runs_inside_a_folder_are_listed(name: str) -> None:
    for out in ("whole", "trials/b", "trials/a"):
        ask(out=out)
    ask(*THINK, out="trials/a")
    assert read(name, "trials").refusal() == (
        "error: trials: it is not a run itself, but holds 2 inside: trials/a, trials/b. Name one."
    )


@pytest.fixture
def others() -> None:
    """The folders of a judge, inside its run and elsewhere, of `cot`, and of a training."""
    mmar_with_criteria(Path("criteria"), 3)
    write_run(Path("whole"), {"mmar": Path("criteria")}, lambda sample, _: chain_of(sample, 3))
    with chatting(choose=honest) as chat:
        asked = ("judge", "whole", "--model", "tiny", "--base-url", chat.url)
        assert call(*asked).code == call(*asked, "--out", "judged").code == 0
    step = {"step": {"rows": 1, "sha256": "a1"}}
    cot = {"kind": "cot", "models": {}, "endpoint": {}, "words": "w", "writing_seed": 0, "tasks": step}
    RunFolder.start(Path("cot/run"), cot).close()
    write_run(Path("trained/base/eval"), {"mmar": Path("criteria")}, lambda sample, _: chain_of(sample, 3))
    Path("trained/train.json").write_text('{"schema": 2, "recipe": {}, "base": "done", "stages": [], "starts": []}')


SAYS = {
    "judged": "`dtbench judge` made this folder; name one of `dtbench run`, such as whole.",
    "whole/judge-tiny": "`dtbench judge` made this folder; name one of `dtbench run`, such as whole.",
    "cot": "`dtbench cot` made this folder; name one of `dtbench run`.",
    "cot/run": "`dtbench cot` made this folder; name one of `dtbench run`.",
    "trained": "`dtbench train` made this folder; name the run of one of its evaluations, such as trained/base/eval.",
}


@pytest.mark.usefixtures("others")
def test_a_folder_of_another_command_is_told_in_one_line_by_every_command_that_reads_runs() -> None:
    for folder, says in SAYS.items():
        line = f"error: {folder}: {says}"
        for name in READERS:
            if (name, folder) != ("report", "trained"):  # which it shows
                assert read(name, folder).refusal() == line, (name, folder)
        for both in (("--baseline", folder, "--candidate", "whole"), ("--baseline", "whole", "--candidate", folder)):
            assert call("gate", *both).refusal(2) == line


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize("folder", ["judged", "cot/run", "trained"])
def test_a_run_does_not_go_into_a_folder_of_another_command(folder: str) -> None:
    before = {path: path.read_bytes() for path in Path(folder).glob("*") if path.is_file() and path.name != ".lock"}
    assert ask(out=folder, code=2).err.count("\n") == 1
    assert {path: path.read_bytes() for path in before} == before


def test_two_runs_of_one_name_are_told_apart_by_their_folders_in_title_and_cards() -> None:
    for out in ("a", "b/c", "d/c"):
        ask(out=out)
    for runs, names in ((("a", "b/c"), ("a", "c")), (("b/c", "d/c"), ("b/c", "d/c"))):
        assert call("report", *runs, "--audio", "none", "--out", "page.html").code == 0
        about = first(Path("page.html"))
        assert [run["name"] for run in about["runs"]] == [f"random ({name})" for name in names]
        assert about["title"] == " against ".join(f"random ({name})" for name in names)
