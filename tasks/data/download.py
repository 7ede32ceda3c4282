"""Fetch the pinned files: resumable, checked, and never half there under their own name."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DtbenchError, MachineryError, UserError
from dtbench.harness.store.atomic import WRONG_PLACE
from dtbench.tasks.data.sources import HubFile, WebFile, git_blob_hash

_TIMEOUT_S = 30
_CHUNK = 1 << 20
STALL_SECONDS = 300.0
"""Within which some bytes have to reach the disk; the hub's client writes 10 MB at a time."""
_LEAST_BYTES = 1 << 16


class Fetched(NamedTuple):
    """A file that was fetched."""

    file: Path
    size: int
    sha256: str
    page: str


@dataclass(slots=True)
class Arrival:
    """A file while it is fetched."""

    file: Path
    folder: Path
    expected: int = 0
    """Bytes; 0 as long as nobody knows."""

    def arrived(self) -> int:
        """Return how many bytes are here, under whatever name."""
        return max(filter(None, self._sizes()), default=_size(self.file))

    def written(self) -> int:
        """Return how many bytes are on disk in all, those that killed pulls left included."""
        return sum(self._sizes())

    def _sizes(self) -> list[int]:
        pieces = [*self.folder.glob(".cache/huggingface/download/**/*.incomplete"), part_of(self.file)]
        return [_size(piece) for piece in pieces]


def part_of(target: Path) -> Path:
    """Return the name that a file has until all of it is there."""
    return target.with_name(f"{target.name}.part")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # not there yet, or moved into place meanwhile
        return 0


class _NotFetched(Exception):
    """Why a file could not be fetched."""


def fetch_all(
    task: str,
    files: Sequence[HubFile | WebFile],
    folder: Path,
    showing: Callable[[Arrival], AbstractContextManager[None]] = lambda arrival: nullcontext(),
) -> list[Fetched]:
    """Fetch every file of a task into a folder; a file that is there and right is not fetched again.

    `showing` is entered for as long as a file arrives.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        kind = UserError if error.errno in WRONG_PLACE else MachineryError
        raise kind(
            f"{folder}: cannot create the folder ({error.strerror}): name another one with --data-dir."
        ) from None
    fetched = []
    for file in files:
        arrival = Arrival(folder / file.path, folder)
        arrival.file.parent.mkdir(parents=True, exist_ok=True)
        with showing(arrival):
            fetched.append(_fetch(task, file, files, arrival))
    return fetched


def _fetch(task: str, file: HubFile | WebFile, files: Sequence[HubFile | WebFile], arrival: Arrival) -> Fetched:
    target, folder = arrival.file, arrival.folder
    try:
        sha256 = _from_hub(file, arrival) if isinstance(file, HubFile) else _from_web(file, arrival)
    except DtbenchError:
        raise
    # The hub's client raises the errors of whatever HTTP library it was built on.
    except Exception as error:
        cause = (
            error.reason if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception) else error
        )
        reason = (getattr(cause, "strerror", None) or str(cause) or "no reason given").splitlines()[0]
        by_hand = ", ".join(f"{other.path} ({other.page})" for other in files)
        raise MachineryError(
            f"{task}: {file.path} could not be downloaded ({type(cause).__name__.lstrip('_')}: {reason}). Run the same "
            f"command again to resume, or put these files into {folder} yourself: {by_hand}; "
            f"then check them with `dtbench data verify {task}`."
        ) from error
    return Fetched(target, target.stat().st_size, sha256, file.page)


@contextmanager
def _refusing_trickles(arrival: Arrival) -> Iterator[None]:
    """Raise where hardly any bytes come: each read of a server that sends one now and then is in time."""
    if threading.current_thread() is not threading.main_thread() or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield  # signals are handled in the main thread alone, and the timer is somebody else's
        return
    before = arrival.written()

    def look(*_: object) -> None:
        nonlocal before
        written = arrival.written()
        came, before = written - before, written
        if came < _LEAST_BYTES and (written or not arrival.file.exists()):  # else it is there
            raise _NotFetched(f"only {max(0, came)} bytes arrived within {STALL_SECONDS:g} s")

    handler = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, STALL_SECONDS, STALL_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def _from_hub(file: HubFile, arrival: Arrival) -> str:
    """Fetch a file of a repository on the hub; an unreachable hub is fine where the file is there already."""
    import huggingface_hub
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()  # there is a line of ours
    target, folder = arrival.file, arrival.folder
    endpoint = os.environ.get("HF_ENDPOINT") or None
    url = huggingface_hub.hf_hub_url(
        file.repo, file.path, repo_type="dataset", revision=file.revision, endpoint=endpoint
    )
    try:
        facts = huggingface_hub.get_hf_file_metadata(url, timeout=_TIMEOUT_S)
    except Exception:
        if not target.is_file():
            raise
        return _checked(target, file.sha256, "delete it")
    expected = file.sha256 or (facts.etag if facts.etag and len(facts.etag) == 64 else None)
    arrival.expected = facts.size or 0
    size, free = facts.size or 0, shutil.disk_usage(folder).free
    if size > free and not target.is_file():
        raise MachineryError(f"{folder}: {size / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free there.")

    def download(**more: Any) -> None:
        with _refusing_trickles(arrival):
            huggingface_hub.hf_hub_download(
                file.repo,
                file.path,
                repo_type="dataset",
                revision=file.revision,
                local_dir=folder,
                endpoint=endpoint,
                **more,
            )

    download()
    if expected and _sha256(target) != expected:  # a file that was damaged after an earlier pull
        download(force_download=True)
    try:
        sha256 = _checked(target, expected, "it was fetched twice; a proxy or a changed file may be the cause")
    except _NotFetched:
        target.unlink()  # else it would be taken for the data
        raise
    _remove_incomplete(folder, facts.etag)
    return sha256


def _remove_incomplete(folder: Path, etag: str | None) -> None:
    """Remove what killed pulls of a file left; the hub's client goes on with none of it, and now the file is there."""
    if etag:
        for left in (folder / ".cache" / "huggingface" / "download").rglob("*.incomplete"):
            if f".{etag}." in left.name:
                left.unlink(missing_ok=True)


def _from_web(file: WebFile, arrival: Arrival) -> str:
    """Fetch a file behind a URL, from where an earlier run stopped."""
    target = arrival.file
    if target.is_file() and _is_right(file, target):
        return _sha256(target)
    part = part_of(target)
    with _refusing_trickles(arrival):
        _download(file.page, part, arrival)
    if not _is_right(file, part):
        part.unlink()
        raise _NotFetched("the downloaded content is not the pinned one; a proxy or a changed file may be the cause")
    part.replace(target)
    return _sha256(target)


def _download(url: str, part: Path, arrival: Arrival) -> None:
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            resumed = answer.status == 206
            expected = int(answer.headers.get("Content-Length") or 0)
            with part.open("ab" if resumed else "wb") as out:
                before = out.tell()
                arrival.expected = before + expected
                while chunk := answer.read1(_CHUNK):  # what came is kept, where the next bytes do not
                    out.write(chunk)
                arrived = out.tell() - before
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416:  # all of it was there already
                return
        raise
    if arrived < expected:
        raise _NotFetched(f"the connection was lost after {arrived} of {expected} bytes")


def _is_right(file: WebFile, path: Path) -> bool:
    if file.sha256:
        return _sha256(path) == file.sha256
    return file.git_blob is None or git_blob_hash(path) == file.git_blob


def _checked(path: Path, expected: str | None, advice: str) -> str:
    actual = _sha256(path)
    if expected and actual != expected:
        raise _NotFetched(
            f"{path} is not the pinned content (sha256 {actual[:12]}, {expected[:12]} is expected); {advice}"
        )
    return actual


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
