"""What the tests of training share: the engine's environment, the model in the box, and short recipes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dtbench
from dtbench.training.data.row_sources import load_rows
from dtbench.training.data.rows import write_rows
from dtbench.training.recipe.recipe import load_recipe, override
from dtbench.training.stages import state
from dtbench.training.stages.layout import Layout

ROOT = Path(__file__).resolve().parents[2]
MINI = ROOT / "models" / "mini" / "checkpoint"
"""The model in the box."""
SHORT = """
title = "mini, a few steps a stage"
model = "{model}"
engine = "swift"
model_type = "qwen3_omni_moe"
prompt = "{{question}}\\n{{options}}\\ndescribe the audio in think tags then write how ."

[training]
advantages = "gdpo"
beta = 0.001
generations = 4
batch = 16
micro_batch = 8
learning_rate = 2e-4
max_prompt_tokens = 256
max_new_tokens = 48
temperature = 1.0
train_audio_tower = true
train_projector = true
dtype = "float32"
checkpointing = false
save_every = 2

[machines]
device = "cpu"
processes = 2
threads = 1
rollouts = "transformers"

[rewards]
template = {{ opening = "<think>", closing = "</think>" }}
evaluator = "mini events"
embedding = "ngrams"
consistency = "words"
guards = ["empty", "huge", "loop", "nothing new", "instruction"]
task = "mini"

[evaluation]
tasks = ["mini"]
backend = "local"
limit = 24
concurrency = 24
options = {{ batch_size = 24, max_tokens = 48 }}
audio_ablation = true
describe = true

[[stage]]
name = "stage-1"
data = ["mini-train-1"]
questions = 40
steps = 6
rewards = {{ accuracy = 1, format = 1, consistency = 1, hybrid = 1 }}

[[stage]]
name = "stage-2"
data = ["mini-train-2"]
questions = 40
steps = 4
rewards = {{ accuracy = 1, evaluator = 1 }}
"""


def engine_place() -> Path:
    """The environment of ms-swift; a skip where there is none."""
    for place in (os.environ.get("DTBENCH_ENGINE"), ROOT / ".venv-train"):
        if place is not None and (Path(place) / "bin" / "swift").is_file():
            return Path(place)
    pytest.skip("ms-swift is not installed: `make train-env` installs it")


def model_in_the_box() -> Path:
    """Its folder; a skip where it is not there."""
    if not (MINI / "config.json").is_file():
        pytest.skip("the checkpoint of models/mini is not there")
    return MINI


def short_recipe(folder: Path, *changes: tuple[str, str], model: Path | None = None) -> Path:
    """A recipe of a few steps for the model in the box or another, with some of its text replaced."""
    text = SHORT.format(model=model or model_in_the_box())
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path = folder / "short.toml"
    path.write_text(text)
    return path


def answer_in_letters(folder: Path) -> None:
    """Forbid all other tokens: of a sampled mark of a clip nobody could say what it is."""
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    letters = {number for token, number in vocabulary.items() if token.isascii() and token.isalpha()}
    path = folder / "generation_config.json"
    forbidden = [number for number in range(len(vocabulary) + 64) if number not in letters]
    path.write_text(json.dumps({**json.loads(path.read_text()), "suppress_tokens": forbidden}))


def endpoint_recipe(folder: Path, url: str, at_once: int, *changes: tuple[str, str]) -> Path:
    """A recipe of two stages whose models an endpoint stands for; the base has weights in name only."""
    family = folder / "family.toml"
    family.write_text(f'[stand-in]\nurl = "{url}"\nmodel = "tiny"\n')
    model = folder / "base-model"
    model.mkdir()
    for name in ("config.json", "tokenizer_config.json", "model.safetensors"):
        content = b"\2\0\0\0\0\0\0\0{}" if name.endswith("s") else json.dumps({"architectures": ["None"]}).encode()
        (model / name).write_bytes(content)
    return short_recipe(
        folder,
        ('backend = "local"\n', ""),
        ("concurrency = 24", f"concurrency = {at_once}"),
        ("{ batch_size = 24, max_tokens = 48 }", json.dumps({"family": str(family)}).replace(":", " =", 1)),
        *changes,
        model=model,
    )


def of_few_rows(folder: Path) -> list[tuple[str, str]]:
    """What a short recipe says of data that are files of the first rows of each split, which load at once."""
    changes = []
    for name in ("mini-train-1", "mini-train-2"):
        file = folder / f"{name}.jsonl"
        write_rows(file, load_rows(name, folder / "clips", limit=60))
        changes.append((f'data = ["{name}"]', f'data = ["{file}"]'))
    return changes


def begun(recipe: Path, out: Path) -> Layout:
    """A run whose base counts as evaluated, so that it goes on with its first stage."""
    layout = Layout(out.resolve())
    layout.root.mkdir()
    state.open_state(layout.state, override(load_recipe(str(recipe)), model=None, seed=None)).set_base(state.DONE)
    return layout


def train(recipe: Path, out: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    """`dtbench train` in a process of its own."""
    own = f"import sys; sys.argv = ['dtbench', *{['train', str(recipe), '--out', str(out), '--json', *options]!r}]"
    code = f"{own}; from dtbench.harness.cli.main import main; main()"
    environment = {
        **os.environ,
        **environment,
        "DTBENCH_ENGINE": str(engine_place()),
        "PYTHONPATH": str(Path(dtbench.__file__).parent.parent),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its exit status, and what it said on both channels."""
    out, err = process.communicate()
    return process.returncode, out, err
