"""Find and read what `dtbench faithful` wrote of a run: faithful.json in RUN/faithful, or in RUN/faithful-NAME."""

from __future__ import annotations

from pathlib import Path

from dtbench.harness.core.errors import DataError
from dtbench.harness.store.faithful_types import FaithfulSummary

FOLDER, SUMMARY = "faithful", "faithful.json"


def read_faithful(run: Path) -> FaithfulSummary | None:
    """Return what was measured of a run, by its folder or that of the measurement; None where nothing was."""
    for place in (run / SUMMARY, run / FOLDER / SUMMARY):
        if place.is_file():
            return _read(place)
    return None


def read_all_faithful(run: Path) -> list[FaithfulSummary]:
    """Return everything that was measured of a run, by its folder or that of one measurement, in the order of names."""
    found = sorted(run.glob(f"{FOLDER}*/{SUMMARY}"))
    own = run / SUMMARY
    return [_read(place) for place in ([own, *found] if own.is_file() else found)]


def _read(place: Path) -> FaithfulSummary:
    import msgspec

    try:
        return msgspec.json.decode(place.read_bytes(), type=FaithfulSummary)
    except msgspec.DecodeError as error:
        raise DataError(f"{place}: not what `dtbench faithful` wrote ({error}): measure it again.") from None
