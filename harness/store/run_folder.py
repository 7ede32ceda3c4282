"""The run folder: run.json, files of records for each task, summary.json, run.log. What is appended stays in any case.

One process writes, or several shards do (shards.py); any number read, and nobody has to wait. What append() has
returned for, no killed process loses, and a power failure at most the last second of it.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

from dtbench.harness.core.errors import DataError, MachineryError, UserError, one_line
from dtbench.harness.store.append import AppendedFiles
from dtbench.harness.store.atomic import (
    create_whole,
    replace_whole,
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
)
from dtbench.harness.store.locks import RunLock, ShardLock
from dtbench.harness.store.redact import mask_text
from dtbench.harness.store.run_json import (
    Settings,
    add_end,
    add_start,
    json_settings,
    new_info,
    read_info,
    refuse_foreign,
    refuse_other_settings,
)
from dtbench.harness.store.shard_states import new_shard_info, with_shards
from dtbench.harness.store.shards import LABEL, Shard, record_files, state_file, state_files
from dtbench.harness.store.types import AnyInfo, Record, RunInfo, ShardInfo, Status, StoredInfo

if TYPE_CHECKING:
    from dtbench.harness.store.run_log import RunLog

LOG_NAME = "run.log"
_NAME = re.compile(r"[\w+-][\w.+-]{0,120}")


class _Part(NamedTuple):
    path: Path
    end: int
    """How many bytes of it are read."""


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
        return StoredRun(path, with_shards(path, info))

    def records(self, task: str) -> Iterator[Record]:
        """Yield one record for each answer, in the order of the file: the last without an error, else the last."""
        return self.records_as(task, Record)

    def records_as(self, task: str, kind: type[Kind]) -> Iterator[Kind]:
        """Yield records as records() does, as the type of a judge or of `dtbench cot`."""
        parts = self._parts(task)
        replaced = self._replaced(task, parts)
        for place, line in enumerate(self._read(task, parts)):
            if place not in replaced:
                yield line.record(kind)

    def _replaced(self, task: str, parts: Sequence[_Part]) -> set[int]:
        """Return the places of records that another one stands in for; hardly any run has some."""
        standing: dict[Key, int] = {}
        failing: set[Key] = set()
        replaced: set[int] = set()
        for place, line in enumerate(self._read(task, parts)):
            key = line.key()
            other = standing.get(key)
            if not line.failed():
                failing.discard(key)
            elif other is None or key in failing:
                failing.add(key)
            else:
                replaced.add(place)
                continue
            if other is not None:
                replaced.add(other)
            standing[key] = place
        return replaced

    def every_record_as(self, task: str, kind: type[Kind]) -> Iterator[Kind]:
        """Yield every record that was ever stored, also those that a later one stands in for."""
        return (line.record(kind) for line in self._read(task, self._parts(task)))

    def finished(self, task: str) -> set[tuple[str, int]]:
        """Return which answers are there; those of failed questions are not."""
        return {line.key() for line in self._read(task, self._parts(task)) if not line.failed()}

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json, whole or not at all."""
        replace_whole(self.path / "summary.json", json_bytes(summary, indent=2) + b"\n", writer=self._writer)

    @property
    def _writer(self) -> str | None:
        return None

    def _read(self, task: str, parts: Sequence[_Part]) -> Iterator[RecordLine]:
        self.torn[task] = 0
        for path, end in parts:
            try:
                for line in read_lines(path, end):
                    if isinstance(line, RecordLine):
                        yield line
                    else:
                        self.torn[task] += self._counts_torn(path)
            except OSError as error:
                raise DataError(f"{path}: cannot be read ({error.strerror}).") from None

    def _parts(self, task: str) -> list[_Part]:
        """Return the task's files of records, as long as they are now."""
        paths = record_files(self.path, _stem(task))
        try:
            return [_Part(path, path.stat().st_size) for path in paths]
        except OSError as error:
            raise DataError(f"{error.filename}: cannot be read ({error.strerror}).") from None

    def _counts_torn(self, path: Path) -> bool:
        return True


class RunFolder(StoredRun):
    """A run folder for writing; start() makes one or goes on with one. One thread appends."""

    def __init__(self, path: Path, info: AnyInfo, lock: RunLock | ShardLock, shard: Shard | None = None) -> None:
        super().__init__(path, info)
        self.shard = shard
        """None for a whole run."""
        self.state: StoredInfo = self.info if shard is None else new_shard_info(path, shard, info)
        """Where the starts of this process stand."""
        self._lock = lock
        self._log: RunLog | None = None
        self._files = AppendedFiles()
        self._own_files: dict[str, Path] = {}

    @classmethod
    def start(
        cls,
        path: Path,
        settings: Mapping[str, Any],
        *,
        command: Sequence[str] | None = None,
        request: Mapping[str, Any] | None = None,
        shard: Shard | None = None,
    ) -> RunFolder:
        """Make the folder, or go on with the run in it, unless that has other settings or is being written.

        The settings are what must not change: a RunInfo, JudgeInfo or CotInfo less what every run.json holds. The
        request is what this start asks for, as a config file has it.
        """
        plain = json_settings(settings)
        for task in plain.get("tasks", ()):
            _stem(task)
        refuse_foreign(path, {LOG_NAME, *(leftover.name for leftover in temporary_files(path))})
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_failure(path, error) from error
        lock = RunLock(path) if shard is None else ShardLock(path, shard)
        try:
            folder = cls._begun(path, plain, lock, shard, {} if request is None else {"request": dict(request)})
            command = sys.argv if command is None else command
            add_start(folder.state, command)
            folder.write_info()
            if shard is None:
                folder._remove_states()
            from dtbench.harness.store.run_log import RunLog  # with logging, which reading a run can do without

            folder._log = RunLog(path / (LOG_NAME if shard is None else f"run.{shard.label}.log"))
            folder._log.note_start(command)
        except BaseException:
            lock.close()
            raise
        return folder

    @classmethod
    def _begun(
        cls, path: Path, settings: Settings, lock: RunLock | ShardLock, shard: Shard | None, own: Settings
    ) -> RunFolder:
        """Return the folder with its run.json; where it has shards, that is stored at once, for the others to find."""
        info, fresh = _resumed(path, settings), cast("AnyInfo", {**new_info(settings), **own})
        if shard is None:
            for leftover in temporary_files(path):
                leftover.unlink(missing_ok=True)
            return cls(path, cast("AnyInfo", {**(info or fresh), **own}), lock)
        if info is None and create_whole(path / "run.json", _info_bytes(fresh), writer=shard.label):
            return cls(path, fresh, lock, shard)
        info = _resumed(path, settings) or fresh
        folder = cls(path, cast("AnyInfo", {**info, **own, "status": "running"}), lock, shard)
        if folder.info != read_info(path):
            folder.write_run_info()
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
        return len(self.state["starts"]) > 1

    def append(self, task: str, record: Mapping[str, Any]) -> None:
        """Add one record; when this returns, no end of this process can take it back."""
        key_of(record)
        if "error" in record:
            error = record["error"]
            record = {**record, "error": {**error, "message": mask_text(error["message"])}}
        path = self._own_files.get(task)
        if path is None:
            if not self._lock.held:
                raise ValueError(f"{self.path} is closed")
            path = self._own_files[task] = self._own_file(task)
        self._files.append(path, encode_line(record))

    def drop_summary(self) -> None:
        """Remove summary.json, which the records to be appended make out of date."""
        path = self.path / "summary.json"
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise write_failure(path, error) from error

    def finish(self, status: Status, *, missing: int | None = None) -> None:
        """Record how this start ended, and how many records a shard lacks, once every record is on disk."""
        self._files.sync()
        add_end(self.state, status)
        if self.shard is not None:
            cast("ShardInfo", self.state)["missing"] = missing
        self.write_info()
        if self._log is not None:
            self._log.note_end(status)

    def close(self) -> None:
        """Sync the records to disk and let the next process in; a second call does nothing."""
        try:
            self._files.sync()
        finally:
            self._files.close()
            self._own_files.clear()
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
                if self.state["status"] == "running":
                    self.finish("failed" if error is None or isinstance(error, Exception) else "interrupted")
            finally:
                self.close()
        except (MachineryError, UserError):
            if error is None:
                raise

    def plan(self, records: Mapping[str, int]) -> None:
        """Note how many records of each task there are to be in the end, for whoever watches."""
        self.info["planned"] = dict(records)
        self.write_info()

    def write_info(self) -> None:
        """Write the starts of this process, whole or not at all: run.json, or the file of a shard."""
        if self.shard is None:
            self.write_run_info()
        else:
            replace_whole(state_file(self.path, self.shard), _info_bytes(self.state), writer=self.shard.label)

    def write_run_info(self) -> None:
        """Write run.json, whole or not at all."""
        replace_whole(self.path / "run.json", _info_bytes(self.info), writer=self._writer)

    def end_shards(self, status: Status) -> None:
        """Record in run.json how all shards ended; the files of their starts are removed where none of them runs."""
        info = with_shards(self.path, cast("AnyInfo", self.info))
        for start in info["starts"]:
            if start["status"] == "running":
                start["status"] = "interrupted"
        self.info = cast("RunInfo", {**info, "status": status})
        self.write_run_info()
        if self.shard is None:
            self._remove_states()

    def _remove_states(self) -> None:
        """Remove the files of the shards' starts, which run.json holds now."""
        for path in state_files(self.path):
            path.unlink(missing_ok=True)

    @property
    def _writer(self) -> str | None:
        return None if self.shard is None else self.shard.label

    def _own_file(self, task: str) -> Path:
        return self.path / (f"{_stem(task)}.jsonl" if self.shard is None else f"{_stem(task)}.{self.shard.label}.jsonl")

    def _counts_torn(self, path: Path) -> bool:
        """Count a torn line of another shard as none: it may be one that is being written."""
        return self.shard is None or self.shard.label in path.name


def _info_bytes(info: Mapping[str, Any]) -> bytes:
    return json_bytes(info, indent=2) + b"\n"


def _stem(task: str) -> str:
    """Return the beginning of the names of a task's files."""
    plain = task.replace(":", ".")  # as in lm_eval:NAME; not every file system takes a colon
    if not _NAME.fullmatch(plain):
        allowed = "letters, digits, _ . + and - are allowed, and no dot in front"
        raise UserError(f"task {one_line(task)!r}: its name cannot name a file of records: {allowed}.")
    if LABEL.fullmatch(plain.rpartition(".")[2]):
        raise UserError(f"task {one_line(task)!r}: a name that ends so is the file of a shard: give it another name.")
    return plain


def find_resumable(path: Path, settings: Mapping[str, Any]) -> StoredRun | None:
    """Return the run that RunFolder.start() would go on with, for reading; None where it would make a new one."""
    refuse_foreign(path, {LOG_NAME, *(leftover.name for leftover in temporary_files(path))})
    above = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        number = errno.EACCES if above.is_dir() else errno.ENOTDIR
        raise write_failure(path, OSError(number, os.strerror(number)))
    info = _resumed(path, json_settings(settings))
    return None if info is None else StoredRun(path, info)


def _resumed(path: Path, settings: Settings) -> AnyInfo | None:
    """Read the run.json of a run with these settings; None where there is none yet."""
    try:
        info = with_shards(path, read_info(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"--out {path}: run.json cannot be read ({error.strerror}).") from None
    try:
        refuse_other_settings(path, info, settings)
    except UserError:
        answered = any(record_files(path, _stem(task)) for task in info["tasks"])
        if answered or info["status"] != "failed":
            raise
        return None  # it failed before the first answer, so its settings may be what was wrong
    return cast("AnyInfo", {**info, **settings})  # where things are may have changed
