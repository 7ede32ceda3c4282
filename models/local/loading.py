"""Load a model and its processor with transformers, onto the devices where it answers."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError, one_line
from dtbench.harness.core.installed import install_command
from dtbench.models.checkpoints.checkpoint import Checkpoint
from dtbench.models.checkpoints.hub import cached_snapshot
from dtbench.models.checkpoints.trust import code_refusal, names_code
from dtbench.models.local.settings import LocalSettings

_THINKERS = {
    "Qwen2_5OmniModel": "Qwen2_5OmniThinkerForConditionalGeneration",
    "Qwen2_5OmniForConditionalGeneration": "Qwen2_5OmniThinkerForConditionalGeneration",
    "Qwen3OmniMoeForConditionalGeneration": "Qwen3OmniMoeThinkerForConditionalGeneration",
}
"""Of models that also speak, the part that writes, which alone is loaded."""
_LISTENERS = {
    "Qwen2_5OmniThinkerForConditionalGeneration": "Qwen2_5OmniProcessor",
    "Qwen3OmniMoeThinkerForConditionalGeneration": "Qwen3OmniMoeProcessor",
}
"""Their processors, of which only the parts that read and hear are loaded."""
_SMALL = 20_000_000
"""Weights below which threads wait for each other longer than they compute: a model of two million took 6 minutes on
two threads of a busy machine for what one does in half a minute."""
_SAMPLED_HERE = {"do_sample", "temperature", "top_p", "top_k", "min_p", "repetition_penalty"}
"""Of generation_config.json, what dtbench reads itself, and vLLM too."""
_ATTENTION = re.compile("attention|attn", re.IGNORECASE)
_IDS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
_NO_MATTER = {*_IDS, *_SAMPLED_HERE, "transformers_version", "use_cache", "output_attentions", "output_hidden_states"}


class LoadedModel(NamedTuple):
    """A model that can answer."""

    model: Any
    device: Any
    """Where its inputs go."""
    note: str | None
    """What of generation_config.json is not used."""


def missing_packages() -> list[str]:
    """List the packages that the backend needs and this environment lacks."""
    return [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]


def hub_arguments(checkpoint: Checkpoint, settings: LocalSettings) -> dict[str, Any]:
    """Return what every from_pretrained of this checkpoint is given."""
    where: dict[str, Any] = {"trust_remote_code": settings.trust_remote_code, "local_files_only": checkpoint.is_local}
    if settings.revision is None:
        return where
    if checkpoint.is_local:
        raise UserError(
            f"-M revision={settings.revision}: {checkpoint.source} is a folder, and a revision is of a checkpoint on "
            "the hub: leave it out."
        )
    return {**where, "revision": settings.revision}


def refuse_code(checkpoint: Checkpoint, settings: LocalSettings) -> None:
    """Raise a UserError where only code of the checkpoint could load it, and the user has not allowed that."""
    import transformers

    name = checkpoint.architecture
    if settings.trust_remote_code or (name is not None and hasattr(transformers, name)):
        return
    folder = Path(checkpoint.source) if checkpoint.is_local else cached_snapshot(checkpoint.source)
    if folder is not None and names_code(folder):
        raise UserError(code_refusal(checkpoint.source))


def load_model(checkpoint: Checkpoint, settings: LocalSettings, where: Mapping[str, Any]) -> LoadedModel:
    """Load the weights straight onto their devices, and refuse a checkpoint that lacks some."""
    import torch

    device = settings.device if settings.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    _refuse_absent(device)
    how = {**_placement(settings, device), **_quantization(settings), **where}
    how["use_safetensors"] = None if checkpoint.pickles else True
    has_adapter = _has_adapter(checkpoint, where)
    model, loading = _from_pretrained(_kind(checkpoint, where), checkpoint.source, settings, how)
    if lacking := sorted(loading["missing_keys"]):
        raise UserError(
            f"--model {checkpoint.source}: {len(lacking)} of its weights are missing (first: {lacking[0]}), "
            "and transformers would initialise them at random. Copy or save the checkpoint again."
        )
    if has_adapter and not getattr(model, "_hf_peft_config_loaded", False):
        raise UserError(
            f"--model {checkpoint.source}: its adapter for clips was not loaded by transformers, and without it the "
            "model does not understand them: take --backend vllm."
        )
    if "device_map" not in how:
        model = model.to(device)
    note = neutralize_generation_config(model)
    if device == "cpu" and model.num_parameters() < _SMALL:
        torch.set_num_threads(1)
    return LoadedModel(model.eval(), _input_device(model), note)


def _refuse_absent(device: str) -> None:
    """Raise a UserError for a device that torch does not have here."""
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        why = str(error).partition("\n")[0].rstrip(".")
        raise UserError(
            f"-M device={device}: torch cannot use it here ({why}); leave it out, or -M device=cpu."
        ) from None


def _has_adapter(checkpoint: Checkpoint, where: Mapping[str, Any]) -> bool:
    """Whether a checkpoint has an adapter for clips, which its class turns on; refuse what would leave it out."""
    adapter = checkpoint.adapter
    if adapter is None or adapter.mode != "audio":
        return False
    if not checkpoint.is_local:
        import transformers

        config = transformers.AutoConfig.from_pretrained(checkpoint.source, **where)
        if not getattr(config, "has_lora_adapter", False):
            return False
    if not (checkpoint.architecture or "").startswith("GraniteSpeech"):
        raise UserError(
            f"--model {checkpoint.source}: transformers' class {checkpoint.architecture} does not turn its adapter for "
            "clips on by itself: take --backend vllm."
        )
    if importlib.util.find_spec("peft") is None:
        raise UserError(
            f"--model {checkpoint.source}: its adapter for clips needs peft, which is not installed here: "
            f"`{install_command('local')}`."
        )
    return True


def _from_pretrained(kind: Any, source: str, settings: LocalSettings, how: dict[str, Any]) -> tuple[Any, Any]:
    attention = settings.attn_implementation
    if attention is not None:
        how["attn_implementation"] = attention
    try:
        loaded: tuple[Any, Any] = kind.from_pretrained(source, dtype=settings.dtype, output_loading_info=True, **how)
    except (ValueError, ImportError) as error:
        if attention is None or not _ATTENTION.search(str(error)):
            raise
        raise UserError(
            f"-M attn_implementation={attention}: not for this model here ({one_line(str(error))})."
        ) from error
    return loaded


def _placement(settings: LocalSettings, device: str) -> dict[str, Any]:
    """Say where the weights go; without accelerate they pass through the memory of the host."""
    placed, has_accelerate = settings.placement(), importlib.util.find_spec("accelerate") is not None
    if placed is not None and not has_accelerate:
        raise UserError(
            f"-M device_map={settings.device_map}: accelerate is not installed here: `pip install accelerate`."
        )
    return {"device_map": placed or {"": device}} if has_accelerate else {}


def _quantization(settings: LocalSettings) -> dict[str, Any]:
    name = "load_in_4bit" if settings.load_in_4bit else "load_in_8bit" if settings.load_in_8bit else None
    if name is None:
        return {}
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(f"-M {name}=true: bitsandbytes is not installed here: `pip install bitsandbytes`.")
    import transformers

    return {"quantization_config": transformers.BitsAndBytesConfig(**{name: True})}


def _input_device(model: Any) -> Any:
    """Return the device of the first weights that lie on one: of those set aside, only the shape is there."""
    return next((weights.device for weights in model.parameters() if weights.device.type != "meta"), model.device)


def neutralize_generation_config(model: Any) -> str | None:
    """Drop what generation_config.json says beside sampling and ends, as vLLM does, and return what that was."""
    import transformers

    said = model.generation_config
    dropped = {name: value for name, value in said.to_diff_dict().items() if value is not None}
    dropped = {name: value for name, value in dropped.items() if name not in _NO_MATTER and not name.startswith("_")}
    model.generation_config = transformers.GenerationConfig(**{name: getattr(said, name, None) for name in _IDS})
    if not dropped:
        return None
    shown = ", ".join(f"{name}={value!r}" for name, value in sorted(dropped.items()))
    return f"generation_config.json: not used, as vLLM does not: {shown if len(shown) < 200 else shown[:200] + '...'}"


def with_architecture(checkpoint: Checkpoint, where: Mapping[str, Any]) -> Checkpoint:
    """Name the class of a hub id as its revision does, which need not be here yet, nor the one that is here."""
    if checkpoint.is_local:
        return checkpoint
    import transformers

    names = getattr(transformers.AutoConfig.from_pretrained(checkpoint.source, **where), "architectures", None)
    return checkpoint._replace(architecture=names[0] if names else None)


def load_processor(checkpoint: Checkpoint, where: Mapping[str, Any]) -> Any:
    """Load the processor of a checkpoint; None where a folder has none."""
    import transformers

    name = checkpoint.architecture or ""
    listener = _LISTENERS.get(_THINKERS.get(name, name))
    try:
        if listener is not None:
            return _listener(getattr(transformers, listener), checkpoint.source, where)
        return transformers.AutoProcessor.from_pretrained(checkpoint.source, **where)
    except OSError:
        if checkpoint.is_local:
            return None
        raise


def _listener(kind: Any, source: str, where: Mapping[str, Any]) -> Any:
    """Load a processor without the parts that see: nothing uses them, and they need Pillow and torchvision."""
    import transformers

    blind = SimpleNamespace(merge_size=1)  # read before it is known that there is no picture

    class Listener(kind):  # type: ignore[misc]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return None if argument is blind else super().check_argument_for_proper_class(argument_name, argument)

    return Listener(
        image_processor=blind,
        video_processor=blind,
        feature_extractor=transformers.AutoFeatureExtractor.from_pretrained(source, **where),
        tokenizer=transformers.AutoTokenizer.from_pretrained(source, **where),
        chat_template=kind.get_processor_dict(source, **where)[0].get("chat_template"),
    )


def _kind(checkpoint: Checkpoint, where: Mapping[str, Any]) -> Any:
    """Return the class that loads a checkpoint: that of transformers which config.json names, or its own."""
    import transformers

    name = checkpoint.architecture
    if name is not None:
        kind = getattr(transformers, _THINKERS.get(name, name), None)
        if isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel):
            return kind
    config = transformers.AutoConfig.from_pretrained(checkpoint.source, **where)
    own = getattr(config, "auto_map", None) or {}
    auto = next((auto for auto in ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM", "AutoModel") if auto in own), None)
    if auto is not None:
        return getattr(transformers, auto)
    if name is None:
        return transformers.AutoModelForMultimodalLM
    raise UserError(f"--model {checkpoint.source}: transformers {transformers.__version__} has no class {name}.")


def end_tokens(model: Any, tokenizer: Any, settings: LocalSettings) -> set[int]:
    """Return the tokens that end an answer: those of the checkpoint, of its tokenizer, and of the settings."""
    ends = model.generation_config.eos_token_id
    known = (*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id, *(settings.stop_token_ids or ()))
    return {token for token in known if token is not None}
