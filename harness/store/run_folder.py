"""The run folder: run.json, records and questions of each task, summary.json, run.log. What is appended stays.

One process writes, or several shards do (shards.py); any number read, and nobody has to wait. What append() has
returned for, no killed process loses, and a power failure at most the last second of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from dtbench.harness.core.errors import DataError, MachineryError, UserError
from dtbench.harness.store.answer_keys import KnownAnswers, LeftOut
from dtbench.harness.store.append import AppendedFiles
from dtbench.harness.store.atomic import create_whole, make_folder, replace_whole, temporary_files
from dtbench.harness.store.beginning import UNGUARDED, Beginning, Resumption, remove_summary
from dtbench.harness.store.find_run import find_run, judged_run, what_is_there
from dtbench.harness.store.growth import UnaskedAnswers, asked_answers
from dtbench.harness.store.jsonl import QUESTIONS, Key, Kind, RecordLine, encode_line, json_bytes, key_of
from dtbench.harness.store.known_secrets import last_matcher, secret_matcher
from dtbench.harness.store.leftovers import remove_every_leftover
from dtbench.harness.store.locks import RunLock, ShardLock
from dtbench.harness.store.other_hosts import is_shared, refuse_writer_elsewhere
from dtbench.harness.store.question_files import question_files, read_questions
from dtbench.harness.store.question_types import QuestionRecord
from dtbench.harness.store.record_files import FilePart, file_parts, read_parts, stem_of
from dtbench.harness.store.redact import mask_known, mask_record, mask_text
from dtbench.harness.store.request_form import refuse_other_form
from dtbench.harness.store.run_json import (
    LOG_NAME,
    RunClock,
    add_end,
    add_start,
    instead_of_file,
    json_settings,
    read_info,
    refuse_foreign,
)
from dtbench.harness.store.shard_states import new_shard_info, with_shards
from dtbench.harness.store.shards import Shard, state_file, state_files
from dtbench.harness.store.types import AnyInfo, AskedRecord, Record, RunInfo, ShardInfo, Status, StoredInfo
from dtbench.harness.store.verdicts import JudgedMarks

if TYPE_CHECKING:
    from dtbench.harness.store.heartbeat import Heartbeat
    from dtbench.harness.store.run_log import RunLog


Watch = Callable[[Iterable[AskedRecord]], Iterable[AskedRecord]]
"""Yields records as they are, and looks at each."""


class StoredRun:
    """A run folder for reading, also while another process writes to it."""

    def __init__(self, path: Path, info: AnyInfo) -> None:
        self.path = path
        self.info = cast("RunInfo", info)
        """run.json; of a judge and of `dtbench cot`, see types.py."""
        self.torn: dict[str, int] = {}
        """How many lines of a task an interrupted write left behind, as last read; their questions are not answered."""
        self.unasked: dict[str, UnaskedAnswers] = {}
        """The answers to a task that the last start did not ask for, as records() last left them out."""
        self._known = KnownAnswers()

    @classmethod
    def open(cls, path: Path, kind: str = "run") -> StoredRun:
        """Open the run in a folder, the only run inside it, or what `dtbench KIND` made; a UserError without one."""
        try:
            info = read_info(path)
        except FileNotFoundError:
            if not path.is_dir():
                no = "not a run folder: there is no such folder. `dtbench run --out` makes one."
                raise UserError(f"{path}: {no}") from None
            if kind == "run" and (inside := find_run(path)) != path:
                return cls.open(inside)
            raise UserError(f"{path}: {what_is_there(path)}") from None
        except NotADirectoryError:
            raise UserError(f"{path}: not a run folder: this is a file. {instead_of_file(path)}.") from None
        except OSError as error:
            raise UserError(f"{path}: run.json cannot be read ({error.strerror}).") from None
        if info["kind"] != kind:
            judged = judged_run(path) if (info["kind"], kind) == ("judge", "run") else None
            such = "" if judged is None else f", such as {judged}"
            raise UserError(f"{path}: `dtbench {info['kind']}` made this folder; name one of `dtbench {kind}`{such}.")
        info = with_shards(path, info)
        if not info["starts"]:
            why = "a shard is just making it, or it was changed since dtbench wrote it"
            raise DataError(f"{path / 'run.json'}: no start of the run is in it: {why}.")
        return StoredRun(path, info)

    def records(self, task: str) -> Iterator[Record]:
        """Yield a record for each answer that was asked for last, in the order of the file.

        Of several with one key, the last without an error stands, else the last. An answer that waits for a judge has
        its marks where it has been asked.
        """
        return JudgedMarks(self.path, task, StoredRun.open).over(self.records_as(task, Record))

    def records_as(self, task: str, kind: type[Kind], *, unasked: bool = False) -> Iterator[Kind]:
        """Yield records as records() does, as the type of a judge or of `dtbench cot`; `unasked`, all the others."""
        parts = file_parts(self.path, task)
        replaced, others, _ = self._left_out(task, parts)
        if unasked and not others:
            return
        for place, line in enumerate(self._read(task, parts)):
            if place not in replaced and (place in others) is unasked:
                yield line.record(kind)

    def _left_out(self, task: str, parts: Sequence[FilePart]) -> LeftOut:
        """Find the records that are left out, once for each state of the files."""
        asked = asked_answers(self.info, task)
        if self._known.left_out(task, parts, asked) is None:
            self._known.find(task, parts, asked, self._keys(task, parts))
        found = cast("LeftOut", self._known.left_out(task, parts, asked))
        self.unasked[task] = found.unasked
        return found

    def _keys(self, task: str, parts: Sequence[FilePart]) -> Iterator[tuple[Key, bool]]:
        return ((line.key(), line.failed()) for line in self._read(task, parts))

    def every_record_as(self, task: str, kind: type[Kind]) -> Iterator[Kind]:
        """Yield every record that was ever stored, also those that a later one stands in for."""
        return (line.record(kind) for line in self._read(task, file_parts(self.path, task)))

    def questions(self, task: str) -> Iterator[QuestionRecord]:
        """Yield the questions that lie beside the answers, in the order of the data set; none in older runs."""
        return read_questions(self.path, task)

    def finished(self, task: str, watch: Watch | None = None) -> Set[tuple[str, int]]:
        """Return which answers are there, asked for last or not; those of failed questions are not.

        Every record that was ever stored passes through `watch`, where there is one.
        """
        parts, asked = file_parts(self.path, task), asked_answers(self.info, task)
        if watch is None:
            if (known := self._known.take_answered(task, parts)) is not None:
                return known
            return self._known.find(task, parts, asked, self._keys(task, parts))
        records = (line.record(AskedRecord) for line in self._read(task, parts))
        watched = ((key_of(record), "error" in record) for record in watch(records))
        answered = self._known.find(task, parts, asked, watched)
        self._known.keep_answered(task, parts, answered)
        return answered

    def has_replaced(self, task: str) -> bool:
        """Whether there are records that a later one stands in for."""
        return bool(self._left_out(task, file_parts(self.path, task)).replaced)

    def reuse(self, run: StoredRun) -> None:
        """Take over what another reader of the folder has just found, which holds as long as no file of it grows."""
        self._known.update(run._known)
        self.torn.update(run.torn)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json, whole or not at all."""
        masked = mask_known(dict(summary), secret_matcher())
        replace_whole(self.path / "summary.json", json_bytes(masked, indent=2) + b"\n", writer=self._writer)

    @property
    def _writer(self) -> str | None:
        return None

    def _read(self, task: str, parts: Sequence[FilePart]) -> Iterator[RecordLine]:
        self.torn[task] = 0
        for path, line in read_parts(parts):
            if isinstance(line, RecordLine):
                yield line
            else:
                self.torn[task] += self._counts_torn(path)

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
        self._heartbeat: Heartbeat | None = None
        self._clock = RunClock()
        self._files = AppendedFiles()
        self._own_files: dict[tuple[str, str], Path] = {}
        secret_matcher()  # append() takes what the environment holds now

    @classmethod
    def start(
        cls,
        path: Path,
        settings: Mapping[str, Any],
        *,
        command: Sequence[str] | None = None,
        request: Mapping[str, Any] | None = None,
        shard: Shard | None = None,
        resumption: Resumption = UNGUARDED,
    ) -> RunFolder:
        """Make the folder, or go on with the run in it, unless that has another identity or is being written.

        The settings are a RunInfo, JudgeInfo or CotInfo less what every run.json holds; the request is what this start
        asks for, as a config file has it.
        """
        plain = json_settings(settings)
        for task in plain.get("tasks", ()):
            stem_of(task)
        refuse_foreign(path)
        make_folder(path)
        lock = RunLock(path) if shard is None else ShardLock(path, shard)
        try:
            refuse_writer_elsewhere(path, shard)
            folder = cls._begun(Beginning(path, plain, request, resumption), lock, shard)
            command = sys.argv if command is None else command
            add_start(folder.state, command, folder._clock)
            folder.write_info()
            if shard is None:
                folder._remove_states()
            from dtbench.harness.store.heartbeat import Heartbeat  # both with what reading a run can do without
            from dtbench.harness.store.run_log import RunLog

            log = path / (LOG_NAME if shard is None else f"run.{shard.label}.log")
            folder._log = RunLog(log)
            folder._log.note_start(command)
            folder._heartbeat = Heartbeat(log) if is_shared(path) else None
        except BaseException:
            lock.close()
            raise
        return folder

    @classmethod
    def _begun(cls, beginning: Beginning, lock: RunLock | ShardLock, shard: Shard | None) -> RunFolder:
        """Return the folder with its run.json; where it has shards, that is stored at once, for the others to find."""
        path, info, fresh = beginning.path, beginning.resumed(), beginning.fresh()
        if shard is None:
            for leftover in temporary_files(path):
                leftover.unlink(missing_ok=True)
            for task in fresh["tasks"] if info is None else ():  # of a run that failed before its first answer
                for questions in question_files(path, task):
                    questions.unlink(missing_ok=True)
            return cls(path, info or fresh, lock)
        if info is None and create_whole(path / "run.json", _info_bytes(fresh), writer=shard.label):
            return cls(path, fresh, lock, shard)
        info = beginning.resumed() or fresh
        folder = cls(path, cast("AnyInfo", {**info, "status": "running"}), lock, shard)
        if folder.info != read_info(path):
            folder.write_run_info()
        return folder

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """Open the run in a folder to append to what it has, without another start; to be closed."""
        path = StoredRun.open(path).path  # a folder without a run gets no lock
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
        self._append(task, ".jsonl", record)

    def append_question(self, task: str, question: QuestionRecord) -> None:
        """Add a question, or what is known of one by now; to be called before its first record is appended."""
        self._append(task, QUESTIONS, question)

    def _append(self, task: str, ending: str, record: Mapping[str, Any]) -> None:
        line = encode_line(record)
        if last_matcher().may_hold(line):
            line = encode_line(mask_record(record))
        path = self._own_files.get((task, ending))
        if path is None:
            if not self._lock.held:
                raise ValueError(f"{self.path} is closed")
            path = self._own_files[task, ending] = self._own_file(task, ending)
        self._files.append(path, line)

    def drop_summary(self) -> None:
        """Remove summary.json, which the records to be appended make out of date."""
        remove_summary(self.path)

    def finish(self, status: Status, *, missing: int | None = None) -> None:
        """Record how this start ended, and how many records a shard lacks, once every record is on disk."""
        self._files.sync()
        add_end(self.state, status, self._clock)
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
            if self._heartbeat is not None:
                self._heartbeat.stop()
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

    def note_preflight(self, found: Mapping[str, Any]) -> None:
        """Keep with this start what a model found when it tried the first question.

        Raise a UserError where the answers that are there were asked for in another form.
        """
        if any(self.finished(task) for task in self.info["tasks"]):
            refuse_other_form(self.path, self.state["starts"][:-1], json_settings(found))
        start = self.state["starts"][-1]
        start["preflight"] = {**start.get("preflight", {}), **json_settings(found)}
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
        remove_every_leftover(self.path)
        if self.shard is None:
            self._remove_states()

    def _remove_states(self) -> None:
        """Remove the files of the shards' starts, which run.json holds now."""
        for path in state_files(self.path):
            path.unlink(missing_ok=True)

    @property
    def _writer(self) -> str | None:
        return None if self.shard is None else self.shard.label

    def _own_file(self, task: str, ending: str) -> Path:
        label = "" if self.shard is None else f".{self.shard.label}"
        return self.path / f"{stem_of(task)}{label}{ending}"

    def _counts_torn(self, path: Path) -> bool:
        """Count a torn line of another shard as none: it may be one that is being written."""
        return self.shard is None or path.name.endswith(f".{self.shard.label}.jsonl")


def _info_bytes(info: Mapping[str, Any]) -> bytes:
    return json_bytes(info, indent=2) + b"\n"
