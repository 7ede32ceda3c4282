"""One line on stderr that shows how far something is: rewritten in place on a terminal, a plain line elsewhere.

Every command that takes long shows the same line. A narrow terminal gets fewer figures, never half a word.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, Self, TextIO

from dtbench.harness.core.errors import one_line
from dtbench.harness.store.redact import mask_message

_LOG = logging.getLogger(__name__)
PLAIN_SECONDS = 10.0
"""Between two lines where there is no terminal."""
REDRAW_SECONDS = 0.2
"""Between two states of the line on a terminal."""
LONGEST_NAME = 24
"""Columns of a name in front of the figures."""
MEGABYTE = 1_000_000
BAR_COLUMNS = 20
BAR_FITS = 100
"""Columns of a terminal from which on there is a bar."""
_DEFAULT_COLUMNS = 80
_ERASE = "\r\x1b[2K"


class LiveFigure(NamedTuple):
    """A figure of a line."""

    text: str
    rank: int
    """Where there is no room, the figures of the highest rank are left out first."""


class LiveState(NamedTuple):
    """How far something is."""

    done: int
    expected: int | None
    """None where nobody knows."""
    figures: Sequence[LiveFigure]
    unit: str = ""
    """What is counted, where the name does not say it."""

    def plain(self, name: str) -> str:
        """Return all of it as a line for a file."""
        count = f"{self.done:,}" if self.expected is None else f"{self.done} of {self.expected}"
        counted = [_words(count, self.unit)] if self.done or self.expected else []
        return f"{name}: {', '.join([*counted, *(one.text for one in self.figures)]) or '...'}"

    def fitted(self, name: str, columns: int) -> str:
        """Return as much of it as a terminal has room for, in whole words."""
        name, kept = short_name(name), list(self.figures)
        count = "..." if self.expected is None else f"{self.done}/{self.expected}"
        count = f"{self.done:,}" if self.expected is None and self.done else count
        while True:
            figures = ", ".join(one.text for one in kept)
            line = _words(name, count, self.unit if self.done or self.expected else "", figures)
            if columns_of(line) <= columns:
                break
            if not kept:
                shorter = (line, _words(name, count), count)
                return next((one for one in shorter if columns_of(one) <= columns), "")
            kept.remove(max(kept, key=lambda one: one.rank))
        room = columns - columns_of(line) - 1
        if not self.expected or len(kept) < len(self.figures) or columns < BAR_FITS - 1 or room < BAR_COLUMNS:
            return line
        filled = min(BAR_COLUMNS, BAR_COLUMNS * self.done // self.expected)
        return _words(name, f"{'#' * filled}{'.' * (BAR_COLUMNS - filled)}", count, self.unit, figures)


class LiveLine:
    """Shows the state of one thing after the other, and prints notes above it; nothing at all where `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._stream: TextIO = sys.stderr
        self.rewrites = not quiet and is_rewritable(sys.stderr)
        self._name = ""
        self._state: Callable[[float], LiveState] | None = None
        self._begun = self._shown = time.monotonic()
        self._drawn = 0
        self._lock = threading.RLock()
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        """Start to show; what else is printed on stderr meanwhile stands above the line."""
        if self.rewrites:
            self._stream = sys.stderr
            sys.stderr = _PrintAbove(self)
        self._ended = threading.Event()
        if not self.quiet:
            threading.Thread(target=self._refresh_in_time, args=[self._ended], daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        self._ended.set()
        with self._lock:
            if isinstance(sys.stderr, _PrintAbove):
                sys.stderr.finish()
                sys.stderr = self._stream
            self._leave()

    @contextlib.contextmanager
    def showing(self, name: str, state: Callable[[float], LiveState]) -> Iterator[None]:
        """Show one thing to the end of the block; `state` is called with the seconds since its begin."""
        with self:
            self.begin(name, state)
            try:
                yield
            finally:
                self.end()

    def begin(self, name: str, state: Callable[[float], LiveState]) -> None:
        """Show something new from now on; `state` is called with the seconds since."""
        with self._lock:
            self._leave()
            self._name, self._state = name, state
            self._begun = self._shown = time.monotonic()
            if self.rewrites:
                self._draw()

    def refresh(self) -> None:
        """Show the state, where it is time to."""
        now = time.monotonic()
        if now - self._shown < (REDRAW_SECONDS if self.rewrites else PLAIN_SECONDS):
            return
        with self._lock:
            if self._state is None or self._ended.is_set():
                return
            self._shown = now
            if self.rewrites:
                self._draw()
            else:
                self.notify(self._state(now - self._begun).plain(self._name))

    def end(self) -> None:
        """Leave the last state on the screen, and log it."""
        with self._lock:
            if self._state is not None:
                _LOG.info("%s", self._state(time.monotonic() - self._begun).plain(self._name))
            self._leave()

    def notify(self, line: str) -> None:
        """Print a line of its own, and log it."""
        _LOG.info(line, extra={"shown": not self.quiet})
        self.say(line)

    def say(self, line: str) -> None:
        """Print a line of its own; a terminal gets it broken where a word ends."""
        if self.quiet:
            return
        text = one_line(mask_message(line))
        if self.rewrites:
            import textwrap

            columns = max(20, terminal_columns(self._stream))
            text = textwrap.fill(text, columns, break_long_words=False, break_on_hyphens=False)
        print(text, file=sys.stderr, flush=True)

    def print_above(self, text: str) -> None:
        """Write text where the line was; the line comes back below it."""
        with self._lock:
            if self._drawn:
                self._write(_ERASE)
                self._drawn = 0
            self._stream.write(text)
            self._stream.flush()

    def _refresh_in_time(self, ended: threading.Event) -> None:
        """Show the state also while nothing is finished, as with a slow model."""
        while not ended.wait(REDRAW_SECONDS if self.rewrites else PLAIN_SECONDS):
            self.refresh()

    def _draw(self) -> None:
        assert self._state is not None
        columns = terminal_columns(self._stream) - 1
        line = one_line(self._state(time.monotonic() - self._begun).fitted(self._name, columns))
        # A terminal that became narrower has broken the old line: what it left stays, and the new one begins below.
        self._write(("\r\n" if self._drawn > columns else _ERASE) + line)
        self._drawn = columns_of(line)

    def _leave(self) -> None:
        """End the line on the screen."""
        if self._state is not None and self.rewrites:
            state = self._state(time.monotonic() - self._begun)
            if state.done or state.expected:
                self._draw()
                self._write("\n")
            elif self._drawn:
                self._write(_ERASE)
        self._state, self._drawn = None, 0

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a terminal that is gone ends nothing
            self._stream.write(text)
            self._stream.flush()


class LiveCount:
    """The state of a loop over things that are alike, such as clips."""

    def __init__(self, unit: str = "", digits: int = 1) -> None:
        self._unit = unit
        self._digits = digits
        self._done, self._expected = 0, 0
        self._before: int | None = None

    def set(self, done: int, expected: int) -> None:
        """Set how many are done, of how many."""
        self._before = done if self._before is None else self._before
        self._done, self._expected = done, expected

    def state(self, seconds: float) -> LiveState:
        """Return the state after so many seconds."""
        rate = (self._done - (self._before or 0)) / seconds if seconds > 0 else 0.0
        figures = [LiveFigure(f"{rate:,.{self._digits}f}/s", 1)] if rate else []
        if rate and self._done < self._expected:
            figures.append(LiveFigure(f"{duration((self._expected - self._done) / rate)} left", 0))
        return LiveState(self._done, self._expected or None, figures, self._unit)


def bytes_state(arrived: int, expected: int, seconds: float) -> LiveState:
    """Return how much of a file has come, in MB."""
    rate = arrived / seconds if seconds > 0 else 0.0
    figures = [LiveFigure(f"{rate / MEGABYTE:,.1f} MB/s", 1)] if arrived else []
    if rate and arrived < expected:
        figures.append(LiveFigure(f"{duration((expected - arrived) / rate)} left", 0))
    return LiveState(arrived // MEGABYTE, -(-expected // MEGABYTE) or None, figures, "MB")


class _PrintAbove(io.TextIOBase):
    """Stands in for stderr while a line is shown."""

    def __init__(self, line: LiveLine) -> None:
        self._line = line
        self._stream = sys.stderr
        self._begun = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def write(self, text: str) -> int:
        if not isinstance(text, str):  # click asks whether bytes can be written
            raise TypeError(f"a text is expected, not {type(text).__name__}")
        whole, newline, self._begun = f"{self._begun}{text}".rpartition("\n")
        if newline:  # half a line would be taken for the live one
            self._line.print_above(f"{whole}\n")
        return len(text)

    def finish(self) -> None:
        """Print what no line break followed."""
        if self._begun:
            self.write("\n")

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return True


def short_name(name: str) -> str:
    """Shorten a long name, where a word of it ends."""
    if columns_of(name) <= LONGEST_NAME:
        return name
    words = [name[: match.start()] for match in re.finditer(r"[\s_.:/-]", name)]
    fitting = [word for word in words if 0 < columns_of(word) < LONGEST_NAME]
    return f"{fitting[-1] if fitting else name[: LONGEST_NAME // 2]}…"


def duration(seconds: float) -> str:
    """Format a duration as `5 s`, `2 min 5 s` or `3 h 20 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def terminal_columns(stream: TextIO) -> int:
    """Return how wide the terminal is now; COLUMNS comes first."""
    own = os.environ.get("COLUMNS", "")
    if own.isdecimal() and int(own):
        return int(own)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _DEFAULT_COLUMNS
    except (OSError, ValueError):
        return _DEFAULT_COLUMNS


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    return len(text) + wide - sum(unicodedata.combining(sign) > 0 for sign in text)


def _words(*words: str) -> str:
    return " ".join(word for word in words if word)


def is_rewritable(stream: TextIO) -> bool:
    """Whether it is a terminal that can go back to the beginning of a line."""
    return stream is not None and stream.isatty() and os.environ.get("TERM", "dumb").lower() not in {"dumb", "unknown"}
