"""A pull whose connection breaks in every block, or brings other bytes: it goes on, and no name has half a file."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest
from campaign import CAMPAIGN
from hub_server import serving_hub

from dtbench.harness.core.errors import MachineryError
from dtbench.tasks.data.download import fetch_all
from dtbench.tasks.data.sources import WebFile

BLOCK = 1 << 20
CONTENT = random.Random(1).randbytes(5 * BLOCK + 17)


def test_a_file_arrives_whole_whose_connection_breaks_in_every_block(tmp_path: Path) -> None:
    with serving_hub() as hub:
        hub.files["/raw/meta.jsonl"] = CONTENT
        file = WebFile(f"{hub.url}/raw/meta.jsonl", "meta.jsonl", sha256=hashlib.sha256(CONTENT).hexdigest())
        breaks: list[str] = []
        while not (tmp_path / "meta.jsonl").exists():
            hub.break_after = BLOCK - 1 if len(breaks) % 2 else BLOCK  # on a border, and inside
            try:
                fetch_all("mmar", [file], tmp_path)
            except MachineryError as error:
                breaks.append(str(error))
        assert [one.name for one in tmp_path.iterdir()] == ["meta.jsonl"]
        assert (tmp_path / "meta.jsonl").read_bytes() == CONTENT
    assert ["was lost after" in line for line in breaks] == [True] * 5
    CAMPAIGN.note("a pull breaks in every block", len(breaks))


@pytest.mark.parametrize("at", [0, BLOCK, 3 * BLOCK])
def test_other_bytes_after_a_break_never_get_the_name_and_the_next_pull_is_whole(at: int, tmp_path: Path) -> None:
    with serving_hub() as hub:
        path = "/raw/meta.jsonl"
        file = WebFile(f"{hub.url}{path}", "meta.jsonl", sha256=hashlib.sha256(CONTENT).hexdigest())
        hub.files[path] = CONTENT[:at] + bytes(len(CONTENT) - at)
        (tmp_path / "meta.jsonl.part").write_bytes(CONTENT[:at])
        with pytest.raises(MachineryError, match="not the pinned one"):
            fetch_all("mmar", [file], tmp_path)
        assert list(tmp_path.iterdir()) == []
        hub.files[path] = CONTENT
        fetch_all("mmar", [file], tmp_path)
        assert (tmp_path / "meta.jsonl").read_bytes() == CONTENT
