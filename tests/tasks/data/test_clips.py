"""Clips are read when they are needed, and only those."""

from __future__ import annotations

import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow
import pytest
import small_data
from pyarrow import parquet

from dtbench.harness.audio.prepare import read_clip
from dtbench.harness.core.errors import DataError
from dtbench.tasks import registry as task_registry
from dtbench.tasks.data.clips import EmbeddedClip

MEGABYTE = 1 << 20


def write_clips(file: Path, clips: list[bytes | None], rows_a_group: int) -> list[EmbeddedClip]:
    column = pyarrow.array([{"bytes": clip, "path": None} for clip in clips], small_data.audio_type())
    parquet.write_table(pyarrow.table({"context": column}), file, row_group_size=rows_a_group, compression="none")
    return [EmbeddedClip(file, row, "context") for row in range(len(clips))]


@pytest.mark.parametrize("rows_a_group", [1, 7, 100])
def test_every_row_gives_its_own_bytes_in_any_order_and_from_threads(rows_a_group: int, tmp_path: Path) -> None:
    data: list[bytes | None] = [bytes([row]) * (row + 1) for row in range(100)]
    clips = write_clips(tmp_path / "x.parquet", data, rows_a_group)
    assert [clip.read() for clip in clips] == data
    assert [clip.read() for clip in reversed(clips)] == data[::-1]
    rows = list(range(100)) * 3
    random.Random(1).shuffle(rows)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda row: clips[row].read(), rows)) == [data[row] for row in rows]


def test_memory_does_not_grow_with_the_number_of_clips(tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "x.parquet", [random.Random(row).randbytes(MEGABYTE) for row in range(120)], 10)
    before = pyarrow.total_allocated_bytes()
    held = []
    for clip in clips:
        assert len(clip.read()) == MEGABYTE
        held.append(pyarrow.total_allocated_bytes() - before)
    assert max(held) < 40 * MEGABYTE


def test_loading_reads_no_audio(tmp_path: Path) -> None:
    small_data.mmsu_parquet(tmp_path)
    before = pyarrow.total_allocated_bytes()
    samples = list(task_registry.get_task("mmsu").samples(tmp_path))
    assert all(b"RIFF" not in repr(sample).encode() for sample in samples)
    assert "bytes" not in samples[0].item
    assert pyarrow.total_allocated_bytes() - before < MEGABYTE


def test_an_embedded_clip_travels_between_processes(tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "x.parquet", [b"a", b"b"], 2)
    assert pickle.loads(pickle.dumps(clips[1])).read() == b"b"


def test_a_row_without_bytes_is_named(tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "x.parquet", [b"a", None], 2)
    with pytest.raises(DataError, match=r"x.parquet: row 1: the column 'context' has no audio bytes"):
        clips[1].read()


def test_a_file_damaged_in_its_data_is_one_line(tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "x.parquet", [random.Random(1).randbytes(5000)] * 4, 4)
    whole = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "x.parquet").write_bytes(b"PAR1" + b"\xff" * 3000 + whole[3004:])
    with pytest.raises(DataError, match=r"row 0: damaged") as caught:
        clips[0].read()
    assert "\n" not in str(caught.value)


def test_another_ending_is_found_where_only_that_is_there(tmp_path: Path) -> None:
    small_data.mmsu_jsonl_folder(tmp_path)
    (tmp_path / "audio" / "made_up_task_0001.wav").rename(tmp_path / "audio" / "made_up_task_0001.mp3")
    samples = list(task_registry.get_task("mmsu").samples(tmp_path))
    assert samples[1].audio == tmp_path / "audio" / "made_up_task_0001.mp3"
    assert read_clip(samples[1].audio) == small_data.published_clips(2)[1]
