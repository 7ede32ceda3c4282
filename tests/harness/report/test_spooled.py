from __future__ import annotations

from typing import Any, cast

from dtbench.harness.report.spooled import IN_MEMORY, SpooledRecords
from dtbench.harness.store.types import Record


def test_records_on_disk_are_what_they_were_and_are_read_again_in_any_order() -> None:
    made: list[Any] = [{"id": f"q{number}", "sample": 0, "seconds": number / 3} for number in range(IN_MEMORY + 40)]
    spooled = SpooledRecords(iter(cast("list[Record]", made)))
    assert list(spooled) == list(spooled) == made
    assert len(spooled) == IN_MEMORY + 40
    assert [spooled[0], spooled[IN_MEMORY], spooled[-1]] == [made[0], made[IN_MEMORY], made[-1]]
    assert spooled[IN_MEMORY - 1 : IN_MEMORY + 1] == made[IN_MEMORY - 1 : IN_MEMORY + 1]
    assert SpooledRecords.of(spooled) is spooled
