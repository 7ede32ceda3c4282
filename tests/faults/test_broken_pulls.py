"""A pull whose connection breaks in every block, or brings other bytes: it goes on, and no name has half a file."""

from __future__ import annotations

import hashlib
import random
import re
import signal
import threading
from pathlib import Path

import pytest
from campaign import CAMPAIGN
from hub_server import Hub, serving_hub

from dtbench.harness.core.errors import MachineryError
from dtbench.tasks.data import download
from dtbench.tasks.data.download import fetch_all
from dtbench.tasks.data.sources import HubFile, WebFile

BLOCK = 1 << 20
REVISION = "0" * 40
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


def hub_file(hub: Hub, name: str = "data.bin") -> HubFile:
    """A pinned file of the hub."""
    hub.files[f"/datasets/made/up/resolve/{REVISION}/{name}"] = CONTENT
    return HubFile("made/up", REVISION, name, hashlib.sha256(CONTENT).hexdigest())


def test_a_file_of_the_hub_that_arrives_wrong_twice_keeps_no_name_and_the_next_pull_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        file = hub_file(hub)
        (path,) = hub.files
        hub.files[path] = bytes(len(CONTENT))
        with pytest.raises(MachineryError, match="it was fetched twice; a proxy or a changed file may be the cause"):
            fetch_all("mmar", [file], tmp_path)
        assert [(method, asked) for method, asked, _ in hub.asked].count(("GET", path)) == 2
        assert not (tmp_path / "data.bin").exists()
        hub.files[path] = CONTENT
        fetch_all("mmar", [file], tmp_path)
        assert (tmp_path / "data.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["hub", "web"])
def test_a_server_that_sends_a_few_bytes_now_and_then_is_one_line_and_the_next_pull_is_whole(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "STALL_SECONDS", 0.5)
    with serving_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.files["/raw/data.bin"] = CONTENT
        digest = hashlib.sha256(CONTENT).hexdigest()
        file = hub_file(hub) if kind == "hub" else WebFile(f"{hub.url}/raw/data.bin", "data.bin", sha256=digest)
        hub.trickles = threading.Event()
        with pytest.raises(MachineryError) as caught:
            fetch_all("mmar", [file], tmp_path)
        hub.trickles.set()
        (line,) = str(caught.value).splitlines()
        assert re.match(
            r"mmar: data.bin could not be downloaded \(NotFetched: only \d+ bytes arrived within 0.5 s\)", line
        )
        hub.trickles = None
        fetch_all("mmar", [file], tmp_path)
        assert (tmp_path / "data.bin").read_bytes() == CONTENT
        assert not list(tmp_path.rglob("*.incomplete"))
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    CAMPAIGN.note(f"a pull from a {kind} server that trickles", 1)
