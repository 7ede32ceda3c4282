"""An archive is unpacked whole and inside its folder, or refused in one line with nothing written."""

from __future__ import annotations

import gzip
import io
import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dtbench.harness.core.errors import DataError, DtbenchError
from dtbench.tasks.data import archive

Files = dict[str, bytes]
Maker = Callable[..., Path]
CLIPS = {"audio/a.wav": b"RIFF a" * 300, "audio/b.wav": os.urandom(5000), "audio/deep/c.wav": b""}


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    for key, value in more.items():
        setattr(info, key, value)
    return info


def make_tar(path: Path, files: Files = CLIPS, extra: Sequence[tarfile.TarInfo] = ()) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            tar.addfile(member(name, size=len(data)), io.BytesIO(data))
        for info in extra:
            tar.addfile(info, io.BytesIO(bytes(max(info.size, 0))))
    return path


def make_zip(path: Path, files: Files = CLIPS) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in files.items():
            bundle.writestr(name, data)
    return path


def contents(folder: Path) -> Files:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def everything(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_an_archive_becomes_the_folder_with_equal_bytes(tmp_path: Path, make: Maker) -> None:
    made = make(tmp_path / "clips.bin")
    result = archive.unpack(made, tmp_path / "audio")
    assert result == archive.Unpacked(3, sum(map(len, CLIPS.values())))
    assert contents(tmp_path / "audio") == {name.removeprefix("audio/"): data for name, data in CLIPS.items()}
    assert everything(tmp_path) == [
        "audio",
        "audio/a.wav",
        "audio/b.wav",
        "audio/deep",
        "audio/deep/c.wav",
        "clips.bin",
    ]


@pytest.mark.parametrize("prefix", ["", "./", "./audio/", "other/"])
def test_the_folder_is_found_whatever_the_archive_calls_it(tmp_path: Path, prefix: str) -> None:
    archive.unpack(
        make_tar(tmp_path / "x.tar.gz", {f"{prefix}a.wav": b"a", f"{prefix}b.wav": b"b"}), tmp_path / "audio"
    )
    assert contents(tmp_path / "audio") == {"a.wav": b"a", "b.wav": b"b"}


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    assert archive.unpack(make_tar(tmp_path / "x.tar.gz"), tmp_path / "audio") is None
    assert contents(tmp_path / "audio") == {}


HOSTILE_MEMBERS = {
    "absolute path": member("/tmp/dtbench-evil"),
    "parent folder": member("audio/../../evil"),
    "windows drive": member("C:evil"),
    "backslash": member("..\\evil"),
    "symbolic link": member("audio/l", tarfile.SYMTYPE, linkname="/etc/passwd"),
    "hard link": member("audio/l", tarfile.LNKTYPE, linkname="audio/a.wav"),
    "character device": member("audio/d", tarfile.CHRTYPE, devmajor=1, devminor=3),
    "block device": member("audio/d", tarfile.BLKTYPE, devmajor=8, devminor=0),
    "pipe": member("audio/p", tarfile.FIFOTYPE),
    "same name twice": member("audio/a.wav"),
    "file where a folder is": member("audio/a.wav/x"),
    "name too long": member("audio/" + "n" * 300),
    "control character": member("audio/a\nb"),
}


@pytest.mark.parametrize("case", HOSTILE_MEMBERS)
def test_a_hostile_tar_is_refused_in_one_line_and_leaves_nothing(tmp_path: Path, case: str) -> None:
    made = make_tar(tmp_path / "x.tar.gz", extra=[HOSTILE_MEMBERS[case]])
    with pytest.raises(DataError, match=r"not unpacked, nothing was written") as caught:
        archive.unpack(made, tmp_path / "audio")
    assert "\n" not in str(caught.value)
    assert everything(tmp_path) == ["x.tar.gz"]


@pytest.mark.parametrize("name", ["/tmp/dtbench-evil", "../evil", "a/../../evil"])
def test_a_hostile_zip_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="outside"):
        archive.unpack(make_zip(tmp_path / "x.zip", {**CLIPS, name: b"x"}), tmp_path / "audio")
    assert everything(tmp_path) == ["x.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_a_zip_with_a_link_or_device_is_refused(tmp_path: Path, kind: int) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as bundle:
        info = zipfile.ZipInfo("audio/l")
        info.external_attr = (kind | 0o777) << 16
        bundle.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match=r"link|special"):
        archive.unpack(tmp_path / "x.zip", tmp_path / "audio")


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path, make: Maker) -> None:
    bomb = make(tmp_path / "bomb", {"audio/zeros.wav": bytes(archive.FREE_SIZE * 2)})
    assert bomb.stat().st_size < archive.MEGABYTE
    with pytest.raises(DataError, match="made to fill the disk"):
        archive.unpack(bomb, tmp_path / "audio")
    assert everything(tmp_path) == ["bomb"]


def test_a_bomb_after_the_last_member_is_refused(tmp_path: Path) -> None:
    made = tmp_path / "x.tar.gz"
    plain = gzip.decompress(make_tar(made).read_bytes())
    made.write_bytes(gzip.compress(plain + bytes(archive.FREE_SIZE * 4), compresslevel=1))
    with pytest.raises(DataError, match="more than"):
        archive.unpack(made, tmp_path / "audio")


def test_a_header_that_claims_a_huge_name_is_refused(tmp_path: Path) -> None:
    made = make_tar(tmp_path / "x.tar.gz", extra=[member("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=8 << 20)])
    with pytest.raises(DataError, match="header claims"):
        archive.unpack(made, tmp_path / "audio")


@pytest.mark.parametrize("make", [make_tar, make_zip])
@pytest.mark.parametrize("keep", [0.999, 0.9, 0.5, 0.1, 0.01])
def test_a_truncated_archive_is_one_clear_error_and_leaves_nothing(tmp_path: Path, make: Maker, keep: float) -> None:
    made = make(tmp_path / "x")
    data = made.read_bytes()
    made.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(DataError, match=r"truncated|damaged"):
        archive.unpack(made, tmp_path / "audio")
    assert everything(tmp_path) == ["x"]


def test_a_tar_that_ends_at_a_member_is_seen_as_truncated(tmp_path: Path) -> None:
    made = make_tar(tmp_path / "x.tar.gz", {"audio/a.wav": b"a" * 512, "audio/b.wav": b"b" * 512})
    made.write_bytes(gzip.compress(gzip.decompress(made.read_bytes())[:1024]))
    with pytest.raises(DataError, match="truncated"):
        archive.unpack(made, tmp_path / "audio")


def test_a_damaged_header_in_the_middle_does_not_end_the_list_in_silence(tmp_path: Path) -> None:
    made = make_tar(tmp_path / "x.tar.gz", {f"audio/{n}.wav": bytes([65 + n]) * 512 for n in range(4)})
    plain = bytearray(gzip.decompress(made.read_bytes()))
    plain[2 * 1024 + 150] ^= 0xFF
    made.write_bytes(gzip.compress(bytes(plain)))
    with pytest.raises(DataError, match="damaged after 2 files"):
        archive.unpack(made, tmp_path / "audio")


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_flipped_bytes_never_raise_anything_but_a_data_error(tmp_path: Path, make: Maker) -> None:
    good = make(tmp_path / "x").read_bytes()
    refused = 0
    for place in range(0, len(good), max(1, len(good) // 120)):
        (tmp_path / "x").write_bytes(good[:place] + bytes([good[place] ^ 0x5A]) + good[place + 1 :])
        try:
            archive.unpack(tmp_path / "x", tmp_path / f"audio{place}")
        except DataError:
            refused += 1
    assert refused > 60


@pytest.mark.parametrize("data", [b"", b"<html>not found</html>", b"\x1f\x8b", b"PK\x03\x04"])
def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tar.gz").write_bytes(data)
    with pytest.raises(DataError, match=r"neither|truncated"):
        archive.unpack(tmp_path / "x.tar.gz", tmp_path / "audio")


def test_an_archive_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no files"):
        archive.unpack(make_tar(tmp_path / "x.tar.gz", {}), tmp_path / "audio")


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such archive"):
        archive.unpack(tmp_path / "gone.zip", tmp_path / "audio")


def test_a_missing_folder_to_unpack_into_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: there is no such folder, into which a\.tar\.gz could be unpacked"):
        archive.unpack(make_tar(tmp_path / "a.tar.gz"), tmp_path / "nowhere" / "audio")


def test_two_processes_at_once_end_with_one_whole_folder(tmp_path: Path) -> None:
    made = make_tar(tmp_path / "x.tar.gz", {f"audio/{n}.wav": os.urandom(20_000) for n in range(60)})
    code = "import sys, pathlib, dtbench.tasks.data.archive as a; a.unpack(*map(pathlib.Path, sys.argv[1:]))"
    command = [sys.executable, "-c", code, str(made), str(tmp_path / "audio")]
    running = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert len(contents(tmp_path / "audio")) == 60
    assert sorted(p.name for p in tmp_path.iterdir()) == ["audio", "x.tar.gz"]


def test_what_a_killed_run_left_is_swept_by_the_next(tmp_path: Path) -> None:
    made = make_tar(tmp_path / "x.tar.gz")
    code = (
        "import os, sys; from pathlib import Path; from dtbench.tasks.data import archive\n"
        "archive._the_folder = lambda *_: os._exit(9)\n"
        "archive.unpack(*map(Path, sys.argv[1:]))"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(made), str(tmp_path / "audio")], check=False)
    assert killed.returncode == 9
    assert len(list(tmp_path.iterdir())) == 2
    assert not (tmp_path / "audio").exists()
    archive.unpack(made, tmp_path / "audio")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["audio", "x.tar.gz"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    made = make_tar(tmp_path / "x.tar.gz")
    (tmp_path / "sealed").write_text("a file where a folder should be")
    with pytest.raises(DtbenchError, match="sealed"):
        archive.unpack(made, tmp_path / "sealed" / "audio")


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_what_was_unpacked_can_be_read_by_others_on_the_machine(tmp_path: Path, make: Maker) -> None:
    archive.unpack(make(tmp_path / "x", {"a.wav": b"RIFF", "b.wav": b"RIFF"}), tmp_path / "audio")
    assert stat.S_IMODE((tmp_path / "audio").stat().st_mode) == 0o755


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_an_archive_of_endless_empty_files_is_refused(
    tmp_path: Path, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 20)
    (tmp_path / "enough").mkdir()
    archive.unpack(make(tmp_path / "x", {f"audio/{n}": b"" for n in range(20)}), tmp_path / "enough" / "audio")
    with pytest.raises(DataError, match="MB or 20 files, as an archive made to fill the disk does"):
        archive.unpack(make(tmp_path / "x", {f"audio/{n}": b"" for n in range(21)}), tmp_path / "audio")
    assert not (tmp_path / "audio").exists()


def test_what_no_zip_of_clips_uses_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_LZMA) as bundle:
        bundle.writestr("audio/a.wav", b"RIFF" * 99)
    with pytest.raises(DataError, match=r"its member 'audio/a\.wav' is packed in an unusual way \(14\)"):
        archive.unpack(tmp_path / "x.zip", tmp_path / "audio")
    assert everything(tmp_path) == ["x.zip"]
