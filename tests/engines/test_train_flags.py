"""Every flag of every command that a dry run prints is one that its program has, with a value that it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest
import typer
from trainer import engine_place

import dtbench
from dtbench.harness.cli.main import build
from dtbench.training.recipe.recipe import load_recipe, recipe_names
from dtbench.training.stages.jobs import stage_job
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.options import TrainOptions
from dtbench.training.stages.plan import planned_commands

pytestmark = pytest.mark.engine
OUT = Path("/runs/x")
PARSE = """
import ast, contextlib, dataclasses, io, json, pathlib, sys, typing
from typing import *
from transformers import HfArgumentParser
import swift
from swift.arguments import RLHFArguments, RolloutArguments
from swift.arguments.base_args import BaseArguments

def megatron():
    # Megatron itself does not install on a machine without a GPU: its flags are read from ms-swift's source.
    found = {}
    for file in sorted((pathlib.Path(swift.__file__).parent / "megatron" / "arguments").glob("*.py")):
        for one in ast.walk(ast.parse(file.read_text())):
            for node in one.body if isinstance(one, ast.ClassDef) else ():
                if isinstance(node, ast.AnnAssign):
                    try:
                        found[node.target.id] = eval(ast.unparse(node.annotation), {**vars(typing)})
                    except NameError:  # a type of torch, which no command line names
                        found[node.target.id] = str
    known = {name: Optional[kind] if typing.get_origin(kind) is not Union else kind for name, kind in found.items()}
    fields = [(name, kind, dataclasses.field(default=None)) for name, kind in known.items()]
    return dataclasses.make_dataclass("Megatron", fields, bases=(BaseArguments,))

kinds = {"swift rlhf": RLHFArguments, "swift rollout": RolloutArguments, "megatron rlhf": megatron()}
parsers = {name: HfArgumentParser([kind], allow_abbrev=False) for name, kind in kinds.items()}
problems = []
for kind, words in json.load(open(sys.argv[1])):
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parsers[kind].parse_args(words)
        problems.append("")
    except SystemExit:
        problems.append(said.getvalue().splitlines()[-1])
print(json.dumps(problems))
"""
VLLM = """
import json, sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
for words in json.load(open(sys.argv[1])):
    parser.parse_args(words)
print("fine")
"""


@cache
def commands(recipe: str) -> Sequence[Sequence[str]]:
    """Every command of a recipe."""
    planned = planned_commands(TrainOptions(recipe=recipe, out=OUT))
    return [list(one.command.arguments) for one in planned]


def of_kind(*kind: str) -> list[Sequence[str]]:
    """The arguments of every command of a program, over all recipes."""
    given = [words for name in recipe_names() for words in commands(name)]
    return [words[len(kind) :] for words in given if tuple(words[: len(kind)]) == kind]


def problems_of_swift(folder: Path, commands: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """What ms-swift's own parsers say of each command; empty for one that they take."""
    file = folder / "commands.json"
    file.write_text(json.dumps(commands))
    python = engine_place() / "bin" / "python"
    environment = {**os.environ, "PYTHONPATH": str(Path(dtbench.__file__).parent.parent)}
    done = subprocess.run([python, "-c", PARSE, file], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_ms_swift_takes_every_flag_with_its_value(tmp_path: Path) -> None:
    kinds = (("swift", "rlhf"), ("swift", "rollout"), ("megatron", "rlhf"))
    given = [(" ".join(kind), words) for kind in kinds for words in of_kind(*kind)]
    for name in recipe_names():
        recipe = load_recipe(name)
        for stage in recipe.stage:
            words = get_command(name, stage_index=recipe.stage.index(stage))
            given.append((" ".join(words[:2]), words[2:]))
    assert {kind for kind, _ in given} == {" ".join(kind) for kind in kinds}
    wrong = [
        ("swift rlhf", ["--no_such_flag", "1"], "unrecognized arguments: --no_such_flag 1"),
        ("swift rlhf", ["--max_steps", "many"], "argument --max_steps/--max-steps: invalid int value: 'many'"),
        ("megatron rlhf", ["--micro_batch_size", "1.5"], "invalid int value: '1.5'"),
        ("megatron rlhf", ["--rlhf_type", "grppo"], "invalid choice: 'grppo'"),
        ("swift rollout", ["--port", "http"], "invalid int value: 'http'"),
    ]
    *found, one, two, three, four, five = problems_of_swift(tmp_path, [*given, *((kind, w) for kind, w, _ in wrong)])
    assert [pair for pair in zip(given, found, strict=True) if pair[1]] == []
    for said, (_, _, expected) in zip((one, two, three, four, five), wrong, strict=True):
        assert expected in said


def get_command(name: str, stage_index: int) -> Sequence[str]:
    """The command by which a stage goes on from a checkpoint."""
    from dtbench.training.engines.launch import get_engine

    recipe = load_recipe(name)
    job = stage_job(recipe, recipe.stage[stage_index], Layout(OUT), Path("/c"))
    return list(get_engine(recipe.engine).command(job).arguments)


def options_of_evaluations() -> list[Mapping[str, str]]:
    """The options -M of every evaluation by vLLM."""
    found: list[Mapping[str, str]] = []
    for words in of_kind("dtbench", "run"):
        if "vllm" in words:
            pairs = [words[place + 1] for place, word in enumerate(words) if word == "-M"]
            found.append(dict(pair.split("=", 1) for pair in pairs))
    return found


def test_vllm_takes_every_flag_of_the_judge_and_of_evaluations(tmp_path: Path) -> None:
    given = [["--model", *words] for words in of_kind("vllm", "serve")]
    assert given
    options = options_of_evaluations()
    assert options
    ours = {"max_tokens", "temperature", "system"}
    for one in options:
        flags = {name: value for name, value in one.items() if name not in ours}
        given.append([word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", value)])
    file = tmp_path / "commands.json"
    file.write_text(json.dumps(given))
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", VLLM, file], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["fine"], done.stderr[-2000:]


def test_dtbench_takes_every_option_of_evaluations_and_mining() -> None:
    given = of_kind("dtbench", "run")
    assert len(given) > 10
    for words in given:
        command = typer.main.get_command(build(["run", *words]))
        assert isinstance(command, typer.core.TyperGroup)
        command = command.commands["run"]
        assert command.make_context("run", list(words)).args == []
    with pytest.raises(Exception, match="--no-such-option"):
        command.make_context("run", [*words, "--no-such-option"])
