"""Whether lm-eval is there; the core does without it."""

from __future__ import annotations

from importlib.util import find_spec

from dtbench.harness.core.errors import UserError


def need_lm_eval(what: str) -> None:
    """A UserError where lm-eval is not installed."""
    if find_spec("lm_eval") is None:
        raise UserError(f"{what}: lm-eval is not installed here: `pip install 'dtbench[lm-eval]'`.")
