"""The claims of our statistics in simulation: how often each holds, beside what is said."""

from __future__ import annotations

from claims import CLAIMS, power_said_and_found

TIMES = 2000


def test_what_is_said_and_how_often_it_is_so() -> None:
    print(f"\n{TIMES} draws of each design")
    for claim in CLAIMS:
        print(f"\n{claim.name} ({claim.least:.1%} to {claim.most:.1%})")
        for design, share in claim.measured(TIMES).items():
            print(f"  {design:<52} {share:7.1%}")
    print("\npower: said, found")
    for design, said, found in power_said_and_found(TIMES // 4):
        print(f"  {design:<60} {said:7.1%} {found:7.1%}")
