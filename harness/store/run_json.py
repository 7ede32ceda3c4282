"""run.json: what the answers of a folder depend on, what was asked for last, and every start."""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import dtbench
from dtbench.harness.core.errors import DataError, UserError, one_line
from dtbench.harness.core.output_paths import refuse_no_folder
from dtbench.harness.core.regular_files import read_regular
from dtbench.harness.extract.evidence import EVIDENCE_LEVELS, WEAKEST
from dtbench.harness.store.atomic import is_temporary
from dtbench.harness.store.locks import LOCK_NAME
from dtbench.harness.store.provenance import checkout, packages
from dtbench.harness.store.redact import mask_command, mask_settings
from dtbench.harness.store.types import (
    AnyInfo,
    CotInfo,
    FaithfulInfo,
    GitInfo,
    JudgeInfo,
    RunInfo,
    ShardInfo,
    StartInfo,
    Status,
    StoredInfo,
)

SCHEMA = 2
"""Of run.json and the records together; any other is refused."""
LOG_NAME = "run.log"
_SKEW = timedelta(minutes=1)
"""By which the clocks of two machines may differ without a word."""
MOST_ANSWERS = 50_000_000
"""A number of questions or answers that no benchmark comes near, and that memory can still hold."""
OWN_KEYS = ("schema", "status", "start", "end", "starts", "request", "planned")
"""What is not a setting."""
Settings = dict[str, Any]
Kind = TypeVar("Kind")
_KINDS: Mapping[str, Any] = {
    "run": RunInfo,
    "judge": JudgeInfo,
    "cot": CotInfo,
    "faithful": FaithfulInfo,
    "shard": ShardInfo,
}


class RunClock:
    """The time of day for what one process stores: it goes on evenly, however the clock of the machine is set."""

    def __init__(self) -> None:
        self._begun = datetime.now(UTC)
        self._steady = _steady_seconds()

    def now(self) -> str:
        """Return the time to be stored."""
        passed = timedelta(seconds=_steady_seconds() - self._steady)
        return (self._begun + passed).isoformat(timespec="seconds")

    def set_after(self, moment: str) -> None:
        """Go on from a stored moment where the clock of the machine is behind it."""
        stored = datetime.fromisoformat(moment)
        stored = stored if stored.tzinfo is not None else stored.replace(tzinfo=UTC)
        if self._begun < stored:
            import logging  # which reading a run can do without

            if (behind := stored - self._begun) > _SKEW:
                why = "the clock of this machine is %s behind the last start of this run (%s): it is dated after that"
                logging.getLogger(__name__).warning(why, behind, moment)
            self._begun, self._steady = stored, _steady_seconds()


def _steady_seconds() -> float:
    """Return seconds that no setting of the clock changes; on Linux they count while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


def json_settings(settings: Mapping[str, Any]) -> Settings:
    """Return settings as JSON gives them back, without secrets."""
    own = [name for name in OWN_KEYS if name in settings]
    if own:
        raise ValueError(f"settings cannot be named {', '.join(own)}: run.json uses these names itself")
    plain: Settings = mask_settings(json.loads(json.dumps(settings, allow_nan=False)))
    return plain


def new_info(settings: Settings) -> AnyInfo:
    """Return the run.json of a run that has not been started."""
    head = {"schema": SCHEMA, "status": "running", "start": None, "end": None}
    return cast("AnyInfo", {**head, **settings, "starts": []})


def add_start(info: StoredInfo, command: Sequence[str], clock: RunClock) -> None:
    """Add a start of this process, dated after those before it; one that has no end was killed."""
    for earlier in info["starts"]:
        if earlier["status"] == "running":
            earlier["status"] = "interrupted"
        clock.set_after(earlier["end"] or earlier["start"])
    now = clock.now()
    this_start: StartInfo = {
        "command": mask_command(command),
        "start": now,
        "end": None,
        "status": "running",
        "pid": os.getpid(),
        "host": os.uname().nodename,
        "dtbench": dtbench.__version__,
        "git": _own_checkout(),
        "python": ".".join(map(str, sys.version_info[:3])),
        "packages": packages(),
    }
    info["starts"].append(this_start)
    info["status"], info["start"], info["end"] = "running", info["start"] or now, None


@functools.cache
def _own_checkout() -> GitInfo | None:
    """Return the checkout of the code that this process runs, as it was at the first start; git takes 10 ms."""
    return checkout(Path(__file__).resolve())


def add_end(info: StoredInfo, status: Status, clock: RunClock) -> None:
    """Record how the last start ended."""
    now = clock.now()
    for one in (info, info["starts"][-1]):
        one["status"], one["end"] = status, now


def read_info(folder: Path, name: str = "run.json") -> AnyInfo:
    """Read the run.json of a folder and check it field by field; a FileNotFoundError where there is none."""
    path = folder / name
    try:
        info = json.loads(read_regular(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}): it was changed since dtbench wrote it. {_MEND}") from None
    schema = info.get("schema") if isinstance(info, dict) else None
    if not isinstance(schema, int) or isinstance(schema, bool):
        raise DataError(f"{path}: not a dtbench run: it has no schema number. {_MEND}")
    if schema != SCHEMA:
        age, remedy = ("a newer", "update dtbench") if schema > SCHEMA else ("an older", _OLDER)
        raise DataError(f"{path}: written by {age} dtbench (schema {schema}, this one reads {SCHEMA}): {remedy}.")
    if (wrong := misfit(info, _KINDS.get(str(info.get("kind")), RunInfo)) or _odd_value(info)) is not None:
        raise DataError(f"{path}: {wrong}: it was changed since dtbench wrote it. {_MEND}")
    return cast("AnyInfo", info)


def read_summary(folder: Path, *kinds: type[Kind]) -> Kind | None:
    """Read summary.json and check its fields; None where there is none, a DataError where it is of no such kind."""
    path = folder / "summary.json"
    try:
        summary = json.loads(read_regular(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}): `dtbench score RUN --write` writes it again.") from None
    wrong = [misfit(summary, kind) for kind in kinds]
    if None not in wrong:
        raise DataError(f"{path}: {wrong[0]}: `dtbench score RUN --write` writes it again.")
    fits: Kind = summary
    return fits


def misfit(value: object, kind: Any) -> str | None:
    """Tell what in a value is not of a type, and where; None where it fits."""
    import msgspec

    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return str(error).replace("`", "").replace(" - at $.", " at ")
    except UnicodeEncodeError:  # msgspec would show a text that is not a number, and cannot
        return "half of a character where no text is expected"
    return None


def _odd_value(info: StoredInfo) -> str | None:
    """Name the first value that its type lets through and that no run has; None where there is none."""
    named = [("", info), *((f"starts[{number}].", start) for number, start in enumerate(info["starts"]))]
    for where, one in named:
        for name, text in (("start", one["start"]), ("end", one["end"])):
            if text is not None and not _is_time(text):
                return f"{where}{name} is {one_line(text)!r}, no time"
    if cast("ShardInfo", info)["kind"] == "shard" and not info["starts"]:
        return "starts is empty"
    tasks: Mapping[str, Mapping[str, Any]] = cast("RunInfo", info).get("tasks", {})
    for name, about in tasks.items():
        for field in ("questions", "samples", "permute", "order"):
            if not 0 <= about.get(field, 0) <= MOST_ANSWERS:
                return f"tasks.{name}.{field} is {about[field]}, and 0 to {MOST_ANSWERS} is allowed"
        if about.get("min_evidence", WEAKEST) not in EVIDENCE_LEVELS:
            return f"tasks.{name}.min_evidence is none of {', '.join(EVIDENCE_LEVELS)}"
    return None


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def refuse_foreign(path: Path) -> None:
    """Refuse a folder that contains other things and no run; what a run that was only begun leaves is none of them.

    Another shard may make the run meanwhile, so whether run.json is there is looked up last.
    """
    refuse_no_folder("--out", path)
    try:
        if not path.exists():
            return
        names = sorted(
            e.name for e in path.iterdir() if not is_of_a_beginning(e.name) and not (e / "run.json").exists()
        )
        others = [] if (path / "run.json").exists() else names
    except OSError as error:
        raise UserError(f"--out {path}: cannot be read ({error.strerror}).") from None
    if others:
        listed = ", ".join(map(one_line, others[:3])) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        raise UserError(f"--out {path}: not a run folder, and not empty ({listed}): name a new or an empty folder.")


def instead_of_file(path: Path) -> str:
    """Say what to name in place of a file that was named as a run: the run that it is of, if it is of one."""
    within = (path.parent / "run.json").is_file()
    return f"Name the run's folder, {path.parent}" if within else "`dtbench run --out` makes one"


def is_of_a_beginning(name: str) -> bool:
    """Return whether a file's name is one that a run leaves which was only begun."""
    return name == LOG_NAME or name.startswith(LOCK_NAME) or is_temporary(name)


def without_question_lists(info: RunInfo) -> Settings:
    """Leave out what stands there for each question, and tasks that were not asked for last: nothing to read."""
    lists = {"shared_clips", "ids"}
    tasks = {name: {k: v for k, v in about.items() if k not in lists} for name, about in info["tasks"].items()}
    return {**{name: value for name, value in info.items() if name != "other_tasks"}, "tasks": tasks}


def flatten(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of nested objects, by dotted name; an empty object is a value."""
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from flatten(part, f"{name}.{key}" if name else key)
    else:
        yield name, value


_OLDER = "run it again into another --out, or read it with the dtbench that wrote it"
_MEND = "Restore it, or name another --out."
