"""LoRA adapters as PEFT writes them: what one changes in which tensor of its base, whatever transformers called it.

PEFT names modules as the class at hand nests them, and each release of transformers nests them otherwise, so names of
an adapter and of its base's files are compared without the parts that only say how models are nested.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.models.checkpoints.tensors import ADAPTER_FILES, Tensor, plain_name

CONFIG = "adapter_config.json"
_KEY = re.compile(
    r"(?P<module>.+)\.(?P<part>lora_A|lora_B|lora_embedding_A|lora_embedding_B|lora_magnitude_vector)"
    r"(?:\.(?!weight$)[^.]+)?(?:\.weight)?"
)
_WHOLE = re.compile(r"\.(?:modules_to_save|original_module)(?:\.[^.]+(?=\.))?")
_READ = {
    *("peft_type", "r", "lora_alpha", "alpha_pattern", "rank_pattern", "use_rslora", "use_dora", "fan_in_fan_out"),
    *("bias", "modules_to_save", "target_modules", "target_parameters", "init_lora_weights"),
}
_OF_TRAINING = {
    *("auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode", "peft_version"),
    *("lora_dropout", "exclude_modules", "layers_to_transform", "layers_pattern", "megatron_core", "megatron_config"),
    *("loftq_config", "eva_config", "corda_config", "lora_ga_config", "runtime_config", "ensure_weight_tying"),
    *("qalora_group_size",),
}
"""What says how it was trained, or is in its weights already."""
_PLAIN_STARTS = {"true", "false", "gaussian", "eva", "orthogonal", "mica", "lora_ga"}
"""Ways to begin a training that leave the base as it is; others (PiSSA, OLoRA, CorDA, LoftQ) change it."""


class Adapter(NamedTuple):
    """An adapter in a folder of this machine."""

    folder: str
    mode: str = "merge"
    """merge: into a copy of the base; serve: beside it, by vLLM; audio: beside it, for prompts with a clip alone."""
    inside: bool = False
    """Whether it came with its base, in one folder."""

    @property
    def name(self) -> str:
        """Name it for the record, without the place where it lies."""
        folder = Path(self.folder)
        return folder.resolve().name if folder.is_dir() else self.folder

    def config(self) -> Mapping[str, Any]:
        """Read its adapter_config.json."""
        return read_adapter_config(Path(self.folder))

    def content_hash(self) -> str | None:
        """Hash its weights and its configuration to twelve digits, less where its base lay; None for one of the hub."""
        if not (Path(self.folder) / CONFIG).is_file():
            return None
        digest = hashlib.sha256()
        config = {name: value for name, value in self.config().items() if name != "base_model_name_or_path"}
        digest.update(json.dumps(config, sort_keys=True).encode())
        for file in (Path(self.folder) / name for name in ADAPTER_FILES[:2]):
            if file.is_file():
                with file.open("rb") as data:
                    digest.update(hashlib.file_digest(data, "sha256").digest())
        return digest.hexdigest()[:12]

    def describe(self) -> Mapping[str, Any]:
        """Return what the record of a run says of it."""
        content = self.content_hash()
        about = {} if self.inside and content is None else {"content": content}
        return {**({} if self.inside else {"name": self.name}), **about, "mode": self.mode}


def read_adapter_config(folder: Path) -> Mapping[str, Any]:
    """Read the adapter_config.json of a folder."""
    try:
        config = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: not an adapter: {CONFIG} cannot be read ({error}).") from None
    if not isinstance(config, dict):
        raise UserError(f"{folder}: not an adapter: {CONFIG} holds no table.")
    return config


class Change(NamedTuple):
    """What an adapter changes in one module: a pair of factors, or a tensor of its own in place of the base's."""

    module: str
    """As the adapter calls it."""
    parts: Mapping[str, Any]
    """Its tensors by `lora_A`, `lora_B`, ..., or `whole` for one that stands in place of the base's."""
    config: Mapping[str, Any]

    @property
    def is_of_experts(self) -> bool:
        """Whether it changes a parameter of all experts of a layer, whose factors lie in one."""
        return plain_name(self.module).endswith("experts")

    @property
    def is_of_decoder(self) -> bool:
        """Whether it changes a layer of the decoder, and no tower, head or embedding."""
        return plain_name(self.module).startswith("layers.")

    def setting(self, pattern: str, parameter: str = "") -> Any:
        """Return the alpha or the rank of its module: alpha_pattern, rank_pattern, or what holds for all others."""
        name, patterns = self.module.replace(".base_layer", "") + parameter, self.config.get(pattern) or {}
        usual = self.config.get("lora_alpha" if pattern == "alpha_pattern" else "r", 8)
        return next((one for key, one in patterns.items() if re.match(rf"(.*\.)?({key})$", name)), usual)

    def scaling(self, parameter: str = "", experts: int = 1) -> float:
        """Return by how much the product of its factors counts, as PEFT has it."""
        alpha = self.setting("alpha_pattern", parameter)
        factor = self.parts.get("lora_A", self.parts.get("lora_embedding_A"))
        assert factor is not None
        rank = int(factor.shape[0]) // experts
        return float(alpha / rank**0.5 if self.config.get("use_rslora") else alpha / rank)


def read_changes(folder: Path, load: Callable[[Path], Mapping[str, Any]] | None = None) -> Sequence[Change]:
    """Read what an adapter changes; raise a UserError where it is of a kind that is not known here.

    Its tensors are torch's, or what `load` reads of the folder.
    """
    config = read_adapter_config(folder)
    _refuse_other_kinds(folder, config)
    modules: dict[str, dict[str, Any]] = {}
    whole: dict[str, Any] = {}
    for name, tensor in (load or _load)(folder).items():
        key = name.removeprefix("base_model.model.")
        if match := _KEY.fullmatch(key):
            modules.setdefault(match["module"], {})[match["part"]] = tensor
        else:
            whole[_WHOLE.sub("", key)] = tensor
    pairs = [Change(module, parts, config) for module, parts in modules.items()]
    return [*(Change(name, {"whole": tensor}, config) for name, tensor in whole.items()), *pairs]


def rename_adapter(adapter: Path, folder: Path, names: Mapping[str, str]) -> None:
    """Write the factors of an adapter under other names of their modules."""
    from safetensors.torch import save_file

    renamed = {}
    for name, tensor in _load(adapter).items():
        match = _KEY.fullmatch(name.removeprefix("base_model.model."))
        assert match is not None
        ending = "" if "embedding" in match["part"] else ".weight"
        renamed[f"base_model.model.{names[match['module']]}.{match['part']}{ending}"] = tensor.contiguous()
    save_file(renamed, folder / ADAPTER_FILES[0], metadata={"format": "pt"})


def _load(folder: Path) -> Mapping[str, Any]:
    from dtbench.harness.core.installed import install_command

    try:
        if (folder / ADAPTER_FILES[0]).is_file():
            from safetensors.torch import load_file

            tensors: Mapping[str, Any] = load_file(folder / ADAPTER_FILES[0])
            return tensors
        import torch

        tensors = torch.load(folder / ADAPTER_FILES[1], map_location="cpu", weights_only=True)
    except ImportError:
        raise UserError(f"an adapter is merged with torch, which is not here: `{install_command('local')}`.") from None
    except Exception as error:  # files of someone else, read by someone else's code
        raise UserError(f"{folder}: not an adapter: its weights cannot be read ({error}).") from None
    return tensors


def _refuse_other_kinds(folder: Path, config: Mapping[str, Any]) -> None:
    start = str(config.get("init_lora_weights", True)).lower()
    unknown = sorted(name for name, value in config.items() if value and name not in {*_READ, *_OF_TRAINING})
    if config.get("peft_type") != "LORA":
        what = f"peft_type is {config.get('peft_type')}, LORA is expected"
    elif start not in _PLAIN_STARTS:
        what = f"init_lora_weights is {start}, which changes its base as well: save it as a plain LoRA"
    elif unknown:
        what = f"{unknown[0]} is set, which is not known here"
    else:
        return
    raise UserError(f"{folder}: {what}; or merge it with PEFT (merge_and_unload) and give the merged folder.")


class Target(NamedTuple):
    """A change, and the tensors of the base that it goes into."""

    change: Change
    tensors: Sequence[Tensor]
    """One, or those of all experts of a layer."""


def match_targets(changes: Sequence[Change], tensors: Mapping[str, Tensor], where: str) -> Sequence[Target]:
    """Find the tensors of the base that an adapter changes; raise a UserError where the base has none of that name."""
    by_name: dict[str, list[Tensor]] = {}
    experts: dict[str, list[Tensor]] = {}
    for tensor in tensors.values():
        plain = plain_name(tensor.name)
        by_name.setdefault(plain, []).append(tensor)
        if ".experts." in plain:
            experts.setdefault(plain.partition(".experts.")[0] + ".experts", []).append(tensor)
    targets, strange = [], []
    for change in changes:
        plain = plain_name(change.module)
        found = by_name.get(plain if "whole" in change.parts else f"{plain}.weight", [])
        if not found and change.is_of_experts:
            found = list(_of_parameter(change, experts.get(plain, [])))
            if found:
                targets.append(Target(change, found))
                continue
        if len(found) == 1:
            targets.append(Target(change, found))
        else:
            strange.append(change.module)
    if strange:
        listed = ", ".join(sorted(strange)[:3]) + (f" and {len(strange) - 3} more" if strange[3:] else "")
        raise UserError(
            f"{where}: {len(strange)} of {len(changes)} modules that it changes are not in its base: {listed}. "
            "Is this the model that it was trained on? -M base=FOLDER names another."
        )
    return targets


def _of_parameter(change: Change, experts: Sequence[Tensor]) -> Iterator[Tensor]:
    """Yield the tensors that belong to one parameter of all experts, which the shapes of the factors tell."""
    if {"lora_A", "lora_B"} - change.parts.keys():
        return
    ins, outs = int(change.parts["lora_A"].shape[1]), int(change.parts["lora_B"].shape[0])
    for tensor in experts:
        leaf = tensor.name.removesuffix(".weight").rpartition(".")[2]
        rows = tensor.shape[-2] * (2 if leaf in {"gate_proj", "up_proj"} else 1)
        if leaf in {"gate_proj", "up_proj", "down_proj", "gate_up_proj"} and (rows, tensor.shape[-1]) == (outs, ins):
            yield tensor
