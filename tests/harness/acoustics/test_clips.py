"""Many clips: what cannot be measured is counted, and what was measured is never measured again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import pytest
from sounds import Bytes, encoded, sine

from dtbench.harness.acoustics.cache import cache_root
from dtbench.harness.acoustics.clips import FAULTY, MISSING, OTHER, acoustic_columns, measure_clips
from dtbench.harness.acoustics.columns import COLUMNS
from dtbench.harness.audio.prepare import hash_clip

RATE = 16_000
TONES = [encoded(sine(200 + 50 * place, 0.5, RATE), RATE) for place in range(4)]
BY_HASH = {hash_clip(tone): tone for tone in TONES}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DTBENCH_ACOUSTICS", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_faulty_missing_and_other_clips_have_nothing_and_are_counted(tmp_path: Path) -> None:
    unsound = encoded(numpy.full(RATE, numpy.nan), RATE, subtype="FLOAT")
    broken = Bytes(b"RIFF and nothing that follows")
    found = measure_clips(
        {
            **BY_HASH,
            hash_clip(unsound): unsound,
            hash_clip(broken): broken,
            "000000000000": TONES[0],
            "111111111111": tmp_path / "gone.wav",
            "222222222222": None,
        }
    )
    assert found.failed == {
        hash_clip(unsound): FAULTY,
        hash_clip(broken): FAULTY,
        "000000000000": OTHER,
        "111111111111": MISSING,
        "222222222222": MISSING,
    }
    assert all(set(found.columns[one].values()) == {None} for one in found.failed)
    assert [found.columns[one]["f0_hz"] for one in BY_HASH] == pytest.approx([200, 250, 300, 350], rel=0.02)
    assert {tuple(values) for values in found.columns.values()} == {COLUMNS}


def test_what_was_measured_needs_its_clip_no_more(cache: Path) -> None:
    measured = acoustic_columns(BY_HASH, jobs=2)
    assert acoustic_columns(dict.fromkeys(BY_HASH)) == measured
    assert len(list(cache.rglob("*.json"))) == len(BY_HASH)
    assert [path for path in cache.rglob("*") if path.name.endswith(".tmp")] == []


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"duration_s": 1.0}', "\x00" * 50])
def test_a_torn_entry_is_measured_again(cache: Path, content: str) -> None:
    one = {hash_clip(TONES[0]): TONES[0]}
    measured = acoustic_columns(one)
    (entry,) = cache.rglob("*.json")
    whole = entry.read_text()
    entry.write_text(content)
    assert acoustic_columns(one) == measured
    assert json.loads(entry.read_text()) == json.loads(whole)


def test_a_cache_that_cannot_be_written_costs_a_line_and_nothing_else(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    found = measure_clips(BY_HASH)
    assert found.failed == {}
    (line,) = found.notes
    assert line.startswith("measures are not cached: ")
    assert "$DTBENCH_ACOUSTICS" in line


def test_the_cache_lies_where_the_variables_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_root() == tmp_path / "cache"
    monkeypatch.delenv("DTBENCH_ACOUSTICS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg" / "dtbench" / "acoustics"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == Path.home() / ".cache" / "dtbench" / "acoustics"
