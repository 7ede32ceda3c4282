"""Every flag that ms-swift is given by a recipe is one that it knows."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from trainer import engine_place

import dtbench
from dtbench.training.engines.launch import get_engine
from dtbench.training.recipe.recipe import load_recipe, recipe_names
from dtbench.training.stages.jobs import stage_job
from dtbench.training.stages.layout import Layout

pytestmark = pytest.mark.engine
OUT = Path("/runs/x")
KNOWN = """
import ast, json, pathlib, sys, dataclasses
from swift.arguments import RLHFArguments, RolloutArguments
import swift
folder = pathlib.Path(swift.__file__).parent / "megatron" / "arguments"
def fields(file):
    tree = ast.parse(file.read_text())
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return {node.target.id for one in classes for node in one.body if isinstance(node, ast.AnnAssign)}
from swift.arguments.base_args import BaseArguments
megatron = set().union(*map(fields, folder.glob("*.py"))) | {f.name for f in dataclasses.fields(BaseArguments)}
print(json.dumps({"swift": [f.name for f in dataclasses.fields(RLHFArguments)],
    "rollout": [f.name for f in dataclasses.fields(RolloutArguments)], "megatron": sorted(megatron)}))
"""


def test_the_engine_knows_every_flag_that_it_is_given() -> None:
    # Megatron itself does not install on a machine without a GPU: its flags are read from ms-swift's source.
    python = engine_place() / "bin" / "python"
    environment = {**os.environ, "PYTHONPATH": str(Path(dtbench.__file__).parent.parent)}
    done = subprocess.run([python, "-c", KNOWN], env=environment, capture_output=True, text=True, check=True)
    known = json.loads(done.stdout.splitlines()[-1])
    for name in recipe_names():
        recipe = load_recipe(name)
        for stage in recipe.stage:
            job = stage_job(recipe, stage, Layout(OUT), Path("/c"))
            server = get_engine(recipe.engine).server(job)
            for kind, command in (("", get_engine(recipe.engine).command(job)), ("rollout", server)):
                if command is not None:
                    flags = {word[2:] for word in command.arguments if word.startswith("--")}
                    assert flags - set(known[kind or recipe.engine]) == set()
