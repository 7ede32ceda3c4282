"""Fetching, from a server on this machine: whole or not at all, and on from where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_data
from hub_server import Hub, serving_hub

from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.tasks.data.download import fetch_all
from dtbench.tasks.data.sources import SOURCES, HubFile, WebFile, git_blob_hash

CONTENT = random.Random(1).randbytes(300_000)
REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving_hub() as server:
        yield server


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def web_file(hub: Hub, data: bytes = CONTENT) -> WebFile:
    hub.files["/raw/meta.jsonl"] = data
    return WebFile(f"{hub.url}/raw/meta.jsonl", "meta.jsonl", sha256=sha256(CONTENT))


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and ".cache" not in p.parts)


def pull(task: str, folder: Path, endpoint: str, *more: str) -> subprocess.CompletedProcess[str]:
    """The command itself, in a process that knows no hub but ours."""
    quiet = {"HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and name != "HF_TOKEN"}
    command = [sys.executable, "-m", "dtbench.harness.cli.main", "data", "pull", task, "--data-dir", str(folder), *more]
    return subprocess.run(
        command, env=kept | quiet | {"HF_HOME": str(folder / ".cache")}, capture_output=True, text=True, check=False
    )


def publish(hub: Hub, task: str, folder: Path) -> None:
    """Put a small data set on the server, under the pinned addresses of the task."""
    for file in SOURCES[task]:
        assert isinstance(file, HubFile)
        path = f"/datasets/{file.repo}/resolve/{file.revision}/{file.path}"
        hub.files[path] = (folder / file.path).read_bytes()


def test_a_file_behind_a_url_arrives_whole_and_is_not_fetched_twice(hub: Hub, tmp_path: Path) -> None:
    file = web_file(hub)
    for _ in range(2):
        (fetched,) = fetch_all("mmar", [file], tmp_path)
        assert (fetched.file, fetched.size, fetched.sha256) == (tmp_path / "meta.jsonl", 300_000, sha256(CONTENT))
    assert fetched.file.read_bytes() == CONTENT
    assert len(hub.asked) == 1
    assert names(tmp_path) == ["meta.jsonl"]


def test_a_connection_that_breaks_off_is_resumed_by_the_next_run(hub: Hub, tmp_path: Path) -> None:
    file = web_file(hub)
    hub.break_after = 100_000
    with pytest.raises(MachineryError, match=r"was lost after 100000 of 300000 bytes.*command again to resume"):
        fetch_all("mmar", [file], tmp_path)
    assert names(tmp_path) == ["meta.jsonl.part"]
    fetch_all("mmar", [file], tmp_path)
    assert (tmp_path / "meta.jsonl").read_bytes() == CONTENT
    assert hub.asked[-1] == ("GET", "/raw/meta.jsonl", "bytes=100000-")
    assert names(tmp_path) == ["meta.jsonl"]


def test_content_that_is_not_the_pinned_one_never_gets_the_name(hub: Hub, tmp_path: Path) -> None:
    file = web_file(hub, b"<html>log in to the network</html>")
    with pytest.raises(MachineryError, match="content is not the pinned one"):
        fetch_all("mmar", [file], tmp_path)
    assert names(tmp_path) == []


def test_a_file_of_other_content_is_replaced(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "meta.jsonl").write_bytes(b"of an earlier version")
    fetch_all("mmar", [web_file(hub)], tmp_path)
    assert (tmp_path / "meta.jsonl").read_bytes() == CONTENT


def test_content_can_be_pinned_by_the_hash_that_git_gives_it(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "copy").write_bytes(CONTENT)
    known = subprocess.run(["git", "hash-object", "copy"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert git_blob_hash(tmp_path / "copy") == known.stdout.strip()
    file = web_file(hub)._replace(sha256=None, git_blob=known.stdout.strip())
    fetch_all("mmau-test", [file], tmp_path / "x")
    with pytest.raises(MachineryError, match="content is not the pinned one"):
        fetch_all("mmau-test", [file._replace(git_blob="0" * 40)], tmp_path / "y")


def test_a_missing_page_is_one_line_that_says_where_to_put_what(hub: Hub, tmp_path: Path) -> None:
    file = WebFile(f"{hub.url}/gone", "meta.jsonl", sha256=sha256(CONTENT))
    with pytest.raises(MachineryError, match=r"HTTPError: HTTP Error 404") as caught:
        fetch_all("mmar", [file], tmp_path)
    assert f"put these files into {tmp_path} yourself: meta.jsonl ({hub.url}/gone)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pull_fetches_from_the_hub_and_names_the_version(hub: Hub, tmp_path: Path) -> None:
    small_data.mmsu_parquet(tmp_path / "published")
    publish(hub, "mmsu", tmp_path / "published")
    done = pull("mmsu", tmp_path / "here", hub.url, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["task"], report["version"], report["items"]) == ("mmsu", "parquet-548e228", 6)
    assert [file["sha256"] for file in report["files"]] == [sha256(data) for data in hub.files.values()]
    shards = [f"mmsu/data/train-{number:05}-of-00003.parquet" for number in range(3)]
    assert names(tmp_path / "here") == shards

    before = len(hub.asked)
    assert pull("mmsu", tmp_path / "here", hub.url).returncode == 0
    assert {method for method, *_ in hub.asked[before:]} == {"HEAD"}


def test_pull_mends_a_file_that_was_damaged_since(hub: Hub, tmp_path: Path) -> None:
    small_data.mmau_hub_parquet(tmp_path / "published")
    publish(hub, "mmau-mini", tmp_path / "published")
    assert pull("mmau-mini", tmp_path / "here", hub.url).returncode == 0
    file = tmp_path / "here" / "mmau-mini" / "test_mini.parquet"
    file.write_bytes(file.read_bytes()[:1000])
    done = pull("mmau-mini", tmp_path / "here", hub.url)
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() == (tmp_path / "published" / "test_mini.parquet").read_bytes()


def test_pull_without_a_network_keeps_what_is_there(hub: Hub, tmp_path: Path) -> None:
    small_data.mmau_hub_parquet(tmp_path / "mmau-mini")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        done = pull("mmau-mini", tmp_path, f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert done.returncode == 0, done.stderr
    assert "6 items" in done.stdout


@pytest.mark.parametrize("task", ["mmsu", "mmau-mini"])
def test_pull_without_a_network_is_one_line_with_every_file_and_its_place(task: str, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        done = pull(task, tmp_path, f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert (done.returncode, done.stdout) == (3, "")
    (line,) = done.stderr.splitlines()
    assert str(tmp_path / task) in line
    for file in SOURCES[task]:
        assert file.path in line
        assert file.page in line
    assert names(tmp_path) == []


def test_a_pin_names_a_commit_and_never_a_branch() -> None:
    for files in SOURCES.values():
        for file in files:
            commit = file.revision if isinstance(file, HubFile) else file.page.split("/")[5]
            assert len(commit) == 40
            assert set(commit) <= set("0123456789abcdef")


def test_a_folder_that_cannot_be_made_is_one_line_and_nothing_is_fetched(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(UserError, match=r"taken/mmar: cannot create the folder \(Not a directory\): name another"):
        fetch_all("mmar", [web_file(hub)], tmp_path / "taken" / "mmar")
    assert hub.asked == []
