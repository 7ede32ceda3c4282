"""How many clips vLLM lets a prompt have: as many as the questions of a run need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.typed_settings import show_option

LIMIT = "limit_mm_per_prompt"


def raised_limit(flags: Mapping[str, str | bool], clips: int, *, is_users: bool) -> Mapping[str, str]:
    """Return the flag by which prompts may have so many clips; none where those that are given do.

    A family's limit is raised. A user's that is too low is a UserError: it may be all that fits into the memory.
    """
    given = flags.get(LIMIT)
    limits = _read_limits(given) if isinstance(given, str) else {}
    if limits is None or clips < 2:  # written in another way, which vLLM understands or refuses
        return {}
    audio = limits.get("audio")
    most = audio.get("count") if isinstance(audio, dict) else audio
    if isinstance(most, int) and most >= clips:
        return {}
    if is_users and most is not None:
        raise UserError(
            f"{show_option(LIMIT, str(given))}: prompts of this run have up to {clips} clips: give at least "
            f"-M {LIMIT}='{json.dumps({**limits, 'audio': clips})}', or leave it out."
        )
    raised = {**audio, "count": clips} if isinstance(audio, dict) else clips
    return {LIMIT: json.dumps({**limits, "audio": raised})}


def _read_limits(text: str) -> dict[str, Any] | None:
    try:
        limits = json.loads(text)
    except ValueError:
        return None
    return limits if isinstance(limits, dict) else None
