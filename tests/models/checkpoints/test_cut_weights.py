"""A checkpoint whose copy was interrupted is told before an engine is started, by the sizes of its files alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dtbench.harness.core.errors import UserError
from dtbench.models.checkpoints.tensors import refuse_cut_weights

SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(SHARDS):
        save_file({f"layer.{number}.weight": np.ones((4, 8), np.float32)}, tmp_path / name)
    index = {"weight_map": {f"layer.{number}.weight": name for number, name in enumerate(SHARDS)}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    return tmp_path


def complaint(folder: Path) -> str:
    with pytest.raises(UserError) as raised:
        refuse_cut_weights(folder)
    return str(raised.value)


def test_whole_weights_pass_and_so_does_a_broken_file_that_the_index_does_not_name(folder: Path) -> None:
    (folder / "model-old.safetensors").write_bytes(b"old")
    refuse_cut_weights(folder)


def test_one_byte_less_is_told_with_both_sizes(folder: Path) -> None:
    last = folder / SHARDS[1]
    whole = last.read_bytes()
    last.write_bytes(whole[:-1])
    told = f"{last}: its weights end after {len(whole) - 1:,} of {len(whole):,} bytes"
    assert complaint(folder) == f"{told}: copy the checkpoint again, and wait for the end."


def test_a_file_that_the_index_names_and_is_not_there_is_named(folder: Path) -> None:
    (folder / SHARDS[0]).unlink()
    told = f"{folder}: 1 of the 2 files of its weights are missing (first: {SHARDS[0]})"
    assert complaint(folder) == f"{told}: copy the checkpoint again."


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0[]", b'\x08\0\0\0\0\0\0\0{"a": 1}'])
def test_what_is_no_safetensors_file_is_told_as_such(folder: Path, content: bytes) -> None:
    (folder / SHARDS[0]).write_bytes(content)
    assert complaint(folder).startswith(f"{folder / SHARDS[0]}: not a safetensors file (")


def test_an_index_that_is_none_is_told_as_such(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text("[]")
    assert complaint(folder).startswith(f"{folder}/model.safetensors.index.json: not an index of weights (")
