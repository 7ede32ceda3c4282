"""Describe the settings that `-M` takes for a model: what each does, where it goes, and its default."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from dtbench.harness.core.typed_settings import Condition, parameters_of
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.models.backends import choose_backend
from dtbench.models.checkpoints import families
from dtbench.models.checkpoints.checkpoint import Checkpoint, checkpoint_of_family, resolve_checkpoint
from dtbench.models.checkpoints.defaults import DefaultSettings, checkpoint_defaults, endpoint_defaults
from dtbench.models.checkpoints.families import Family
from dtbench.models.endpoint.address import complete_url
from dtbench.models.endpoint.settings import OF_A_HOST, SAMPLING, EndpointSettings
from dtbench.models.registry import MODELS, find_model

ENGINE, GENERATION, REQUEST, CLIENT = KINDS = ("engine", "generation", "request", "client")
"""Where a setting goes: to what runs the model, to sampling, into the rest of a request, or to dtbench itself."""
_KIND_OF = {
    **dict.fromkeys((*SAMPLING, "max_tokens"), GENERATION),
    **dict.fromkeys(("batch_size", "device", "dtype", "trust_remote_code", "start_timeout"), ENGINE),
    **dict.fromkeys(("device_map", "attn_implementation", "load_in_4bit", "load_in_8bit", "revision"), ENGINE),
    **dict.fromkeys(("stop", "stop_token_ids"), GENERATION),
    **dict.fromkeys(("timeout", "reconnect_timeout", "chain", "family", "file", "key", "script"), CLIENT),
    **dict.fromkeys(("price_in", "price_out", "price_audio"), CLIENT),
    **dict.fromkeys(("host", "key_variable"), CLIENT),
}
_FAMILY = "Family whose settings are used (`dtbench models` lists them)."
_OF_CLASSES = {
    "seed": "Random seed; that of --seed takes precedence.",
    "file": "Prediction file, or records of a run, whose answers are replayed.",
    "key": "Key under which the records of the file have their answers.",
    "chain": "The model's own tags around its chain of thought, such as `<reason>,</reason>`.",
    "script": "File with the answers to give, one JSON object per line.",
}
"""What arguments of built-in models do."""
_UNSET = {
    "model": "the only one served",
    "system": "none",
    "seed": "that of --seed",
    "chain": "the usual ones",
    **dict.fromkeys(("host", "audio_part", "send_seed", "stream"), "as the host takes it"),
    "key_variable": "the host's",
    **dict.fromkeys(("headers", "query", "modalities"), "none"),
    "attn_implementation": "transformers'",
    "revision": "the newest",
    "chat_template": "the checkpoint's",
    "azure_endpoint": "AZURE_OPENAI_ENDPOINT, else none",
    "api_version": "OPENAI_API_VERSION",
    **dict.fromkeys(("extra", "stop", "stop_token_ids", "chat_template_kwargs", "think_budget_field"), "none"),
    **dict.fromkeys(("n", "limit_seconds", "max_completion_tokens", "key", "device_map"), "none"),
    **dict.fromkeys(("price_in", "price_out", "price_audio"), "its family's, else unknown"),
}
"""What applies where a setting has no default."""
_UP_TO = {"an endpoint": "the server's", "vLLM": "the checkpoint's", "transformers": "none"}
FLAGS: Mapping[str, tuple[str, str, str]] = {
    "tensor_parallel_size": ("N", "1", "GPUs over which each layer is split."),
    "pipeline_parallel_size": ("N", "1", "Groups of GPUs, each with a part of the layers."),
    "data_parallel_size": ("N", "1", "Copies of the model."),
    "gpu_memory_utilization": ("SHARE", "0.9", "Share of the GPU's memory to use."),
    "max_model_len": ("N", "the checkpoint's", "Longest sequence, prompt and answer together."),
    "max_num_seqs": ("N", "vLLM's", "Most requests in one batch."),
    "dtype": ("TYPE", "auto", "Type of the weights: auto, bfloat16, float16 or float32."),
    "quantization": ("METHOD", "the checkpoint's", "How the weights are quantised, such as fp8 or awq."),
    "kv_cache_dtype": ("TYPE", "auto", "Type of the key-value cache, such as fp8."),
    "enforce_eager": ("true|false", "false", "Start sooner and answer more slowly, without CUDA graphs."),
    "trust_remote_code": ("true|false", "false", "Run code of the checkpoint, with your rights."),
    "limit_mm_per_prompt": ("JSON", "the questions'", 'Most clips per prompt, such as {"audio": 2}.'),
    "chat_template": ("FILE", "the checkpoint's", "Chat template."),
    "generation_config": ("NAME", "auto", "Where sampling defaults come from: auto, vllm or a folder."),
    "revision": ("NAME", "the newest", "Version of a checkpoint on the hub."),
}
"""The flags of `vllm serve` that are used most: value, default and help."""
_CHECKPOINT_NOTE = (
    "Every other flag of `vllm serve` works too, with underscores for dashes, as in -M max_num_batched_tokens=8192; "
    "`vllm serve --help` lists them."
)
_COMMON_NOTE = (
    "These mean the same for every endpoint and checkpoint. `dtbench run --model MODEL -M help` lists all settings of "
    "one."
)


class SettingHelp(NamedTuple):
    """What `-M help` shows of one setting."""

    name: str
    kind: str
    """One of KINDS."""
    value: str
    """What its value is, such as N."""
    default: str
    help: str


class SettingsHelp(NamedTuple):
    """What `-M help` shows of a model."""

    title: str
    settings: Sequence[SettingHelp]
    note: str = ""


_CHECKPOINT_SETTINGS = (
    SettingHelp("adapter", ENGINE, "FOLDER", "none", "LoRA adapter to apply, a folder or a hub id."),
    SettingHelp(
        "adapter_mode",
        ENGINE,
        "merge|serve",
        "merge",
        "Merge the adapter into a copy of the checkpoint, or have vLLM apply it beside the checkpoint.",
    ),
    SettingHelp("base", ENGINE, "FOLDER", "the one it names", "Base of the adapter that --model names."),
    SettingHelp(
        "weights",
        ENGINE,
        "safetensors|pickle",
        "safetensors",
        "Kind of weights that may be read; a pickle can run any code with your rights.",
    ),
)


def common_settings() -> SettingsHelp:
    """Describe what endpoints, vLLM and transformers have in common."""
    from dtbench.models.local.settings import LocalSettings

    local = parameters_of(LocalSettings, "").keys()
    both = [one for one in _of_class(EndpointSettings, {}, "depends on the model") if one.name in local]
    return SettingsHelp("Settings of every model", [*both, _family_setting()], _COMMON_NOTE)


def endpoint_settings(family: Family | None = None) -> SettingsHelp:
    """Describe the settings of an endpoint."""
    defaults = _by_style(partial(endpoint_defaults, family))
    return SettingsHelp("Settings of an endpoint", list(_of_class(EndpointSettings, defaults, _UP_TO["an endpoint"])))


def model_settings(spec: str, options: Mapping[str, str], backend: str | None) -> SettingsHelp:
    """Describe the settings of the model that `--model` names."""
    if backend == "openai":
        from dtbench.models.openai_client.model import OpenaiSettings

        own = list(_of_class(OpenaiSettings, _by_style(partial(endpoint_defaults, None)), _UP_TO["an endpoint"]))
        return SettingsHelp(f"Settings of {spec} by openai's client", [*own, _family_setting()])
    if spec not in MODELS:
        family = families.get_family(options["family"]) if "family" in options else None
        if "://" in complete_url(spec):
            whole = endpoint_settings(family)
            return whole._replace(settings=[*whole.settings, _family_setting()])
        checkpoint = resolve_checkpoint(spec, family, options, ask=False)
        if checkpoint is not None:
            return _checkpoint_settings(checkpoint, backend)
    kind, path = find_model(spec)
    if isinstance(kind, Family):
        return _checkpoint_settings(checkpoint_of_family(kind, kind.name), backend)
    construct: Any = kind
    return SettingsHelp(
        f"Settings of the model {spec if spec in MODELS else path}", list(_of_class(construct, {}, "none"))
    )


def _checkpoint_settings(checkpoint: Checkpoint, backend: str | None) -> SettingsHelp:
    family = checkpoint.family
    if family is not None and family.url is not None:
        return endpoint_settings(family)
    defaults = _by_style(partial(checkpoint_defaults, checkpoint, fetch=False))
    if choose_backend(checkpoint, backend) == "local":
        from dtbench.models.local.settings import LocalSettings

        own = _of_class(LocalSettings, defaults, _UP_TO["transformers"])
        whole = [*own, *_CHECKPOINT_SETTINGS, _family_setting()]
        return SettingsHelp(f"Settings of {checkpoint.name} with transformers", whole)
    from dtbench.models.vllm.model import VllmSettings
    from dtbench.models.vllm.process import machine_flags

    own = (one for one in _of_class(VllmSettings, defaults, _UP_TO["vLLM"]) if one.name not in {"model", *OF_A_HOST})
    flags = _flags({**machine_flags(), **(family.flags(checkpoint.source) if family else {})})
    whole = [*flags, *own, *_CHECKPOINT_SETTINGS, _family_setting()]
    return SettingsHelp(f"Settings of {checkpoint.name} with vLLM", whole, _CHECKPOINT_NOTE)


def _by_style(defaults_of: Callable[[str], DefaultSettings]) -> Mapping[str, Any]:
    """Return the defaults for a direct answer, with those of a chain of thought beside them where they differ."""
    direct, think = (dict(defaults_of(style).settings) for style in ("direct", "think"))
    for name, value in think.items():
        if value != direct.get(name):
            other = _shown(value, "none")
            direct[name] = f"{_shown(direct.get(name), 'none')} (--answer think: {other})"
    return direct


def _flags(given: Mapping[str, str | bool]) -> Iterator[SettingHelp]:
    """Yield the flags of `vllm serve`, with what the family and the machine set as defaults."""
    for name, (value, default, text) in FLAGS.items():
        yield SettingHelp(name, ENGINE, value, _shown(given.get(name), default), text)
    for name in given.keys() - FLAGS.keys():
        yield SettingHelp(name, ENGINE, "VALUE", _shown(given[name], ""), "Flag of `vllm serve` that is set here.")


def _family_setting() -> SettingHelp:
    return SettingHelp("family", CLIENT, "NAME", "that of its architecture", _FAMILY)


def _of_class(kind: Callable[..., object], defaults: Mapping[str, Any], unset: str) -> Iterator[SettingHelp]:
    """Yield the settings of a class; `unset` says what applies where neither it nor the model has a default."""
    texts = _field_texts(kind) if isinstance(kind, type) else {}
    from_run = {"samples"} if getattr(kind, "needs_samples", False) else set()
    construct: Callable[..., object] = kind.from_samples if from_run else kind  # type: ignore[attr-defined]
    for name, parameter in parameters_of(construct, "", from_run).items():
        default = defaults.get(name)
        if default is None:
            default = "required" if parameter.default is parameter.empty else parameter.default
        shown = _shown(default, _UNSET.get(name, unset))
        text = texts.get(name) or _OF_CLASSES.get(name, "")
        if bounds := _range(parameter.annotation):
            text = f"{text.removesuffix('.')} ({bounds})."
        yield SettingHelp(name, _KIND_OF.get(name, REQUEST), _value(parameter.annotation), shown, text)


@cache
def _field_texts(kind: type) -> Mapping[str, str]:
    """Return what stands under each field of a class and of its bases."""
    texts: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if not dataclasses.is_dataclass(one):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        body = tree.body if isinstance(tree, ast.ClassDef) else []
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                texts[field.target.id] = " ".join(str(ast.literal_eval(text.value)).split())
    return texts


def _shown(value: object, unset: str) -> str:
    if value is None:
        return unset
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, ChainTags) else f"{value:g}" if isinstance(value, float) else str(value)


def _range(kind: Any) -> str:
    """Return the range of a type; empty where it has none."""
    conditions = [one.expected for one in get_args(kind) if isinstance(one, Condition)]
    parts = get_args(kind) if get_origin(kind) in {Union, UnionType} else ()
    return " and ".join([*conditions, *filter(None, map(_range, parts))])


def _value(kind: Any) -> str:
    """Return what a value of this type is, such as N."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _value(inner[0])
    if origin in {Union, UnionType}:
        return _value(next(one for one in inner if one is not NoneType))
    if origin is Literal:
        return "|".join(map(str, inner))
    names = {int: "N", float: "NUMBER", bool: "true|false", Path: "FILE", str: "TEXT", ChainTags: "OPEN,CLOSE"}
    return "JSON" if (origin or kind) in {dict, Mapping, list, tuple} else names.get(kind, "VALUE")
