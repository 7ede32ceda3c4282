"""The clips of a report: all of them up to a size, the most wanted first, as Opus where ffmpeg is there."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from command import call
from made_up_run import write_run
from reported import audible, chained, first, samples, two_runs
from sounds import encoded, sine

NO_FFMPEG = "ffmpeg is not on the PATH: the clips of reports are MP3 here"


def inside(page: Path) -> list[str]:
    """The clips of a page, in base64."""
    return re.findall(r'id="clip-\d+">(.*?)</script>', page.read_text())


def distinct(folder: Path) -> tuple[Path, Path]:
    """Two runs over 60 questions, each about a tone of its own."""
    runs = two_runs(folder, count=60, clips=60)
    for number, path in enumerate(sorted((folder / "data" / "audio").iterdir())):
        path.write_bytes(encoded(sine(300.0 + 20.0 * number, 0.6, 16000), 16000).data)
    return runs


def without_ffmpeg(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Leave nothing on the PATH."""
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))


def test_clips_are_opus_where_ffmpeg_is_there(tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip(NO_FFMPEG)
    runs = distinct(tmp_path)
    assert call("report", runs[0]).code == 0
    page = runs[0] / "report.html"
    assert {one["type"] for one in samples(page)["clips"].values() if "inside" in one} == {"audio/webm"}
    clips = inside(page)
    assert len(clips) == 60
    (tmp_path / "clip.webm").write_bytes(base64.b64decode(clips[19]))
    command = ("ffmpeg", "-hide_banner", "-i", tmp_path / "clip.webm", "-f", "null", "-")
    found = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert "Audio: opus, 48000 Hz, mono" in found
    assert "Duration: 00:00:00.6" in found


def test_clips_are_mp3_without_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_ffmpeg(monkeypatch, tmp_path / "empty")
    runs = two_runs(tmp_path, count=24, clips=3)
    assert call("report", runs[0]).code == 0
    page = runs[0] / "report.html"
    assert {one["type"] for one in samples(page)["clips"].values() if "inside" in one} == {"audio/mpeg"}
    assert all(base64.b64decode(one)[:2] == b"\xff\xf3" for one in inside(page)), "MPEG 2, layer III"


def test_an_ffmpeg_without_opus_falls_back_to_mp3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'Unknown encoder libopus' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    runs = two_runs(tmp_path, count=24, clips=3)
    assert call("report", runs[0]).code == 0
    clips = samples(runs[0] / "report.html")["clips"].values()
    assert [one["type"] for one in clips if "inside" in one] == 3 * ["audio/mpeg"]


def test_beyond_the_size_what_changed_comes_first_then_wrong_then_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_ffmpeg(monkeypatch, tmp_path / "empty")
    runs = distinct(tmp_path)
    page = tmp_path / "report.html"
    assert call("report", *runs, "--out", page).code == 0
    (rows,) = samples(page)["tasks"]
    ranks: dict[str, list[str]] = {"changed": [], "wrong": [], "right": []}
    for row in rows:
        before, after = (run[0]["state"] == "right" for run in row["runs"])
        ranks["changed" if before != after else "right" if after else "wrong"].append(row["id"])
    assert "left out" not in "".join(first(page)["tasks"][0]["notes"])
    wanted = [*ranks["changed"], *ranks["wrong"][:2]]
    sizes = {id_: len(inside(page)[one["inside"]]) for id_, one in samples(page)["clips"].items()}
    room = f"{sum(sizes[f'0/{id_}'] for id_ in wanted) / 1000 + 0.002:.3f}kB"
    done = call("report", *runs, "--out", page, "--clips-size", room)
    assert samples(page)["clips"].keys() == {f"0/{id_}" for id_ in wanted}
    left = f"({len(ranks['wrong']) - 2} wrong, {len(ranks['right'])} right), as clips may take {room} of the page"
    assert f"the clips of {60 - len(wanted)} of 60 questions are left out {left}" in done.err
    assert left in "".join(first(page)["tasks"][0]["notes"])


def test_a_clip_of_several_questions_is_in_the_page_once(tmp_path: Path) -> None:
    data = audible(tmp_path / "data", 12, 12)
    meta = data / "MMAR-meta.jsonl"
    meta.write_text(re.sub(r"clip of \d+\.wav", "clip of 0.wav", meta.read_text()))
    write_run(tmp_path / "run", {"mmar": data}, chained(1, 0.5))
    assert call("report", tmp_path / "run").code == 0
    page = tmp_path / "run" / "report.html"
    assert {one["inside"] for one in samples(page)["clips"].values()} == {0}
    assert len(samples(page)["clips"]) == 12
    assert len(inside(page)) == 1


@pytest.mark.parametrize("size", ["100", "0MB", "many", "-1MB", "1TB"])
def test_a_size_that_is_none_is_refused(tmp_path: Path, size: str) -> None:
    done = call("report", tmp_path, "--clips-size", size)
    assert done.refusal() == f"error: --clips-size {size}: a size above 0 is expected, such as 100MB or 500kB."
