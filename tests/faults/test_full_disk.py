"""A full disk, and files that are too large: one line, what was there stays whole, and nothing is left half-written."""

from __future__ import annotations

import resource
import subprocess
import zipfile
from pathlib import Path

import pytest
from campaign import CAMPAIGN
from command import COMMAND, Done, call, process
from exports import says
from made_up_run import write_run
from runs import mmar_data
from small_disk import small_disk

WRITERS: dict[str, tuple[str, ...]] = {
    "report": ("report", "{run}", "--out", "{disk}/report.html"),
    "export": ("export", "{run}", "--format", "mmar", "--out", "{disk}/mmar.jsonl"),
    "export parquet": ("export", "{run}", "--format", "parquet", "--out", "{disk}/parquet"),
    "export eee": ("export", "{run}", "--format", "eee", "--out", "{disk}/eee"),
    "export inspect": ("export", "{run}", "--format", "inspect", "--out", "{disk}/inspect"),
    "export lm-eval": ("export", "{run}", "--format", "lm-eval", "--out", "{disk}/lm-eval"),
    "plot": ("plot", "{run}", "--out", "{disk}/plot.svg"),
    "score --rows": ("score", "{run}", "--rows", "{disk}/rows.jsonl"),
    "data load": ("data", "load", "mmar", "--data-dir", "{data}", "--to", "{disk}/loaded"),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_a_full_disk_cannot_take_leaves_what_was_there(tmp_path: Path) -> None:
    mmar_data(tmp_path / "data", 200)
    write_run(tmp_path / "run", {"mmar": tmp_path / "data"}, says)
    disk = tmp_path / "small"
    names = {"run": tmp_path / "run", "data": tmp_path / "data", "disk": disk}
    failures = []
    with small_disk(disk, "64k"):
        (disk / "ballast").write_bytes(bytes(60_000))
        (disk / "plot.svg").write_text("<svg>old</svg>")
        before = contents(disk)
        for name, words in WRITERS.items():
            done = call(*(word.format(**names) for word in words))
            after = {path: data for path, data in contents(disk).items() if not path.endswith(".manifest.json")}
            if (done.code, after) != (3, before) or "Traceback" in done.err or "No space left" not in done.err:
                failures.append(f"{name}: {done.code} {done.err.splitlines()[-1:]} {sorted(after)}")
            for manifest in disk.glob("*.manifest.json"):
                manifest.unlink()
    CAMPAIGN.note("full disk: reports, exports and data", len(WRITERS), leaked=len(failures))
    assert failures == []


def bomb(path: Path, megabytes: int) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("result.jsonl", "w") as file:
        for _ in range(megabytes):
            file.write(b" " * (1 << 20))


def bounded(*arguments: str | Path, megabytes: int) -> Done:
    """A command that may have so much memory and no more."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20)),
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_zip_that_unpacks_to_more_than_a_submission_can_have_is_not_unpacked(tmp_path: Path) -> None:
    mmar_data(tmp_path / "data", 3)
    bomb(tmp_path / "bomb.zip", 400)
    check = ("export", "--check", tmp_path / "bomb.zip", "--format", "arc", "--data-dir", tmp_path / "data")
    done = bounded(*check, megabytes=700)
    assert done.code == 2, done
    assert "result.jsonl unpacks to more than 256 MB" in done.out
    CAMPAIGN.note("zip bomb", 1)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("export", "--format", "mmar", "--check"), "300 MB, and a submission of at most 256 MB is expected"),
        (("score", "--task", "mmar"), "not JSON (Expecting value). A JSON list or JSON lines"),
    ],
)
def test_a_file_of_nothing_but_room_is_one_line(tmp_path: Path, command: tuple[str, ...], said: str) -> None:
    file = tmp_path / "predictions.jsonl"
    with file.open("wb") as handle:
        handle.truncate(300 << 20)
    done = process(*command, file) if "--check" in command else process("score", "--predictions", file, *command[1:])
    assert (done.code, said in done.err, "Traceback" in done.err) == (2, True, False), done.err[:500]
