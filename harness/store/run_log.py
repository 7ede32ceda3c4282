"""RUN/run.log: what dtbench's modules log while a run lasts, a line each with its time, and no secret in it.

A log never stops a run: where it cannot be written, it is left out.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import dtbench
from dtbench.harness.core.errors import one_line
from dtbench.harness.store.redact import mask_command, mask_text

PLAIN_LINES = 100
"""So many lines of one kind a start are written; of more, only each that doubles their number."""
_LOG = logging.getLogger(__name__)
_NUMBER = re.compile(r"\d+")


class MaskSecrets(logging.Filter):
    """Takes secrets out of messages and tracebacks, and notes of what kind a message is."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, masked."""
        if not hasattr(record, "kind"):
            record.kind = _NUMBER.sub("0", str(record.msg))
        record.msg, record.args = mask_text(record.getMessage()), None
        if record.exc_info:
            record.exc_text = mask_text(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


class LineFormatter(logging.Formatter):
    """Writes `TIME LEVEL module: message`, and so before each line of a longer one."""

    def format(self, record: logging.LogRecord) -> str:
        """Format each line of a record as one line of text."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        head = f"{moment} {record.levelname} {record.name.removeprefix('dtbench.')}: "
        lines = [*record.getMessage().splitlines(), *(record.exc_text or "").splitlines()]
        return "\n".join(head + one_line(line) for line in lines)


class StderrHandler(logging.Handler):
    """What -v shows: all that is logged and not shown on stderr anyway."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record where stderr is now: a progress bar may stand in its place."""
        if not getattr(record, "shown", False):
            print(self.format(record), file=sys.stderr, flush=True)


class RunLog(logging.Handler):
    """Appends to a file until it is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__(logging.INFO)
        self._counts: Counter[str] = Counter()
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._file: int | None = os.open(path, flags, 0o666)
        except OSError:
            self._file = None
        add_handler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Append the record, unless too many of its kind are there."""
        kind = getattr(record, "kind", "")
        self._counts[kind] += 1
        count = self._counts[kind]
        if self._file is None or (count > PLAIN_LINES and count & (count - 1)):
            return
        note = f" [line {count} of its kind; most are left out]" if count > PLAIN_LINES else ""
        try:
            os.write(self._file, f"{self.format(record)}{note}\n".encode("utf-8", "backslashreplace"))
        except OSError:
            return

    def note_start(self, command: Sequence[str]) -> None:
        """Log that a run starts, and by which command."""
        _LOG.info("start of dtbench %s: %s", dtbench.__version__, shlex.join(mask_command(command)))

    def note_error(self, error: BaseException) -> None:
        """Log the error that ended the run; with a traceback, unless the user ended it."""
        if isinstance(error, Exception):
            _LOG.error("%s: %s", type(error).__name__, error, exc_info=error)
        else:
            _LOG.info("%s", type(error).__name__)

    def note_end(self, status: str) -> None:
        """Log how the run ended."""
        _LOG.info("ended: %s", status)

    def close(self) -> None:
        """End the log; a second call does nothing."""
        logger = logging.getLogger("dtbench")
        if self in logger.handlers:
            logger.removeHandler(self)
            if not any(isinstance(handler, RunLog | StderrHandler) for handler in logger.handlers):
                for handler in [handler for handler in logger.handlers if isinstance(handler, _ToRoot)]:
                    logger.removeHandler(handler)
                    logger.setLevel(handler.own_level)
                logger.propagate = True
        if self._file is not None:
            os.close(self._file)
            self._file = None
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log how it ended, and end the log."""
        if error is not None:
            self.note_error(error)
        self.note_end("done" if error is None else "failed" if isinstance(error, Exception) else "interrupted")
        self.close()


class _ToRoot(logging.Handler):
    """Hands on to the root's handlers what they would see if no log of ours were open."""

    def __init__(self, own_level: int, effective: int) -> None:
        super().__init__(effective)
        self.own_level = own_level

    def emit(self, record: logging.LogRecord) -> None:
        if (root := logging.getLogger()).handlers:
            root.handle(record)


def add_handler(handler: logging.Handler) -> None:
    """Send what dtbench logs to a handler as well, masked; handlers of the root see no more for it than before."""
    handler.addFilter(MaskSecrets())
    handler.setFormatter(LineFormatter())
    logger = logging.getLogger("dtbench")
    if logger.propagate:
        logger.addHandler(_ToRoot(logger.level, logger.getEffectiveLevel()))
        logger.propagate = False
    logger.setLevel(min(logger.getEffectiveLevel(), handler.level))
    logger.addHandler(handler)
