from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dtbench
from dtbench import MachineryError, Prompt, Response, UserError
from dtbench.models import from_function

PROMPT = Prompt("Which bird?", Path("a.wav"), None, ("Robin", "Jay"), "q1", 0, 7, wav=b"RIFF")


def said(function: Callable[..., Any], **settings: Any) -> str:
    return asyncio.run(from_function(function, **settings).generate(PROMPT)).text


async def later(wav: bytes) -> Response:
    return Response(f"{len(wav)} bytes")


def only_text(text: str, /) -> str:
    return text


class Caller:
    def __init__(self, word: str) -> None:
        self.word = word

    def __call__(self, text: str) -> str:
        return f"{self.word} {text}"

    def method(self, text: str) -> str:
        return self(text)


@pytest.mark.parametrize(
    ("function", "answer", "listens"),
    [
        (lambda text: text, "Which bird?", False),
        (lambda question: question, "Which bird?", False),
        (lambda question, clip: f"{question} {len(clip)}", "Which bird? 4", True),
        (lambda wav, text: f"{len(wav)} {text}", "4 Which bird?", True),
        (lambda choices, seed: f"{choices[1]} {seed}", "Jay 7", False),
        (lambda prompt: prompt.id, "q1", True),
        (lambda text, style="x": text + style, "Which bird?x", False),
        (lambda text, **_: text, "Which bird?", False),
        (functools.partial(lambda word, text: word + text, "so: "), "so: Which bird?", False),
        (later, "4 bytes", True),
        (only_text, "Which bird?", False),
        (Caller("hm"), "hm Which bird?", False),
        (Caller("hm").method, "hm Which bird?", False),
    ],
)
def test_a_function_gets_what_its_parameters_name(function: Callable[..., Any], answer: str, *, listens: bool) -> None:
    assert said(function) == answer
    assert from_function(function).listens is listens


def test_a_prompt_that_is_to_be_a_text_is_one() -> None:
    def annotated(prompt: str) -> str:
        return prompt

    assert said(annotated) == "Which bird?"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda a, b, c: "", "nothing of a prompt is called 'a': name its parameters text, wav"),
        (lambda clip, text: "", "nothing of a prompt is called 'clip'"),
        (min, "its parameters cannot be seen"),
    ],
)
def test_parameters_that_nothing_fills_are_refused_at_once(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_function(function)


def test_what_is_no_text_ends_the_run() -> None:
    with pytest.raises(MachineryError, match=r"returned NoneType: a text or a dtbench.Response is expected"):
        said(lambda text: None)


def test_a_plain_function_runs_once_at_a_time_unless_the_run_says_otherwise(tmp_path: Path) -> None:
    busy, most = 0, 0
    lock = threading.Lock()

    def model(choices: tuple[str, ...]) -> str:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        threading.Event().wait(0.02)
        with lock:
            busy -= 1
        return choices[0]

    dtbench.run(model, "mini", limit=6, out=tmp_path / "one")
    assert most == 1
    dtbench.run(model, "mini", limit=6, out=tmp_path / "three", concurrency=3)
    assert most == 3


def made(word: str) -> Callable[[str], str]:
    def answer(text: str) -> str:
        return f"{word} {text}"

    return answer


def test_code_and_the_values_that_it_is_made_with_tell_functions_apart() -> None:
    def code(function: Any) -> Any:
        return from_function(function).describe()["code"]

    assert code(made("a")) == code(made("a"))
    alike = [made("a"), made("b"), functools.partial(Caller.__call__, Caller("a")), Caller("a"), Caller("b"), later]
    assert len({code(one) for one in alike}) == len(alike)
    assert code(Caller("a").method) != code(Caller("b").method)


def test_comments_and_the_statement_around_a_lambda_are_no_other_code() -> None:
    one = from_function(lambda text: text)
    other = from_function(
        lambda text: text,  # the same
    )
    assert one.describe() == other.describe()


def test_the_hash_of_a_function_is_the_same_in_every_process() -> None:
    code = """
import dtbench
space = {}
exec("def f(text, kinds=frozenset('abc'), *, n={'a': 1}): return text in {'x', 'y', 'z'}", space)
print(dtbench.models.from_function(space["f"]).describe()["code"])
"""
    seeds = [{**os.environ, "PYTHONHASHSEED": seed} for seed in ("1", "2")]
    command = [sys.executable, "-c", code]
    runs = [subprocess.run(command, env=seed, capture_output=True, text=True, check=True) for seed in seeds]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout.strip()) == 12


def test_other_code_does_not_go_on_with_a_run_and_a_version_vouches_for_it(tmp_path: Path) -> None:
    dtbench.run(made("(A)"), "mini", limit=2, out=tmp_path / "run")
    assert dtbench.run(made("(A)"), "mini", limit=3, out=tmp_path / "run").scores()["n"] == 3
    with pytest.raises(UserError, match="code"):
        dtbench.run(made("(B)"), "mini", limit=3, out=tmp_path / "run")

    for word in ("(A)", "(B)"):
        model = from_function(made(word), name="mine", version="checkpoint 7")
        run = dtbench.run(model, "mini", limit=2, out=tmp_path / "named")
    assert (run.model, run.info["model"]["revision"]) == ("mine", "checkpoint 7")
    other = from_function(made("(A)"), name="mine", version="checkpoint 8")
    with pytest.raises(UserError, match="checkpoint 8"):
        dtbench.run(other, "mini", limit=2, out=tmp_path / "named")
