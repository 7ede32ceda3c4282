"""`dtbench view`: what its server answers, to whom, and what it never gives away."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest
from command import call
from reported import two_runs
from runs import PATIENCE, interrupt
from viewed import Viewed, viewing

RUNS = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, one that is damaged, and a file that is nobody's business."""
    folder = tmp_path_factory.mktemp("view")
    two_runs(folder / "runs", RUNS, 3)
    (folder / "runs" / "broken").mkdir()
    (folder / "runs" / "broken" / "run.json").write_text("{")
    (folder / "runs" / "secret.txt").write_text("a secret")
    return folder / "runs"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Viewed]:
    with viewing(folder) as viewed:
        yield viewed


def clip_links(page: bytes) -> list[str]:
    """The addresses of the clips in a report."""
    import base64
    import gzip

    packed = re.search(rb'id="samples">(.*?)</script>', page)
    assert packed is not None
    data = gzip.decompress(base64.b64decode(packed[1]))
    header = json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
    return [unescape(one["link"]) for one in header["clips"].values() if "link" in one]


def test_a_damaged_run_is_listed_with_its_reason_and_hides_no_other(server: Viewed, folder: Path) -> None:
    rows = server.runs()
    assert sorted(rows) == ["broken", "first", "second"]
    assert rows["broken"]["status"] == "damaged"
    assert rows["broken"]["note"].startswith(f"{folder}/broken/run.json: not JSON")
    assert "\n" not in rows["broken"]["note"]
    (task,) = rows["first"]["tasks"]
    assert (task["task"], task["done"], task["expected"], rows["first"]["status"]) == ("mmar", RUNS, RUNS, "done")
    reply = server.ask("/report?run=broken")
    assert (reply.status, reply.body.decode().count("\n")) == (409, 1)
    assert b"not JSON" in reply.body


def test_the_report_of_a_chosen_set_is_that_of_dtbench_report(server: Viewed, folder: Path, tmp_path: Path) -> None:
    written = tmp_path / "report.html"
    assert call("report", folder / "first", folder / "second", "--clips", "none", "--out", written).code == 0
    page = server.ask("/report?run=first&run=second").body.decode()
    shown, stored = (
        json.loads(text.partition('id="first">')[2].partition("</script>")[0]) for text in (page, written.read_text())
    )
    for one in (shown, stored):
        one.pop("made"), one.pop("audio")
    assert shown == stored


def test_clips_are_served_by_question_and_hash_alone(server: Viewed) -> None:
    links = clip_links(server.ask("/report?run=first").body)
    assert len(links) == 3
    assert all(re.fullmatch(r"clip\?run=first&task=mmar&id=[\w-]+&hash=[0-9a-f]{16}", link) for link in links)
    reply = server.ask(f"/{links[0]}")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "audio/mpeg")
    assert reply.body[:1] == b"\xff"
    for other in (re.sub("hash=.", "hash=x", links[0]), links[0].replace("id=", "id=../../"), "clip?run=first"):
        assert server.ask(f"/{other}").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/secret.txt",
        "/../secret.txt",
        "/first/mmar.jsonl",
        "/static/run.json",
        "/report?run=../runs/first",
        "/report?run=.",
        "/report?run=/etc",
        "/report?run=",
        "/report",
        f"/clip?{urlencode({'run': 'first', 'task': 'mmar', 'id': '../secret.txt', 'hash': ''})}",
    ],
)
def test_no_file_and_no_path_is_served(server: Viewed, path: str) -> None:
    reply = server.ask(path)
    assert reply.status == 404
    assert b"secret" not in reply.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_only_get_is_answered(server: Viewed, method: str) -> None:
    reply = server.ask("/", method)
    assert (reply.status, reply.headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8642", "127.0.0.1.evil.example", "localhost.evil", ""])
def test_a_name_that_was_rebound_to_this_machine_is_refused(server: Viewed, host: str) -> None:
    for path in ("/", "/report?run=first", "/events"):
        reply = server.ask(path, Host=host)
        assert reply.status == 421
        assert b"first" not in reply.body


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:80"])
def test_addresses_and_localhost_are_answered(server: Viewed, host: str) -> None:
    assert server.ask("/", Host=host).status == 200


def test_pages_let_nothing_run_and_nobody_frame_or_read_them(server: Viewed) -> None:
    for path in ("/", "/report?run=first"):
        reply = server.ask(path)
        assert reply.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in reply.headers
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', reply.body.decode())
        assert policy is not None
        rules = dict(rule.split(" ", 1) for rule in policy[1].split("; "))
        assert (rules["default-src"], rules["connect-src"]) == ("'none'", "'self'")
        assert re.fullmatch(r"'sha256-[\w+/=]+'", rules["script-src"])


def test_what_changed_comes_in_parts_and_no_more(server: Viewed, folder: Path) -> None:
    page = server.ask("/report?run=first&run=second").body.decode()
    version = json.loads(page.partition('id="served">')[2].partition("</script>")[0])["version"]
    same = json.loads(server.ask(f"/change?run=first&run=second&since={version}").body)
    assert same == {"version": version, "parts": {}}
    whole = json.loads(server.ask("/change?run=first&run=second&since=unknown").body)
    assert {"first", "samples", "text-0-0-0", "text-0-1-0"} <= whole["parts"].keys()
    lines = (folder / "second" / "mmar.jsonl").read_text().splitlines(keepends=True)
    try:
        (folder / "second" / "mmar.jsonl").write_text("".join(lines[:-1]))
        changed: dict[str, str] = {}
        while "text-0-1-0" not in changed:  # until it may be built again
            changed = json.loads(server.ask(f"/change?run=first&run=second&since={version}").body)["parts"]
        assert changed.keys() == {"first", "samples", "text-0-1-0"}
    finally:
        (folder / "second" / "mmar.jsonl").write_text("".join(lines))


def test_it_listens_on_loopback_alone_and_ends_with_ctrl_c(folder: Path) -> None:
    with viewing(folder) as viewed:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", viewed.url)
        assert viewed.ask("/").status == 200
        interrupt(viewed.process)
        out, err = viewed.process.communicate(timeout=PATIENCE)
    assert (viewed.process.returncode, out, err) == (130, b"", b"")


def test_another_host_is_said_to_be_open_to_others(folder: Path) -> None:
    with viewing(folder, "--host", "0.0.0.0") as viewed:
        interrupt(viewed.process)
        _, err = viewed.process.communicate(timeout=PATIENCE)
    assert "whoever reaches this machine can read these runs; there is no password" in err.decode()


def test_a_port_that_is_taken_is_refused_where_it_was_named(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refusal = call("view", folder, "--port", str(port)).refusal()
    assert refusal.startswith(f"error: --host 127.0.0.1 --port {port}: nothing can listen there (")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("nowhere",), "view nowhere: there is no such folder; name a folder with runs in it."),
        (("--port", "70000"), "--port"),
    ],
)
def test_a_mistake_is_one_clear_line(folder: Path, arguments: tuple[str, ...], line: str) -> None:
    where = () if arguments[0] == "nowhere" else (folder,)
    assert line in call("view", *where, *arguments).refusal()
