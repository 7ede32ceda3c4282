"""The claims of our statistics in simulation, in short; tests/bench/bench_claims.py prints the whole table."""

from __future__ import annotations

import pytest
from claims import CLAIMS, Claim, months


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_the_claim_holds(claim: Claim) -> None:
    found = claim.measured(times=150)
    slack = 3.5 * (0.05 * 0.95 / 150) ** 0.5
    for design, share in found.items():
        assert claim.least - slack <= share <= claim.most + slack, (claim.name, design, share)


def test_a_gate_of_every_night_seldom_cries_wolf_and_finds_two_points_within_five_nights() -> None:
    quiet = [month.alarm for month in months(20, drop_at=None)]
    assert sum(alarm is not None for alarm in quiet) <= 4
    found = [month.alarm for month in months(20, drop_at=9, seed=1)]
    assert sum(alarm is not None and 9 <= alarm < 14 for alarm in found) >= 16
