from __future__ import annotations

import pytest

from dtbench.harness.run.circuit_breaker import CircuitBreaker


@pytest.mark.parametrize(
    ("allowed", "seen", "over"),
    [
        (0, "........", False),
        (0, "xxxxxxx", False),
        (0, "xxxxxxxx", True),
        (100, "xxxxxxxx", True),
        (0, ".xxxxxxxx", True),
        (8, ".xxxxxxxx", False),
        (8, ".xxxxxxxxx", True),
        (0, "xxxx.xxxx", False),
        (0, "x.x.x.x.x.x.x.x.x.x.", False),
        (0, "aaaaaaaaaaaa", False),
        (0, "xxxxaaaaxxxx", True),
        (0, ".aaaaaaaaxxxx", False),
    ],
)
def test_a_run_ends_where_the_model_is_down_and_its_budget_spent(allowed: float, seen: str, over: bool) -> None:
    patience = CircuitBreaker(allowed)
    for what in seen:
        if what == ".":
            patience.answer()
        else:
            patience.failure("why", of_model=what == "x")
    assert patience.is_over is over
