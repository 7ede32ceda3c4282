"""Loggers found before a run, so that a wrong name costs nothing, and called after it, when everything is stored."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError, format_error
from dtbench.harness.export.trackers import registry as tracker_registry
from dtbench.harness.store.redact import masked_text
from dtbench.harness.store.run_folder import StoredRun

FAILED = 3
Log = Callable[[Mapping[str, Any], Mapping[str, Any]], object]


class Logger(NamedTuple):
    """A function that takes a run's summary and settings, and the name it goes by."""

    name: str
    log: Log


def loggers(names: Sequence[str]) -> list[Logger]:
    """The loggers of these names; a UserError where one cannot be used here."""
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(f"--log {twice[0]}: it is named twice; name it once.")
    return [Logger(name, tracker_registry.logger(name)) for name in names]


def log_all(loggers: Sequence[Logger], summary: Mapping[str, Any], run: StoredRun) -> list[str]:
    """Call each; a line for each that failed."""
    told = []
    for one in loggers:
        try:
            with contextlib.redirect_stdout(sys.stderr):  # stdout is for the summary alone
                one.log(summary, run.info)
        except Exception as error:  # someone else's code
            told.append(
                f"--log {one.name}: failed with {masked_text(format_error(error))}. The run is stored; the same "
                "command again asks nothing anew, and logs."
            )
    return told
