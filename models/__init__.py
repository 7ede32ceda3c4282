"""Whatever answers the questions of a run: checkpoints, endpoints, functions, baselines, replayed answers."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dtbench.models.openai_client.model import from_openai
    from dtbench.models.plain.function import from_function

__all__ = ["from_function", "from_openai"]


def __getattr__(name: str) -> object:
    """Load what is public here when it is first used."""
    if name == "from_function":
        from dtbench.models.plain.function import from_function

        return from_function
    if name == "from_openai":
        from dtbench.models.openai_client.model import from_openai

        return from_openai
    raise AttributeError(f"module 'dtbench.models' has no attribute {name!r}")
