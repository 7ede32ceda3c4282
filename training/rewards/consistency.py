"""Whether a chain supports the answer that follows it, read from its words alone."""

from __future__ import annotations

from collections.abc import Sequence

from dtbench.harness.extract.answer import extract


def concludes(chain: str, choice: str | None, choices: Sequence[str]) -> bool:
    """Whether the chain's own conclusion, read like any answer, is the option that was chosen."""
    return choice is not None and extract(chain, choices).choice == choice
