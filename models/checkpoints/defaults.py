"""The settings that a run has where its user says nothing: of the style of answer, the checkpoint and its family.

A folder, a hub id and a short name of the same weights get the same: what the authors' generation_config.json says is
read by dtbench and sent with every request, as engines read that file in different ways, and some not at all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.models.checkpoints.checkpoint import Checkpoint
from dtbench.models.checkpoints.families import Family

GREEDY = {"temperature": 0.0}
SERVERS_OWN = "the server's own"
MAX_TOKENS, MAX_TOKENS_OF_CHAINS = 2048, 8192
"""The longest answer where nobody says otherwise: a loop ends there, and not at the end of the model's context."""
GENERATION_CONFIG = "generation_config.json"
_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
"""What of generation_config.json is used."""
_TIMEOUT = 10.0
"""Seconds for each answer of the hub."""


class DefaultSettings(NamedTuple):
    """Settings by their names of `-M`, and where those of sampling are from."""

    settings: Mapping[str, Any]
    sampling_source: str
    """As run.json says it."""
    problem: str = ""
    """Why generation_config.json could not be read, and what is sent instead."""


def endpoint_defaults(family: Family | None, style: str | None) -> DefaultSettings:
    """Return the defaults for an endpoint that somebody else runs: what is not sent is the server's own."""
    settings = family.settings(style or "direct") if family else {}
    ours = "its family's, else " if family is not None and _has_sampling(settings) else ""
    return DefaultSettings({**_longest(family, style), **settings}, f"{ours}{SERVERS_OWN}")


def checkpoint_defaults(
    checkpoint: Checkpoint, style: str | None, *, revision: str | None = None, fetch: bool = True
) -> DefaultSettings:
    """Return the defaults for a checkpoint: its family's, then generation_config.json's; greedy where neither samples.

    Of a hub id the file is read in the hub's cache, else fetched; unless it may be, nothing is said of its sampling.
    """
    family = checkpoint.family
    settings = {**_longest(family, style), **(family.settings(style or "direct") if family else {})}
    config, problem = _read_config(checkpoint, revision, fetch=fetch)
    if config is None:
        own, source = dict[str, float](GREEDY), "greedy, as it has no generation_config.json"
    elif config.get("do_sample") is True:
        own, source = _numbers(config), GENERATION_CONFIG
    else:
        own = {name: value for name, value in _numbers(config).items() if name == "repetition_penalty"} | GREEDY
        source = f"greedy, as its {GENERATION_CONFIG} does not sample"
    if problem and not fetch:
        own = {}
    if problem:
        source = f"greedy, as its {GENERATION_CONFIG} could not be read"
    if _has_sampling(settings):
        source = f"its family's, else {source}"
    whole = {**own, **settings}
    return DefaultSettings(whole, source, f"{problem}: {_sent(whole)} is sent" if problem else "")


def request_defaults(defaults: Mapping[str, Any], given: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the defaults less those that a user's options leave no room for."""
    if "max_completion_tokens" not in given:
        return defaults
    return {name: value for name, value in defaults.items() if name != "max_tokens"}


def _longest(family: Family | None, style: str | None) -> dict[str, Any]:
    if style is None:
        return {}
    chains = style == "think" if family is None else family.thinks(style)
    return {"max_tokens": MAX_TOKENS_OF_CHAINS if chains else MAX_TOKENS}


def _has_sampling(settings: Mapping[str, Any]) -> bool:
    return any(name in settings for name in _SAMPLING)


def _sent(settings: Mapping[str, Any]) -> str:
    return " and ".join(f"{name} {settings[name]:g}" for name in _SAMPLING if name in settings)


def _numbers(config: Mapping[str, Any]) -> dict[str, float]:
    return {name: config[name] for name in _SAMPLING if isinstance(config.get(name), int | float)}


def _read_config(checkpoint: Checkpoint, revision: str | None, *, fetch: bool) -> tuple[Mapping[str, Any] | None, str]:
    """Return generation_config.json, None where the checkpoint has none, and why it could not be read."""
    try:
        if checkpoint.is_local:
            file = Path(checkpoint.source) / GENERATION_CONFIG
            content = file.read_bytes() if file.exists() else None
        else:
            content = _hub_content(checkpoint.source, revision, fetch=fetch)
        config = None if content is None else json.loads(content)
    except Exception as error:  # of the hub's client, which has many kinds
        why = " ".join(str(error).split())[:160] or type(error).__name__
        return None, f"{checkpoint.source}: its {GENERATION_CONFIG} cannot be read ({why})"
    return (config if isinstance(config, dict) else None), ""


def _hub_content(hub_id: str, revision: str | None, *, fetch: bool) -> bytes | None:
    """Return the file from the hub's cache, else from the hub; None where the hub has none."""
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        build_hf_headers,
        get_session,
        hf_raise_for_status,
    )

    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()
    there = huggingface_hub.try_to_load_from_cache(hub_id, GENERATION_CONFIG, cache_dir=cache, revision=revision)
    if isinstance(there, str):
        return Path(there).read_bytes()
    if there is not None or _has_weights(cache, hub_id, revision):
        return None
    if not fetch:
        raise FileNotFoundError("it is on the hub")
    endpoint = os.environ.get("HF_ENDPOINT") or None
    url = huggingface_hub.hf_hub_url(hub_id, GENERATION_CONFIG, revision=revision, endpoint=endpoint)
    reply = get_session().get(url, headers=build_hf_headers(), timeout=_TIMEOUT, follow_redirects=True)
    try:
        hf_raise_for_status(reply)
    except EntryNotFoundError:
        return None
    return reply.content


def _has_weights(cache: Path, hub_id: str, revision: str | None) -> bool:
    """Whether the hub's cache has the whole checkpoint, which then has no generation_config.json."""
    import huggingface_hub

    config = huggingface_hub.try_to_load_from_cache(hub_id, "config.json", cache_dir=cache, revision=revision)
    return isinstance(config, str) and any(Path(config).parent.glob("*.safetensors"))
