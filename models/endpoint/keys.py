"""The key of an endpoint: from the environment, into a header, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterable

from dtbench.harness.core.errors import UserError

NAMES = ("DTBENCH_API_KEY", "OPENAI_API_KEY")


def api_key() -> str | None:
    """The key that the environment holds, if any."""
    for name in NAMES:
        key = os.environ.get(name, "").strip()
        if key:
            if not (key.isascii() and key.isprintable()):
                raise UserError(f"the variable {name} holds no key: it has characters that a header cannot carry.")
            return key
    return None


def without(text: str, secrets: Iterable[str | None]) -> str:
    """The text with each secret that it repeats struck out: endpoints quote keys in their errors."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text
