"""Checkpoints of the hub: what of one is on this machine already, and the fetch of one that is needed as a folder."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Notify

_MAX_REASON = 200


def cached_snapshot(hub_id: str) -> Path | None:
    """Find the folder of a hub id in the cache of the hub: that of its main branch, else the last; fetch nothing."""
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser() / f"models--{hub_id.replace('/', '--')}"
    try:
        main = cache / "snapshots" / (cache / "refs" / "main").read_text().strip()
    except (OSError, UnicodeDecodeError):
        main = cache / "none"
    folders = [main] if main.is_dir() else sorted(path for path in cache.glob("snapshots/*") if path.is_dir())
    return folders[-1] if folders else None


def cached_commit(hub_id: str, revision: str | None = None) -> str | None:
    """Return the commit of a revision, of the main branch where none is named, that is in the cache of the hub."""
    snapshot = cached_snapshot(hub_id)
    if snapshot is None:
        return None
    try:
        return (snapshot.parents[1] / "refs" / (revision or "main")).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return revision if revision and (snapshot.parent / revision).is_dir() else None


def fetch(source: str, notify: Notify, *, revision: str | None = None) -> Path:
    """Return the folder of a checkpoint or an adapter; one that only the hub has is downloaded."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        with contextlib.suppress(LocalEntryNotFoundError):
            return Path(snapshot_download(source, revision=revision, local_files_only=True))
        notify(f"fetching {source} from the hub")
        return Path(snapshot_download(source, revision=revision))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        why = " ".join(str(error).split())[:_MAX_REASON]
        raise UserError(
            f"{source}: the hub does not give it ({why}): check the name, or log in with `hf auth login`."
        ) from None
