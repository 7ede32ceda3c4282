"""How a start begins in a folder: as a new run, or by going on with the one that is there, unless that is another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

from dtbench.harness.core.errors import UserError
from dtbench.harness.store.atomic import write_failure
from dtbench.harness.store.growth import asks_the_same, grow, without_needless_ids
from dtbench.harness.store.identity import refuse_other_identity
from dtbench.harness.store.record_files import file_parts, stored_keys
from dtbench.harness.store.run_json import Settings, new_info, read_info
from dtbench.harness.store.shard_states import with_shards
from dtbench.harness.store.types import AnyInfo

Guard = Callable[[Path, AnyInfo], None]


class Resumption(NamedTuple):
    """What a start that goes on with a run needs beside its settings."""

    why: str = ""
    """Why the folder is this one, where the user named none."""
    guard: Guard | None = None
    """Refuses a run by what its settings do not show; asked before anything is written."""


UNGUARDED = Resumption()


class Beginning(NamedTuple):
    """What a start is given."""

    path: Path
    settings: Settings
    request: Mapping[str, Any] | None
    resumption: Resumption

    def fresh(self) -> AnyInfo:
        """Return the run.json of a new run."""
        return self._with_request(new_info(self.settings))

    def before(self) -> AnyInfo | None:
        """Read the run.json of a run of this identity; None where there is none yet."""
        try:
            info = with_shards(self.path, read_info(self.path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(f"--out {self.path}: run.json cannot be read ({error.strerror}).") from None
        if info["kind"] != self.settings.get("kind", info["kind"]):
            raise UserError(f"--out {self.path}: `dtbench {info['kind']}` made this folder; name another --out.")
        why, guard = self.resumption
        try:
            refuse_other_identity(f"{self.path} ({why})" if why else str(self.path), info, self.settings)
            if guard is not None:
                guard(self.path, info)
        except UserError:
            if not is_void(self.path, info):
                raise
            return None
        return info

    def resumed(self) -> AnyInfo | None:
        """Return the run.json of the run that is there, with what is asked for now; None where there is none yet."""
        before = self.before()
        if before is None:
            return None
        if not asks_the_same(before, self.settings):
            remove_summary(self.path)
        info: dict[str, Any] = {**grow(before, self.settings)}
        tasks = info["tasks"].items()
        info["tasks"] = {
            task: without_needless_ids(about, partial(stored_keys, self.path, task)) for task, about in tasks
        }
        return self._with_request(cast("AnyInfo", info))

    def _with_request(self, info: AnyInfo) -> AnyInfo:
        return info if self.request is None else cast("AnyInfo", {**info, "request": dict(self.request)})


def is_void(folder: Path, info: Mapping[str, Any]) -> bool:
    """Return whether a run failed before its first answer, so that its settings may be what was wrong."""
    tasks = (*info["tasks"], *info.get("other_tasks", {}))
    return info["status"] == "failed" and not any(file_parts(folder, task) for task in tasks)


def remove_summary(folder: Path) -> None:
    """Remove summary.json, which no longer is of what was asked for last."""
    path = folder / "summary.json"
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise write_failure(path, error) from error
