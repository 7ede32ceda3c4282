"""Models and loggers of a user's own that break the contract: one line with the place, and stdout stays JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from campaign import CAMPAIGN
from command import call, process

from dtbench.harness.core import guarded_model

HEAD = """
import sys
from dtbench import Response


class Mine:
    listens, rate, limit_seconds = False, 16000, None

"""
METHODS: Mapping[str, str] = {
    "__init__(self)": "pass",
    "async generate(self, prompt)": "return Response('(A)')",
    "describe(self)": "return {'name': 'mine', 'version': '1'}",
    "async aclose(self)": "pass",
}
ANSWER = "async generate(self, prompt)"
ABOUT = "describe(self)"
CLOSE = "async aclose(self)"
MADE = "__init__(self)"
EXPECTED = "the model returned a Response whose "

CASES: dict[str, tuple[str, str, int, str]] = {
    "it raises when it is made": (MADE, "1 / 0", 3, "creating the model {model} failed with ZeroDivisionError"),
    "it exits when it is made": (MADE, "sys.exit(7)", 3, "creating the model {model} failed with SystemExit: 7"),
    "its rate is a text": (MADE, "self.rate = 'x'", 3, "model {model} has the rate 'x': a whole number"),
    "its limit is a text": (MADE, "self.limit_seconds = 'x'", 3, "model {model} has limit_seconds 'x': a number"),
    "generate raises": (ANSWER, "1 / 0", 3, "the model failed with ZeroDivisionError: division by zero (own_"),
    "generate exits": (ANSWER, "sys.exit(7)", 3, "the model failed with SystemExit: 7 (own_"),
    "generate returns a text": (ANSWER, "return '(A)'", 3, "the model returned '(A)': a dtbench.Response is expected"),
    "generate returns nothing": (ANSWER, "return None", 3, "the model returned None: a dtbench.Response is expected"),
    "generate is a generator": (ANSWER, "yield 5", 3, "the model failed with TypeError"),
    "a text is nothing": (ANSWER, "return Response(None)", 3, EXPECTED + "text is None: a text is expected"),
    "a text is bytes": (ANSWER, "return Response(b'x')", 3, EXPECTED + "text is b'x': a text is expected"),
    "a finish reason is nothing": (ANSWER, "return Response('x', None)", 3, EXPECTED + "finish_reason is None"),
    "a usage is of floats": (ANSWER, "return Response('x', usage={'n': 1.5})", 3, EXPECTED + "usage is {{'n': 1.5}}"),
    "a usage is nothing": (ANSWER, "return Response('x', usage=None)", 3, EXPECTED + "usage is None"),
    "a usage is immense": (ANSWER, "return Response('x', usage={'n': 2**63})", 3, EXPECTED + "usage is {{'n': 92"),
    "seconds are not a number": (ANSWER, "return Response('x', seconds=float('nan'))", 3, EXPECTED + "seconds is nan"),
    "seconds are a text": (ANSWER, "return Response('x', seconds='x')", 3, EXPECTED + "seconds is 'x'"),
    "attempts are a text": (ANSWER, "return Response('x', attempts='y')", 3, EXPECTED + "attempts is 'y'"),
    "a seed is a text": (ANSWER, "return Response('x', seed='y')", 3, EXPECTED + "seed is 'y'"),
    "log-probabilities are a number": (ANSWER, "return Response('x', option_logprobs=3)", 3, "option_logprobs is 3"),
    "describe raises": (ABOUT, "1 / 0", 3, "the model {model}: describe() failed with ZeroDivisionError"),
    "describe exits": (ABOUT, "sys.exit(7)", 3, "the model {model}: describe() failed with SystemExit: 7"),
    "describe returns nothing": (ABOUT, "return None", 3, "the model {model}: describe() returned None; a dict"),
    "a name is a set": (ABOUT, "return {'name': {1}}", 3, "describe() returned {{'name': {{1}}}}; a dict"),
    "what it describes is no JSON": (ABOUT, "return {'x': {1}}", 3, "returned {{'x': {{1}}}} (Object of type set"),
    "what it describes is not a number": (ABOUT, "return {'x': float('nan')}", 3, "JSON has to hold it."),
}
TOLD: dict[str, tuple[str, str]] = {
    "aclose raises": ("1 / 0", "aclose() failed with ZeroDivisionError"),
    "aclose hangs": ("import asyncio; await asyncio.sleep(9000)", "aclose() was left after 0 s."),
    "aclose exits": ("sys.exit(7)", "aclose() failed with SystemExit: 7"),
}
LOGGERS: dict[str, tuple[str, str]] = {
    "exits": ("raise SystemExit(0)", "failed with SystemExit: 0"),
    "raises what is no Exception": ("raise BaseException('x')", "failed with BaseException: x"),
    "divides by zero": ("1 / 0", "failed with ZeroDivisionError"),
}


def own_model(folder: Path, name: str, method: str, body: str) -> str:
    """Write a module with a model in which one method is another; the name of the class."""
    bodies = {**METHODS, method: body}
    written = [
        f"{'async ' if one.startswith('async ') else ''}def {one.removeprefix('async ')}:\n    {said}\n"
        for one, said in bodies.items()
    ]
    (folder / f"{name}.py").write_text(HEAD + textwrap.indent("\n".join(written), "    "))
    return f"{name}:Mine"


@pytest.fixture
def name(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that no other test has, in a folder of which modules are loaded."""
    monkeypatch.syspath_prepend(tmp_path)
    return "own_" + "".join(c if c.isalnum() else "_" for c in request.node.name)


def run_of(model: str, folder: Path, *options: str) -> tuple[str | Path, ...]:
    asked = ("--tasks", "mini", "--limit", "2", "--out", folder / "run", "--json")
    return ("run", "--model", model, *asked, *options)


@pytest.mark.parametrize("case", CASES)
def test_a_model_that_breaks_its_contract_is_one_line(tmp_path: Path, name: str, case: str) -> None:
    method, body, code, said = CASES[case]
    model = own_model(tmp_path, name, method, body)
    done = call(*run_of(model, tmp_path))
    CAMPAIGN.note(f"own model: {case}", 1, leaked="Traceback" in done.err)
    assert (done.code, done.out) == (code, ""), done
    (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert said.format(model=model) in line
    assert "Traceback" not in done.err
    assert "should not have happened" not in done.err


@pytest.mark.parametrize("case", TOLD)
def test_a_model_that_cannot_be_closed_has_answered_all_the_same(
    tmp_path: Path, name: str, case: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, said = TOLD[case]
    monkeypatch.setattr(guarded_model, "CLOSING", 0.3)
    model = own_model(tmp_path, name, CLOSE, body)
    done = call(*run_of(model, tmp_path))
    CAMPAIGN.note(f"own model: {case}", 1)
    assert done.code == 0, done
    assert json.loads(done.out)["tasks"][0]["n"] == 2
    assert f"the model {model}: {said}" in caplog.text
    assert "Traceback" not in done.err


def test_what_a_model_prints_goes_to_stderr(tmp_path: Path, name: str) -> None:
    body = "print('answering'); return Response('(A)')"
    model = own_model(tmp_path, name, ANSWER, body)
    file = tmp_path / f"{name}.py"
    file.write_text(file.read_text() + "print('file')\nMine.__init__ = lambda self: print('made')\n")
    done = process(*run_of(model, tmp_path), PYTHONPATH=f"{tmp_path}:{Path(__file__).parents[2] / '.src'}")
    assert json.loads(done.out)["status"] == "done"
    assert {"file", "made", "answering"} <= set(done.err.splitlines())


@pytest.mark.parametrize("case", LOGGERS)
def test_a_logger_that_fails_in_any_way_is_one_line_and_the_summary_is_printed(
    tmp_path: Path, name: str, case: str
) -> None:
    body, said = LOGGERS[case]
    (tmp_path / f"{name}.py").write_text(f"def log(summary, settings):\n    print('logging')\n    {body}\n")
    done = call(*run_of("random", tmp_path, "--log", f"{name}:log"))
    CAMPAIGN.note(f"own logger: {case}", 1)
    assert done.code == 3, done
    assert json.loads(done.out)["status"] == "done"
    assert f"--log {name}:log: {said}" in done.err
    assert "Traceback" not in done.err


def test_ctrl_c_in_a_logger_is_ctrl_c(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text("def log(summary, settings):\n    raise KeyboardInterrupt\n")
    assert call(*run_of("random", tmp_path, "--log", f"{name}:log")).code == 130


@pytest.mark.parametrize("key", ["a = ", "[a]\nb = {c = "])
@pytest.mark.parametrize(
    "command", ["train {file} --out t --dry-run", "run --config {file} --dry-run", "run --model {file} --tasks mini"]
)
def test_a_deeply_nested_file_of_settings_is_one_line(tmp_path: Path, command: str, key: str) -> None:
    file = tmp_path / "deep.toml"
    file.write_text(key + "[" * 5000 + "]" * 5000 + "}" * key.count("{") + "\n")
    line = call(*(word.format(file=file) for word in command.split())).refusal()
    CAMPAIGN.note(f"deeply nested settings: {command.split()[0]}", 1)
    assert line == f"error: {file}: its values are nested too deeply to be read."
