"""What `dtbench view` is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.options import OUTPUT, Argument, DataOfRun, Option, TaskFile, check_options
from dtbench.harness.core.typed_settings import between

MOST_PORTS = 65535
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewOptions:
    """Which runs are served, and where."""

    folder: Annotated[Path, Argument("[DIR]", "Folder with runs in it, at any depth.", values="folders")] = Path("runs")
    host: Annotated[
        str,
        Option(
            "--host",
            "ADDRESS",
            "Address to listen on; any but a loopback address exposes the runs to others.",
            panel=OUTPUT,
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int | None,
        Option("--port", "N", "Port to listen on; 0 for a free one.", panel=OUTPUT, shown="8642, or a free one"),
        between(0, MOST_PORTS),
    ] = None
    data_dir: DataOfRun = None
    task_file: TaskFile = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can ask."""
        return self.host in LOOPBACK

    def __post_init__(self) -> None:
        """Refuse what is no folder, and no port."""
        check_options(self)
        if not self.folder.is_dir():
            what = "this is a file" if self.folder.exists() else "there is no such folder"
            raise UserError(f"view {self.folder}: {what}; name a folder with runs in it.")
