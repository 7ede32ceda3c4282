"""One process at a time writes to a run folder. The lock is the kernel's: it ends when the process does, however."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from dtbench.harness.core.errors import MachineryError, UserError, one_line
from dtbench.harness.store.atomic import write_failure

NAME = ".lock"
_LONGEST_NOTE = 200


class RunLock:
    """The lock of a folder, held from its making to close()."""

    def __init__(self, folder: Path) -> None:
        path = folder / NAME
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise write_failure(path, error) from error
        try:
            self._take(folder, path)
        except BaseException:
            self.close()
            raise

    @property
    def held(self) -> bool:
        """Whether the folder is still ours."""
        return self._descriptor >= 0

    def close(self) -> None:
        """Let the next process in; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, folder: Path, path: Path) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, _LONGEST_NOTE, 0).decode(errors="replace")
            raise UserError(
                f"--out {folder}: a run is writing there already ({one_line(holder) or 'just starting'}). "
                f"Wait for its end or stop it, or name another --out."
            ) from None
        except OSError as error:
            raise MachineryError(f"{path}: cannot be locked ({error.strerror}): name another --out.") from error
        note = f"pid {os.getpid()} on {os.uname().nodename}".encode()[:_LONGEST_NOTE]
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, note, 0)
        except OSError as error:
            raise write_failure(path, error) from error
