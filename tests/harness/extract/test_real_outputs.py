"""What about sixty real models wrote, read by a careful reader before anything was run on it."""

from __future__ import annotations

from real_outputs import ReadOutput, firm_rows

from dtbench.harness.extract.answer import Extraction, extract
from dtbench.harness.extract.evidence import DEFAULT_MIN_EVIDENCE, set_weak_aside


def readings() -> list[tuple[ReadOutput, Extraction]]:
    return [(row, extract(row.output, row.choices)) for row in firm_rows()]


def test_97_of_100_real_outputs_are_read_as_a_careful_reader_reads_them() -> None:
    rows = readings()
    other = [
        f"{row.output[-80:]!r}: {read.choice!r}, not {row.expect!r}" for row, read in rows if read.choice != row.expect
    ]
    assert len(other) <= 0.03 * len(rows), other


def test_hardly_an_option_is_named_where_the_reader_saw_none() -> None:
    named = [read.how for row, read in readings() if row.expect is None and read.choice is not None]
    assert len(named) <= 0.03 * sum(row.expect is None for row in firm_rows()), named


def test_no_option_is_taken_for_another() -> None:
    assert [
        read for row, read in readings() if None not in {row.expect, read.choice} and read.choice != row.expect
    ] == []


def test_at_the_usual_threshold_one_in_a_hundred_silent_outputs_gets_an_option_at_most() -> None:
    silent = [read for row, read in readings() if row.expect is None]
    counted = [read for read in silent if set_weak_aside(read, DEFAULT_MIN_EVIDENCE).choice is not None]
    assert len(counted) <= 0.01 * len(silent), counted
