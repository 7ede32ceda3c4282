"""Exit codes: docs/exit-codes.md, the pages of --help and what the commands do are one table."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO
from unittest.mock import patch

import pytest
from campaign import CAMPAIGN
from chat_server import Asked, Turn, chatting, nobody
from command import COMMAND, call
from judged_answers import chimes_run
from judges import honest, mmar_with_criteria
from made_up_run import settings_of, write_run
from runs import audible_data, ended, interrupt, mmar_data, wait_until
from training_rows import made_rows, rows_file, without_chain

from dtbench.harness.cli.help_texts import EXAMPLES, exit_codes
from dtbench.harness.cli.main import main
from dtbench.harness.core.schema import Sample
from dtbench.harness.store.run_folder import RunFolder
from dtbench.tasks import registry
from dtbench.training.data.rows import write_rows

PAGE = Path(__file__).parents[2] / "docs" / "exit-codes.md"
PATHS = sorted(path for path in EXAMPLES if path not in {"", "data", "new", "probe"})
"""The words of every command that does something."""
FULL = Path("/dev/full")
BLIND = "--model random --tasks mini --limit 3"
CHAIN = (
    "First the start of the note matters: it is sudden, as when metal is hit. Then it fades slowly and evenly, "
    "which neither wind nor skin would do in such a quiet room. So the answer is "
)

DOES: Mapping[str, Mapping[int, tuple[str, ...]]] = {
    "doctor": {0: ("doctor",), 2: ("doctor --nope",)},
    "tasks": {0: ("tasks",), 2: ("tasks nope",)},
    "models": {0: ("models",), 2: ("models nope",)},
    "data pull": {2: ("data pull nope", "data pull")},
    "data verify": {
        0: ("data verify mmar --data-dir audible --subset",),
        2: ("data verify mmar --data-dir data --subset", "data verify mmar --data-dir nowhere", "data verify"),
    },
    "data convert": {2: ("data convert avqa nowhere --out r.jsonl", "data convert nope audible --out r.jsonl")},
    "data load": {
        0: ("data load mmar --data-dir audible --to audible-{n}",),
        2: ("data load nope --to x", "data load mini"),
    },
    "run": {
        0: (f"run {BLIND} --out random",),
        2: (
            "run --model nope --tasks mini --out x",
            f"run {BLIND} --seed x",
            f"run {BLIND} --out data/MMAR-meta.jsonl",
        ),
        3: ("run --base-url {nobody} --model tiny --tasks mini --limit 2 --out away",),
        130: (
            "run --base-url {url} --model tiny --tasks mini --limit 9 --max-tokens-in-all 12 --concurrency 1 --out b",
        ),
    },
    "sweep": {
        0: ("sweep random --tasks mini --limit 3 --out sweep-1",),
        2: ("sweep --tasks mini", "sweep random nope --tasks mini --limit 3 --out sweep-2"),
    },
    "new task": {
        0: ("new task birds-{n}",),
        2: ("new task", "new task mmar", "new task birds --to data/MMAR-meta.jsonl"),
    },
    "subset": {
        0: ("subset right wrong close --size 9 --out small-{n}.txt",),
        2: ("subset right wrong --size 9 --out small.txt", "subset right wrong nope --size 9 --out small.txt"),
    },
    "merge": {
        0: ("merge shards",),
        2: ("merge right", "merge nope"),
        4: ("merge half",),
    },
    "score": {0: ("score right",), 2: ("score nope", "score --task mmar --predictions nope", "score")},
    "compare": {
        0: ("compare right wrong",),
        2: ("compare right nope", "compare right"),
        4: ("compare waits/run waits-too/run",),
    },
    "gate": {
        0: ("gate --baseline wrong --candidate right",),
        1: ("gate --baseline right --candidate wrong", "gate --baseline right --candidate wrong --json"),
        2: ("gate --baseline right --candidate nope", "gate --baseline right --candidate wrong --policy nope.toml"),
        3: ("gate --baseline right --candidate thinks",),
        4: (
            "gate --baseline right --candidate close --max-drop 1",
            "gate --baseline waits/run --candidate waits-too/run",
        ),
    },
    "report": {0: ("report right --out r.html",), 2: ("report nope", "report")},
    "table": {
        0: ("table right wrong",),
        2: ("table nope", "table right --by nope"),
        4: ("table waits/run waits-too/run",),
    },
    "plot": {0: ("plot right wrong --out p.svg",), 2: ("plot nope --out q.svg", "plot right --out p.nope")},
    "board": {0: ("board --task mmar --runs .",), 2: ("board --task nope", "board --runs nope")},
    "judge": {
        0: ("judge thinks --base-url {url} --model tiny",),
        2: ("judge nope --base-url {url}", "judge thinks"),
        3: ("judge thinks --base-url {nobody} --model tiny --out judge-away",),
        130: ("judge thinks --base-url {url} --model tiny --out judge-budget --max-tokens-in-all 12",),
    },
    "faithful": {
        0: ("faithful reasons --base-url {url} --model tiny --data-dir audible",),
        2: ("faithful nope", "faithful right --base-url {url}", "faithful reasons --only nope"),
        3: ("faithful reasons --base-url {nobody} --model tiny --data-dir audible --out faithful-away",),
    },
    "export": {
        0: ("export right --format lm-eval --out lm", "export --format arc --check arc.zip --data-dir data"),
        2: ("export nope --format arc", "export right --format nope", "export --format arc --check rows.jsonl"),
    },
    "view": {2: ("view nope", "view right --port x")},
    "watch": {
        0: ("watch right --once", "watch right", "watch failed --once"),
        2: ("watch nope",),
        3: ("watch failed", "watch killed"),
        130: ("watch stopped",),
    },
    "cot": {
        0: ("cot drafts.jsonl --base-url {url} --against none --out cot",),
        2: ("cot nope.jsonl --base-url {url} --out x",),
        3: ("cot drafts.jsonl --base-url {nobody} --against none --out cot-away",),
    },
    "mine": {
        0: ("mine rows.jsonl --model random --samples 2 --out mined",),
        2: ("mine nope.jsonl --model random --out x",),
        3: ("mine rows.jsonl --base-url {nobody} --model tiny --samples 2 --out mined-away",),
    },
    "train": {0: ("train mini --out train --dry-run",), 2: ("train nope.toml --out x", "train mini")},
    "lm-eval": {
        0: ("lm-eval ls tasks --help",),
        2: ("lm-eval run --nope", "lm-eval validate --tasks nope", "lm-eval --model dtbench --tasks nope"),
    },
    "extract": {0: ("extract outputs.jsonl",), 2: ("extract nope.jsonl", "extract rows.jsonl")},
    "probe weights": {0: ("probe weights mini mini",), 2: ("probe weights mini nope", "probe weights mini")},
    "probe lens": {2: ("probe lens mini --limit 1", "probe lens nope", "probe lens mini --tasks mini,mmar")},
    "probe states": {2: ("probe states mini nope --tasks mini", "probe states mini mini", "probe states mini")},
    "demo": {2: ("demo --backend nope", "demo --nope")},
}
"""Command -> code -> command lines that end with it, in a folder in which the others ran before."""
CASES = [(line, code) for codes in DOES.values() for code, lines in codes.items() for line in lines]
PRINTS = [path for path, codes in DOES.items() if 0 in codes]


def endpoint(asked: Asked) -> Turn:
    """A judge where criteria are named, a writer of chains where the answer is, and a model elsewhere."""
    content = asked.json()["messages"][-1]["content"]
    text = content if isinstance(content, str) else str(content[-1]["text"])
    if "Criteria:\n" in text:
        return honest(asked)
    return Turn(CHAIN + text.rpartition("So the answer is ")[2]) if "So the answer is " in text else Turn("(A)")


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], list[str]]]:
    """A folder with runs, data and an endpoint, in which we are; the words of a command line there."""
    folder, before = tmp_path_factory.mktemp("exits"), Path.cwd()
    os.chdir(folder)
    audible_data(Path("audible"), 4)
    made_runs()
    made_inputs()
    numbers = iter(range(10_000))
    try:
        with chatting(choose=endpoint) as chat:
            names = {"url": chat.url, "nobody": nobody()}
            for part in ("1/2", "2/2"):
                assert call("run", *BLIND.split(), "--shard", part, "--out", "shards").code in {0, 4}
            assert call("run", *BLIND.split(), "--shard", "1/2", "--out", "half").code == 0
            yield lambda line: shlex.split(line.format(**names, n=next(numbers)))
    finally:
        os.chdir(before)


def made_runs() -> None:
    mmar_data(Path("data"), 60)
    mmar_with_criteria(Path("criteria"), 4)
    for name, wrong in (("right", 0), ("wrong", 60), ("close", 2)):
        write_run(Path(name), {"mmar": Path("data")}, functools.partial(said, wrong))
    write_run(Path("thinks"), {"mmar": Path("criteria")}, lambda sample, _: f"<think>Hm.</think>{sample.answer}")
    write_run(Path("reasons"), {"mmar": Path("audible")}, lambda sample, _: f"<think>Hm.</think>{sample.answer}")
    for name in ("waits", "waits-too"):
        Path(name).mkdir()
        chimes_run(Path(name), {})
    for name in ("failed", "stopped", "killed"):
        with RunFolder.start(Path(name), settings_of({}), command=["dtbench", "run"]) as run:
            if name != "killed":
                run.finish("failed" if name == "failed" else "interrupted")


def said(wrong: int, sample: Sample, repeat: int) -> str:
    number = int(sample.id.partition("_")[0].rpartition("-")[2])
    return sample.choices[0] if number >= wrong else sample.choices[1]


def made_inputs() -> None:
    rows_file(Path(), 4)
    write_rows(Path("drafts.jsonl"), [without_chain(row) for row in made_rows(Path(), 2)])
    Path("outputs.jsonl").write_text(json.dumps({"choices": ["yes", "no"], "output": "(A)"}) + "\n")
    data = registry.get_task("mmar").load(Path("data"))
    lines = ({"id": one.id, "answer_prediction": one.answer, "thinking_prediction": "Hm."} for one in data.samples)
    with zipfile.ZipFile("arc.zip", "w") as archive:
        archive.writestr("result.jsonl", "".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize(("line", "code"), CASES, ids=[f"{code} {line}" for line, code in CASES])
def test_a_command_ends_with_the_code_that_stands_for_what_happened(
    ground: Callable[[str], list[str]], line: str, code: int
) -> None:
    done = call(*ground(line))
    CAMPAIGN.note(f"exit code of {line}", 1, leaked=done.code != code)
    assert done.code == code, done
    assert "Traceback" not in done.err
    assert "should not have happened" not in done.err


class Interrupting(io.TextIOWrapper):
    """A stream at whose first line Ctrl-C is pressed."""

    def write(self, text: str) -> int:
        signal.raise_signal(signal.SIGINT)
        return super().write(text)


def called_into(stream: io.TextIOWrapper, words: list[str]) -> tuple[int, str]:
    """The exit code of a command that prints into this stream, and what it said on stderr."""
    errors = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    with (
        patch.object(sys, "argv", ["dtbench", *words]),
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(errors),
        pytest.raises(SystemExit) as end,
    ):
        main()
    assert isinstance(end.value.code, int)
    errors.seek(0)
    return end.value.code, errors.read()


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("path", PRINTS)
def test_a_result_that_cannot_be_printed_is_a_failure_of_the_machine(
    ground: Callable[[str], list[str]], path: str
) -> None:
    with FULL.open("w") as full:
        assert isinstance(full, io.TextIOWrapper)
        code, said = called_into(full, ground(DOES[path][0][0]))
    assert code == 3, said
    assert said.splitlines()[-1] == "error: the output could not be written (No space left on device)"


@pytest.mark.parametrize("path", PRINTS)
def test_ctrl_c_while_a_result_is_printed_is_130(ground: Callable[[str], list[str]], path: str) -> None:
    code, said = called_into(Interrupting(io.BytesIO(), "utf-8", write_through=True), ground(DOES[path][0][0]))
    assert code == 130, said
    assert "error" not in said


@pytest.mark.parametrize("path", PRINTS)
def test_a_reader_that_has_gone_is_no_failure(ground: Callable[[str], list[str]], path: str) -> None:
    source, sink = os.pipe()
    os.close(source)
    with os.fdopen(sink, "w") as gone:
        assert isinstance(gone, io.TextIOWrapper)
        code, said = called_into(gone, ground(DOES[path][0][0]))
    assert code == 0, said
    assert "error" not in said


@contextlib.contextmanager
def processes(folder: Path, lines: Mapping[str, str]) -> Iterator[Mapping[str, subprocess.Popen[bytes]]]:
    """Commands that go on at once in this folder, killed at the end if they still run."""
    with contextlib.ExitStack() as stack:
        running = {}
        for name, line in lines.items():
            pipe = subprocess.PIPE
            one = subprocess.Popen([*COMMAND, *shlex.split(line)], stdout=pipe, stderr=pipe, cwd=folder)
            running[name] = stack.enter_context(one)
            stack.callback(one.kill)
        yield running


def test_ctrl_c_ends_whatever_asks_a_model_in_time_with_130(ground: Callable[[str], list[str]]) -> None:
    ask = "--tasks mini --limit 1"
    with chatting(default=Turn(delay=9000), models=("run", "sweep", "judge", "faithful", "cot", "mine")) as chat:
        lines = {
            "run": f"run --base-url {chat.url} --model run {ask} --out c-run",
            "sweep": f"sweep {chat.url} -M model=sweep {ask} --out c-sweep",
            "judge": f"judge thinks --base-url {chat.url} --model judge --out c-judge",
            "faithful": f"faithful reasons --base-url {chat.url} --model faithful --data-dir audible --out c-faithful",
            "cot": f"cot drafts.jsonl --base-url {chat.url} --model cot --against none --out c-cot",
            "mine": f"mine rows.jsonl --base-url {chat.url} --model mine --samples 2 --out c-mine",
        }
        with processes(Path.cwd(), lines) as running:
            wait_until(lambda: {asked.json()["model"] for asked in chat.asked} == {*lines}, 60)
            for _ in range(2):  # the first ends it in good order, once what is in flight has come
                for one in running.values():
                    interrupt(one)
                time.sleep(1)
            assert {name: ended(one, 60).code for name, one in running.items()} == dict.fromkeys(lines, 130)


def test_ctrl_c_ends_lm_eval_with_130_and_no_traceback(ground: Callable[[str], list[str]]) -> None:
    pytest.importorskip("lm_eval", reason="lm-eval, of the extra lm-eval, is not installed")
    with chatting(default=Turn(delay=9000)) as chat:
        asked = f"lm-eval --model dtbench --model_args pretrained={chat.url},model=tiny --tasks dtbench_mini --limit 1"
        with processes(Path.cwd(), {"lm-eval": asked}) as running:
            wait_until(lambda: chat.asked or running["lm-eval"].poll() is not None, 120)
            interrupt(running["lm-eval"])
            done = ended(running["lm-eval"], 60)
    assert done.code == 130, done
    assert "Traceback" not in done.err


def test_ctrl_c_ends_whatever_waits_in_time_with_130(ground: Callable[[str], list[str]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.MonkeyPatch.context() as environment:
        environment.setenv("HF_ENDPOINT", f"http://127.0.0.1:{mute.getsockname()[1]}")
        write_run(Path("going"), {"mmar": Path("data")}, lambda sample, _: sample.answer)
        settings = json.loads(Path("going/run.json").read_text())
        with RunFolder.start(Path("held"), settings_of(settings["tasks"]), command=["dtbench", "run"]):
            lines = {
                "view": "view right --port 0",
                "watch": "watch held --every 0.1",
                "data pull": "data pull mmsu --data-dir c-data",
            }
            with processes(Path.cwd(), lines) as running:
                read_a_line(running["view"].stdout)
                read_a_line(running["watch"].stderr)
                mute.settimeout(60)
                with mute.accept()[0]:
                    for one in running.values():
                        interrupt(one)
                    assert {name: ended(one, 60).code for name, one in running.items()} == dict.fromkeys(lines, 130)


def read_a_line(stream: IO[bytes] | None) -> None:
    assert stream is not None
    assert stream.readline()


def test_the_page_of_exit_codes_says_what_help_says() -> None:
    meant: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in PATHS:
        for code, meaning in exit_codes(path).items():
            meant[code][meaning].append(path)
    rows = re.findall(r"^\| (\d+) \| (.+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [
        (str(code), meaning, "every other command" if len(paths) > 9 else ", ".join(f"`{path}`" for path in paths))
        for code, meanings in sorted(meant.items())
        for meaning, paths in sorted(meanings.items(), key=lambda one: -len(one[1]))
    ]


def test_every_code_that_help_names_has_its_case() -> None:
    elsewhere = {("demo", 0), ("probe lens", 0), ("probe states", 0), ("data pull", 0), ("data convert", 0)}
    """With a model of torch, a download or a published data set: tests/engines, tests/tasks/data, tests/training."""
    named = {(path, code) for path in PATHS for code in exit_codes(path) if code not in {3, 130}}
    assert {(path, code) for path, codes in DOES.items() for code in codes if code not in {3, 130}} == (
        named - elsewhere - {("view", 0)}
    )
    assert {path for path, code in named if code == 1} == {"gate"}
