"""Unpack archives of unknown authors: all of it arrives in place, or nothing does.

tarfile's `data_filter` would let pass what is refused here: links inside the folder, absolute paths made relative,
names with control characters, and members that overwrite each other. It bounds no size either, and zip has none.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, NamedTuple

from dtbench.harness.core.errors import DataError, MachineryError

if TYPE_CHECKING:
    import gzip
    import tarfile
    import zipfile

MEGABYTE = 1024 * 1024
FREE_SIZE = 64 * MEGABYTE
MAX_GROWTH = 20
"""An archive may unpack to FREE_SIZE and MAX_GROWTH times its own size; recorded sound stays far below."""
MAX_MEMBERS = 200_000
MAX_HEADER = 1 * MEGABYTE
MAX_NAME = 255
MAX_DEPTH = 20
"""Folders above a member, which has two in the archives that are published."""
_CHUNK = MEGABYTE
_UNSAFE = re.compile(r"[\x00-\x1f\\]|^[A-Za-z]:")


class Unpacked(NamedTuple):
    """The content of an archive."""

    files: int
    size: int


class _Refused(Exception):
    """Why an archive is not unpacked."""


def unpack(archive: Path, target: Path) -> Unpacked | None:
    """Unpack an archive to the folder `target`; return None where it exists already.

    A tar.gz or zip, told apart by content. Where the archive has one folder around everything, or one
    of the target's name, that folder becomes the target.
    """
    with _alone(archive, target):
        if target.is_dir():
            return None
        try:
            return _unpack_beside(archive, target)
        except _Refused as refusal:
            raise DataError(
                f"{archive}: not unpacked, nothing was written: {refusal}. Fetch it again from its authors."
            ) from None
        except PermissionError as error:
            raise DataError(
                f"{target.parent}: cannot write there to unpack {archive.name} ({error.strerror}). "
                f"Unpack it yourself, or copy the folder to where you may write."
            ) from None
        except OSError as error:
            raise MachineryError(f"{archive}: unpacking into {target.parent} failed: {error}") from error


@contextlib.contextmanager
def _alone(archive: Path, target: Path) -> Iterator[None]:
    """Let one process unpack at a time, and remove what a killed one left."""
    import fcntl

    if not archive.is_file():
        raise DataError(f"{archive}: there is no such archive.")
    if not target.parent.is_dir():
        raise DataError(f"{target.parent}: there is no such folder, into which {archive.name} could be unpacked.")
    with archive.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:  # some network file systems cannot lock; then nothing may be removed
            yield
            return
        for left in target.parent.glob(f".{target.name}.unpacking-*"):
            _remove(left)
        yield


def _unpack_beside(archive: Path, target: Path) -> Unpacked:
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.unpacking-", dir=target.parent))
    try:
        beside.chmod(0o755)
        unpacked = _unpack_all(archive, beside)
        if not unpacked.files:
            raise _Refused("it holds no files")
        _the_folder(beside, target.name).rename(target)
        return unpacked
    finally:
        _remove(beside)


def _remove(folder: Path) -> None:
    with contextlib.suppress(RecursionError):  # folders that lie deeper than any that is unpacked today
        shutil.rmtree(folder, ignore_errors=True)


def _the_folder(unpacked: Path, name: str) -> Path:
    if (unpacked / name).is_dir():
        return unpacked / name
    entries = list(unpacked.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else unpacked


def _unpack_all(archive: Path, folder: Path) -> Unpacked:
    import gzip
    import tarfile
    import zipfile

    with archive.open("rb") as handle:
        start = handle.read(4)
    try:
        if start[:2] == b"\x1f\x8b":
            return _unpack_tar(archive, folder)
        if start == b"PK\x03\x04":
            return _unpack_zip(archive, folder)
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise _Refused(f"it is truncated or damaged ({error})") from error
    # Numbers and names of a damaged header surface as these.
    except (ValueError, OverflowError, NotImplementedError, RuntimeError) as error:
        raise _Refused(f"it is damaged or of an unknown kind ({error})") from error
    raise _Refused("it is neither a tar.gz nor a zip")


class _Writer:
    """Writes members into a folder, up to a size."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self.folder = folder
        self.limit = FREE_SIZE + MAX_GROWTH * archive.stat().st_size
        self.size = self.files = self.members = 0

    def place(self, name: str, size: int) -> Path:
        """Return the path of a member; refuse names that lead out of the folder, and more than is allowed."""
        self.members += 1
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or _UNSAFE.search(name):
            raise _Refused(f"its member {name!r} has a path that could lead outside")
        if len(parts) > MAX_DEPTH:
            raise _Refused(f"its member {name[:80]!r} lies {len(parts)} folders deep, and {MAX_DEPTH} are allowed")
        if size < 0 or any(len(os.fsencode(part)) > MAX_NAME for part in parts):
            raise _Refused(f"it is damaged: member {name[:80]!r} has a size of {size} or too long a name")
        if self.members > MAX_MEMBERS or self.size + size > self.limit:
            raise _Refused(
                f"it would unpack to more than {self.limit // MEGABYTE} MB or {MAX_MEMBERS} files, "
                f"as an archive made to fill the disk does"
            )
        return self.folder.joinpath(*parts)

    def add_folder(self, name: str) -> None:
        self._make(self.place(name, 0), name)

    @staticmethod
    def _make(folder: Path, name: str) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise _Refused(f"it uses a path of {name!r} for a file and for a folder") from None

    def add_file(self, name: str, size: int, source: IO[bytes]) -> None:
        path = self.place(name, size)
        self._make(path.parent, name)
        try:
            with path.open("xb") as out:
                shutil.copyfileobj(source, out, _CHUNK)
                written = out.tell()
        except FileExistsError:
            raise _Refused(f"it holds {name!r} twice") from None
        if written != size:
            raise _Refused(f"it is truncated: {name!r} has {written} of {size} bytes")
        self.size += written
        self.files += 1


def _unpack_tar(archive: Path, folder: Path) -> Unpacked:
    import gzip
    import tarfile

    writer = _Writer(archive, folder)
    with gzip.open(archive, "rb") as plain:
        stream = _Metered(plain, writer.limit + MAX_MEMBERS * tarfile.BLOCKSIZE)
        with tarfile.open(fileobj=stream, mode="r:", errorlevel=2) as tar:  # type: ignore[call-overload]
            for member in tar:
                _add_tar_member(writer, tar, member)
        # tarfile takes a damaged header for the end; the true end is a block of zeros.
        if stream.last != bytes(tarfile.BLOCKSIZE):
            raise _Refused(f"it is truncated or damaged after {writer.files} files")
        while stream.read(_CHUNK):
            pass  # only at its end does gzip know whether the sum is right
    return Unpacked(writer.files, writer.size)


def _add_tar_member(writer: _Writer, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    if member.isdir():
        writer.add_folder(member.name)
    elif member.isreg() and not member.issparse():
        source = tar.extractfile(member)
        if source is not None:
            writer.add_file(member.name, member.size, source)
    else:
        kind = "link" if member.issym() or member.islnk() else "device, pipe or other special file"
        raise _Refused(f"its member {member.name!r} is a {kind}, where only files and folders are allowed")


class _Metered:
    """A stream that is read forward only, with bounds on what a header or the whole may claim."""

    def __init__(self, stream: gzip.GzipFile, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self.last = b""

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_HEADER:
            raise _Refused(f"it is damaged: a header claims {size} bytes")
        self.last = self._stream.read(size)
        if self._stream.tell() > self._limit:
            raise _Refused(f"it would unpack to more than {self._limit // MEGABYTE} MB")
        return self.last

    def seek(self, position: int, whence: int = 0) -> int:
        if whence or position < self._stream.tell():
            raise _Refused("it is damaged: a header points backward")
        if position > self._limit:
            raise _Refused("it is damaged: a header points past the end")
        return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()


def _unpack_zip(archive: Path, folder: Path) -> Unpacked:
    import zipfile

    writer = _Writer(archive, folder)
    with zipfile.ZipFile(archive) as bundle:
        for member in bundle.infolist():
            _add_zip_member(writer, bundle, member)
    return Unpacked(writer.files, writer.size)


def _add_zip_member(writer: _Writer, bundle: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    import zipfile

    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _Refused(f"its member {member.filename!r} is packed in an unusual way ({member.compress_type})")
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        kind = "link" if stat.S_ISLNK(mode) else "special file"
        raise _Refused(f"its member {member.filename!r} is a {kind}, where only files and folders are allowed")
    if member.is_dir():
        writer.add_folder(member.filename)
        return
    with bundle.open(member) as source:
        writer.add_file(member.filename, member.file_size, source)
