"""The run folder: run.json, a file of records for each task, summary.json, run.log. What is appended stays in any case.

One process writes, any number read; nobody has to wait. What append() has returned for, no killed process loses, and a
power failure at most the last second of it.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

from dtbench.harness.core.errors import DataError, MachineryError, UserError, one_line
from dtbench.harness.store.atomic import (
    LOCK_NAME,
    RunLock,
    append_whole,
    replace_whole,
    sync_folder,
    temporary_files,
    write_failure,
)
from dtbench.harness.store.jsonl import (
    Key,
    Kind,
    RecordLine,
    encode_line,
    json_bytes,
    key_of,
    read_lines,
    whole_bytes,
)
from dtbench.harness.store.redact import mask_text
from dtbench.harness.store.run_json import (
    Settings,
    add_end,
    add_start,
    json_settings,
    new_info,
    read_info,
    refuse_other_settings,
)
from dtbench.harness.store.types import AnyInfo, Record, RunInfo, Status

if TYPE_CHECKING:
    from dtbench.harness.store.run_log import RunLog

LOG_NAME = "run.log"
SYNC_SECONDS = 1.0
"""The most that a power failure can take."""
_NAME = re.compile(r"[\w+-][\w.+-]{0,120}")


class _OpenFile(NamedTuple):
    descriptor: int
    path: Path


class StoredRun:
    """A run folder for reading, also while another process writes to it."""

    def __init__(self, path: Path, info: AnyInfo) -> None:
        self.path = path
        self.info = cast("RunInfo", info)
        """run.json; of a judge and of `dtbench cot`, see types.py."""
        self.torn: dict[str, int] = {}
        """How many lines of a task an interrupted write left behind, as last read; their questions are not answered."""

    @classmethod
    def open(cls, path: Path, kind: str = "run") -> StoredRun:
        """Open the run in a folder, or what `dtbench KIND` made; a UserError where there is none."""
        try:
            info = read_info(path)
        except FileNotFoundError:
            what = "there is no run.json in it" if path.is_dir() else "there is no such folder"
            raise UserError(f"{path}: no run folder: {what}. `dtbench run --out` makes one.") from None
        except NotADirectoryError:
            raise UserError(f"{path}: no run folder: this is a file. `dtbench run --out` makes one.") from None
        except OSError as error:
            raise UserError(f"{path}: run.json cannot be read ({error.strerror}).") from None
        if info["kind"] != kind:
            raise UserError(f"{path}: `dtbench {info['kind']}` made this folder; name one of `dtbench {kind}`.")
        return StoredRun(path, info)

    def records(self, task: str) -> Iterator[Record]:
        """Yield one record for each answer, in the order of the file: the last without an error, else the last."""
        return self.records_as(task, Record)

    def records_as(self, task: str, kind: type[Kind]) -> Iterator[Kind]:
        """Yield records as records() does, as the type of a judge or of `dtbench cot`."""
        end = self._size(task)
        standing: dict[Key, int] = {}
        answered: set[Key] = set()
        for line in self._read(task, end):
            key = line.key()
            if not line.failed():
                answered.add(key)
            elif key in answered:
                continue
            standing[key] = line.number
        for line in self._read(task, end):
            if standing.get(line.key()) == line.number:
                yield line.record(kind)

    def every_record_as(self, task: str, kind: type[Kind]) -> Iterator[Kind]:
        """Yield every record that was ever stored, also those that a later one stands in for."""
        return (line.record(kind) for line in self._read(task, self._size(task)))

    def finished(self, task: str) -> set[tuple[str, int]]:
        """Return which answers are there; those of failed questions are not."""
        return {line.key() for line in self._read(task, self._size(task)) if not line.failed()}

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json, whole or not at all."""
        replace_whole(self.path / "summary.json", json_bytes(summary, indent=2) + b"\n")

    def _read(self, task: str, end: int) -> Iterator[RecordLine]:
        self.torn[task] = 0
        if not end:
            return
        path = self._file(task)
        try:
            for line in read_lines(path, end):
                if isinstance(line, RecordLine):
                    yield line
                else:
                    self.torn[task] += 1
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from None

    def _size(self, task: str) -> int:
        path = self._file(task)
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from None

    def _file(self, task: str) -> Path:
        return self.path / _file_name(task)


class RunFolder(StoredRun):
    """A run folder for writing; start() makes one or goes on with one. One thread appends."""

    def __init__(self, path: Path, info: AnyInfo, lock: RunLock) -> None:
        super().__init__(path, info)
        self._lock = lock
        self._log: RunLog | None = None
        self._open_files: dict[str, _OpenFile] = {}
        self._unsynced: set[str] = set()
        self._synced = time.monotonic()

    @classmethod
    def start(
        cls,
        path: Path,
        settings: Mapping[str, Any],
        *,
        command: Sequence[str] | None = None,
        request: Mapping[str, Any] | None = None,
    ) -> RunFolder:
        """Make the folder, or go on with the run in it, unless that has other settings or is being written.

        The settings are what must not change: a RunInfo, JudgeInfo or CotInfo less what every run.json holds. The
        request is what this start asks for, as a config file has it.
        """
        plain = json_settings(settings)
        for task in plain.get("tasks", ()):
            _file_name(task)
        _refuse_foreign(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_failure(path, error) from error
        lock = RunLock(path)
        try:
            info = _resumed(path, plain)
            folder = cls(path, info or new_info(plain), lock)
            for leftover in temporary_files(path):
                leftover.unlink(missing_ok=True)
            command = sys.argv if command is None else command
            add_start(folder.info, command)
            if request is not None:
                folder.info["request"] = dict(request)
            folder.write_info()
            from dtbench.harness.store.run_log import RunLog  # with logging, which reading a run can do without

            folder._log = RunLog(path / LOG_NAME)
            folder._log.note_start(command)
        except BaseException:
            lock.close()
            raise
        return folder

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """Open the run in a folder to append to what it has, without another start; to be closed."""
        StoredRun.open(path)  # a folder without a run gets no lock
        lock = RunLock(path)
        try:
            return cls(path, StoredRun.open(path).info, lock)
        except BaseException:
            lock.close()
            raise

    @property
    def resumed(self) -> bool:
        """Whether the folder already had this run."""
        return len(self.info["starts"]) > 1

    def append(self, task: str, record: Mapping[str, Any]) -> None:
        """Add one record; when this returns, no end of this process can take it back."""
        key_of(record)
        if "error" in record:
            error = record["error"]
            record = {**record, "error": {**error, "message": mask_text(error["message"])}}
        file = self._open_files.get(task)
        if file is None:
            file = self._open_files[task] = self._opened(task)
        append_whole(file.descriptor, encode_line(record), file.path)
        self._unsynced.add(task)
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            self._sync()

    def drop_summary(self) -> None:
        """Remove summary.json, which the records to be appended make out of date."""
        path = self.path / "summary.json"
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise write_failure(path, error) from error

    def finish(self, status: Status) -> None:
        """Record how this start ended, once every record is on disk."""
        self._sync()
        add_end(self.info, status)
        self.write_info()
        if self._log is not None:
            self._log.note_end(status)

    def close(self) -> None:
        """Sync the records to disk and let the next process in; a second call does nothing."""
        try:
            self._sync()
        finally:
            for file in self._open_files.values():
                os.close(file.descriptor)
            self._open_files.clear()
            self._lock.close()
            if self._log is not None:
                self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; a start that nobody finished has failed, or was interrupted where that is no Exception."""
        try:
            try:
                if self._log is not None and error is not None:
                    self._log.note_error(error)
                if self.info["status"] == "running":
                    self.finish("failed" if error is None or isinstance(error, Exception) else "interrupted")
            finally:
                self.close()
        except (MachineryError, UserError):
            if error is None:
                raise

    def _opened(self, task: str) -> _OpenFile:
        if not self._lock.held:
            raise ValueError(f"{self.path} is closed")
        path = self._file(task)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                os.ftruncate(descriptor, whole_bytes(descriptor))
                sync_folder(self.path)
            except BaseException:
                os.close(descriptor)
                raise
        except OSError as error:
            raise write_failure(path, error) from error
        return _OpenFile(descriptor, path)

    def _sync(self) -> None:
        while self._unsynced:
            task = self._unsynced.pop()
            try:
                os.fsync(self._open_files[task].descriptor)
            except OSError as error:
                raise write_failure(self._open_files[task].path, error) from error
        self._synced = time.monotonic()

    def write_info(self) -> None:
        """Write run.json, whole or not at all."""
        replace_whole(self.path / "run.json", json_bytes(self.info, indent=2) + b"\n")


def _file_name(task: str) -> str:
    plain = task.replace(":", ".")  # as in lm_eval:NAME; not every file system takes a colon
    if not _NAME.fullmatch(plain):
        allowed = "letters, digits, _ . + and - are allowed, and no dot in front"
        raise UserError(f"task {one_line(task)!r}: its name cannot name a file of records: {allowed}.")
    return f"{plain}.jsonl"


def _refuse_foreign(path: Path) -> None:
    """Refuse a folder that contains other things and no run."""
    try:
        if not path.exists() or (path / "run.json").exists():
            return
        ours = {LOCK_NAME, LOG_NAME, *(leftover.name for leftover in temporary_files(path))}
        others = sorted(e.name for e in path.iterdir() if e.name not in ours and not (e / "run.json").exists())
    except NotADirectoryError:
        raise UserError(f"--out {path}: this is a file; name a folder, which is made where there is none.") from None
    except OSError as error:
        raise UserError(f"--out {path}: cannot be read ({error.strerror}).") from None
    if others:
        listed = ", ".join(map(one_line, others[:3])) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        raise UserError(f"--out {path}: no run folder, and not empty ({listed}): name a new or an empty folder.")


def _resumed(path: Path, settings: Settings) -> AnyInfo | None:
    """Read the run.json of a run with these settings; None where there is none yet."""
    try:
        info = read_info(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"--out {path}: run.json cannot be read ({error.strerror}).") from None
    try:
        refuse_other_settings(path, info, settings)
    except UserError:
        answered = any((path / _file_name(task)).exists() for task in info["tasks"])
        if answered or info["status"] != "failed":
            raise
        return None  # it failed before the first answer, so its settings may be what was wrong
    return cast("AnyInfo", {**info, **settings})  # where things are may have changed
