"""Models as the loop sees them: endpoints, replayed answers, baselines."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dtbench.models.openai_client.model import from_openai

__all__ = ["from_openai"]


def __getattr__(name: str) -> object:
    """Load what is public here when it is first used."""
    if name in __all__:
        from dtbench.models.openai_client import model

        return getattr(model, name)
    raise AttributeError(f"module 'dtbench.models' has no attribute {name!r}")
