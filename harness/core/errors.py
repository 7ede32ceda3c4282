"""The errors of dtbench.

DtbenchError
|-- UserError        the input is wrong: one line, exit 2
|   `-- DataError    a data set is missing, broken or of another version
|-- TaskError        a task's own code breaks its contract, exit 3
|-- MachineryError   the network, the disk or an engine failed, exit 3
|-- ModelError       a model did not answer one prompt; the loop retries where that may help
|-- WaitingError     answers wait for a judge, so nothing can be told yet, exit 4
`-- WithdrawnError   a request was not sent, as the run ends in good order

A message says what is wrong, the value, what is allowed and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class DtbenchError(Exception):
    """An error that dtbench reports in one line, without a traceback."""

    exit_code = 3


class UserError(DtbenchError):
    """The user's input is wrong; nothing was lost and nothing was written."""

    exit_code = 2


class DataError(UserError):
    """A data set is missing, broken, or of a version that cannot be used."""


class TaskError(DtbenchError):
    """A task's own code breaks the contract of a task."""


class MachineryError(DtbenchError):
    """Something outside failed: network, disk, endpoint, engine."""


class ModelError(DtbenchError):
    """A model did not answer one prompt."""

    def __init__(
        self,
        message: str,
        *,
        again: bool,
        retry_after: float | None = None,
        too_many: bool = False,
        used_up: bool = False,
        timed_out: bool = False,
    ) -> None:
        super().__init__(message)
        self.too_many = too_many
        """Whether it was refused for a limit of requests or tokens, which passes: that is no attempt."""
        self.used_up = used_up
        """Whether a quota is used up that no wait of a run outlasts."""
        self.timed_out = timed_out
        """Whether it took longer than `timeout`."""
        self.elsewhere = False
        """Whether a retry goes to another endpoint."""
        self.again = again
        """Whether a retry may help."""
        self.retry_after = retry_after
        """Seconds that the endpoint asks to wait."""
        self.usage: dict[str, int] = {}
        """The tokens of replies without an answer, where they report any."""
        self.attempts = 1
        """How often the prompt was sent in all."""

    def reworded(self, message: str) -> ModelError:
        """Return this error with another message."""
        other = ModelError(message, again=self.again)
        other.__dict__.update(self.__dict__)
        return other


class WaitingError(DtbenchError):
    """Answers have no marks yet: a judge has not been asked about all of them."""

    exit_code = 4


class WithdrawnError(DtbenchError):
    """A request was not sent, as the run ends in good order: its question stays unasked."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest names, then all of them."""
    names = list({name.lower(): name for name in known}.values())
    return f"{nearest_names(name, names)}Known: {', '.join(names)}."


def nearest_names(name: str, known: Iterable[str]) -> str:
    """Return a question about the names that an unknown one is nearest to; empty where none is near."""
    import difflib  # 5 ms that only a mistake should cost

    names = {name.lower(): name for name in known}
    begun = [low for low in names if name and low.startswith(name.lower())]
    alike = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    close = [names[low] for low in dict.fromkeys([*begun, *alike])][:3]
    return f"Did you mean {' or '.join(close)}? " if close else ""


def format_error(error: BaseException) -> str:
    """Describe an error of someone else's code in one line: its class, its message, and the line of that code."""
    import sysconfig
    import traceback

    ours = (f"{Path(__file__).parents[1]}/", f"{sysconfig.get_path('stdlib')}/", "<")
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(ours) or "site-packages" in frame.filename
    ]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}{f': {message}' if message else ''}{where}"


def short_repr(value: object) -> str:
    """Show a value of someone else's code in one line of at most 100 characters."""
    try:
        text = " ".join(repr(value).split())
    except Exception as error:  # someone else's __repr__
        return f"a {type(value).__name__} ({format_error(error)})"
    return text if len(text) <= 100 else f"{text[:97]}..."


def why_unreadable(error: OSError) -> str:
    """Say why the file that an option names cannot be read."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "this is a folder; name a file"
    return f"cannot be read ({error.strerror})"


def one_line(text: str) -> str:
    """Write text in one line, without the signs that a terminal takes for commands."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(text.splitlines()))
