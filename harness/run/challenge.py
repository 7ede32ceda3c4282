"""Check a run against the rules of the single-model track of the Audio Reasoning Challenge before it starts.

One model, one pass: no tools, no second model, no edits to what it wrote, and nothing before it but the clip, the
question, its options and a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.store.types import RunInfo

TRACKS = ("single",)
_TOOLS = ("tools", "tool_choice", "functions", "function_call", "web_search_options", "plugins", "mcp_servers")
"""Fields of a request that give a model more than itself."""
_NO_MODELS = ("random", "first", "majority", "echo-gold", "scripted", "replay")
RULES = (
    "one model, one request per answer, no tools",
    "input: the clip, the question, its options and the prompt in this manifest, nothing else",
    "reasoning and answer are extracted from its text by string matching and left unchanged",
)


def refuse_forbidden(track: str, settings: Mapping[str, Any], own_task: str | None) -> None:
    """Refuse a run that breaks the rules of the track."""
    if track not in TRACKS:
        raise UserError(f"--track {track}: unknown. {did_you_mean(track, TRACKS)}")
    model = settings.get("model", {})
    if own_task is not None:
        raise _forbidden(track, f"the prompt of the custom task {own_task} cannot be checked")
    if model.get("name") in _NO_MODELS:
        raise _forbidden(track, f"{model['name']} is not an audio-language model")
    if used := [name for name in _TOOLS if name in (model.get("sampling") or {})]:
        raise _forbidden(track, f"-M extra gives the model {used[0]}")
    for name, about in settings.get("tasks", {}).items():
        if about.get("audio", "clip") != "clip":
            raise _forbidden(track, f"{name} is asked with --audio {about['audio']} instead of its clips")


def statement(info: RunInfo) -> dict[str, Any]:
    """Return what a manifest says of the track: its rules, and what in the run they rest on."""
    cut = "cut to the allowed length, as listed under `truncated`"
    return {"name": info["track"], "rules": [*RULES], "chains": f"as written, or {cut}", "checked": "before the run"}


def _forbidden(track: str, why: str) -> UserError:
    return UserError(f"--track {track}: the track does not allow this: {why}. Leave it out, or run without --track.")
