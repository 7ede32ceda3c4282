"""Adapters: which layers of the language model get one, the check that exactly those have one, and the merge.

A stage ends with its adapter merged into a whole model. Evaluations, later stages and every engine load it like any
other checkpoint, and vLLM's rollouts in training use merged weights too. The next stage measures its KL divergence
from it; with the adapter kept apart, it would measure from the model beneath.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from dtbench.harness.core.errors import DtbenchError, MachineryError, UserError
from dtbench.models.checkpoints.adapters import read_adapter_config
from dtbench.models.checkpoints.tensors import ADAPTER_FILES, checkpoint_tensors, plain_name, safetensors_header
from dtbench.training.recipe.settings import Recipe

_LAYER = "layers."
"""What the plain name of each layer of a language model begins with; those of towers and talkers begin otherwise."""
_OTHERS = "audio|visual|vision|projector|talker|token2wav|code2wav|encoder"
_PART = re.compile(r"\.(?:lora_[A-Za-z_]+|base_layer)(?:\..+)?$")


def target_regex(targets: Sequence[str]) -> str:
    """Return what PEFT finds the layers by: these names, in the layers of the language model alone."""
    return rf"^(?!.*(?:{_OTHERS})).*\blayers\.\d+\.(?:.+\.)?(?:{'|'.join(map(re.escape, targets))})$"


def language_layers(names: Collection[str], targets: Collection[str]) -> set[str]:
    """Return which of these modules are layers of the language model that get an adapter, by their plain names."""
    plain = {plain_name(name) for name in names}
    return {
        name
        for name in plain
        if name.startswith(_LAYER) and name.rpartition(".")[2] in targets and ".experts." not in name
    }


def strange_layers(adapted: Collection[str], expected: Collection[str], targets: Collection[str]) -> str | None:
    """Return why these are not the modules that should have an adapter; None where they are."""
    lacking = sorted(set(targets) - {name.rpartition(".")[2] for name in expected})
    if lacking:
        return f"adapter: targets: no layer of the language model is called {lacking[0]}."
    found = {plain_name(name) for name in adapted}
    if outside := sorted(found - set(expected)):
        return (
            f"adapter: {len(outside)} of {len(found)} adapted layers are none of the language model's that the recipe "
            f"names: {', '.join(outside[:3])}."
        )
    if missing := sorted(set(expected) - found):
        return f"adapter: {len(missing)} of {len(set(expected))} layers have none: {', '.join(missing[:3])}."
    return None


def check_targets(recipe: Recipe) -> None:
    """Raise a UserError for names that no layer of the model has, where the model is a folder here."""
    if recipe.adapter is None or not Path(recipe.model).is_dir():
        return
    layers = _base_layers(Path(recipe.model))
    leaves = {name.rpartition(".")[2] for name in layers if name.startswith(_LAYER) and ".experts." not in name}
    if lacking := [target for target in recipe.adapter.targets if target not in leaves]:
        raise UserError(
            f"adapter: targets: {lacking[0]!r}: no layer of the language model of {recipe.model} is called so, or only "
            f"those of its experts, which get no adapter. Layers: {', '.join(sorted(leaves))}."
        )


def _base_layers(base: Path) -> set[str]:
    """Return the plain names of all modules of a checkpoint that hold a matrix."""
    tensors = checkpoint_tensors(base).values()
    return {plain_name(one.name.removesuffix(".weight")) for one in tensors if len(one.shape) == 2}


def check_adapter(checkpoint: Path, base: Path, targets: Sequence[str]) -> None:
    """Raise a MachineryError unless an adapter holds just the layers that the recipe names, each with both factors."""
    header, _ = safetensors_header(checkpoint / ADAPTER_FILES[0])
    adapted = {_PART.sub("", name) for name in header}
    expected = language_layers(_base_layers(base), targets)
    wrong = strange_layers(adapted, expected, targets)
    if wrong is None and len(header) != 2 * len(expected):
        wrong = f"adapter: {len(header)} tensors for {len(expected)} layers: two of each are expected."
    if wrong is not None:
        raise MachineryError(f"{checkpoint}: {wrong}")


def base_of_adapter(model: str, checkpoint: Path) -> Path:
    """Return the folder of the model that an adapter was trained on: that of the stage, or where the engine put it."""
    named = str(read_adapter_config(checkpoint).get("base_model_name_or_path"))
    for folder in (Path(model), Path(named)):
        if folder.is_dir():
            return folder
    raise MachineryError(
        f"{checkpoint}: its base {model} is not here any more ({named}): fetch it, and give its folder by --model."
    )


def export_merged(environment: Path, base: Path, checkpoint: Path, model: Path) -> None:
    """Make a plain model folder of an adapter and its base; it appears complete or not at all."""
    temporary = model.with_name(f".{model.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    _merge(environment, base, checkpoint, temporary)
    for link in [entry for entry in temporary.iterdir() if entry.is_symlink()]:
        source = link.resolve()
        link.unlink()
        _take(source, link)
    shutil.rmtree(model, ignore_errors=True)
    temporary.rename(model)


def _take(source: Path, target: Path) -> None:
    """Link weights that did not change where the disk allows it; copy what someone may edit in the base."""
    if source.suffix == ".safetensors" or target.suffix == ".safetensors":
        try:
            target.hardlink_to(source)
            return
        except OSError:  # another disk
            pass
    shutil.copyfile(source, target)


def _merge(environment: Path, base: Path, checkpoint: Path, folder: Path) -> None:
    """Merge in the engine's environment, which has torch: that of `dtbench train` may have none."""
    import dtbench

    root = Path(dtbench.__file__).parent.parent
    python = {"PYTHONPATH": str(root)} if root.name == ".src" else {}
    command = [str(environment / "bin" / "python"), "-m", __name__, str(base), str(checkpoint), str(folder)]
    done = subprocess.run(command, env={**os.environ, **python}, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing."])[-1]
        raise MachineryError(f"{checkpoint}: it could not be merged into {base}: {last}")


def main(arguments: Sequence[str]) -> int:
    """Merge an adapter into a copy of its base: `BASE ADAPTER FOLDER`; say on stderr why not."""
    from dtbench.models.checkpoints.merge import merge

    base, adapter, folder = map(Path, arguments)
    try:
        merge(base, adapter, folder)
    except DtbenchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
