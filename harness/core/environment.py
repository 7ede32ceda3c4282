"""The variables of the environment that dtbench reads, and a note on one that is nearly called so."""

from __future__ import annotations

from collections.abc import Mapping

VARIABLES = (
    *("DTBENCH_DATA", "DTBENCH_API_KEY", "DTBENCH_CHECKPOINTS", "DTBENCH_ACOUSTICS", "DTBENCH_EVALUATIONS"),
    *("DTBENCH_ENGINE", "DTBENCH_NODE_ADDRESS", "DTBENCH_NODE_LOST", "DTBENCH_NODE_PATIENCE", "DTBENCH_VENV"),
    "DTBENCH_RESTARTS",
)
"""Those that users set; docs/reference/environment.md says what each does."""
_OURS = ("DTBENCH_ADAPTER", "DTBENCH_EVALUATOR", "DTBENCH_JUDGE_KEY", "DTBENCH_REWARDS", "DTBENCH_STOPPED")
"""Those that dtbench sets for processes that it starts."""
_PREFIX = "DTBENCH_"
_ALIKE = 0.84
"""Below that a variable is taken for somebody's own, such as one that names an image of a build."""


def misspelt_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a note for each variable that is not read and nearly has the name of one that is."""
    others = [
        name for name in environment if name.upper().startswith(_PREFIX[:-1]) and name not in (*VARIABLES, *_OURS)
    ]
    if not others:
        return []
    import difflib  # 5 ms that only such a variable should cost

    notes = []
    for name in others:
        near = difflib.get_close_matches(name.upper(), VARIABLES, n=1, cutoff=_ALIKE)
        if near and near[0] not in environment:
            notes.append(f"the variable {name} of the environment is not read. Did you mean {near[0]}?")
    return notes
