"""The claims of our statistics in simulation: how often each holds, beside what is said."""

from __future__ import annotations

from claims import CLAIMS, months, power_said_and_found

TIMES = 2000
MONTHS = 200


def test_what_is_said_and_how_often_it_is_so() -> None:
    print(f"\n{TIMES} draws of each design")
    for claim in CLAIMS:
        print(f"\n{claim.name} ({claim.least:.1%} to {claim.most:.1%})")
        for design, share in claim.measured(TIMES).items():
            print(f"  {design:<52} {share:7.1%}")
    print("\npower: said, found")
    for design, said, found in power_said_and_found(TIMES // 4):
        print(f"  {design:<60} {said:7.1%} {found:7.1%}")


def test_a_gate_of_every_night() -> None:
    """A thousand questions, an anchor of eight answers each, five nights together, alpha 0.05 over thirty looks."""
    quiet = [month.alarm for month in months(MONTHS, drop_at=None)]
    found = [month.alarm for month in months(MONTHS, drop_at=9, seed=1)]
    print(f"\nfalse alarms in a month {sum(alarm is not None for alarm in quiet) / MONTHS:.1%}")
    within = sum(alarm is not None and 9 <= alarm < 14 for alarm in found) / MONTHS
    print(f"a loss of two points on night ten found within five nights {within:.1%}")
