"""Tasks that a data set of the hub carries, and the files of the hub that a task file names."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.typed_settings import read_toml
from dtbench.tasks.data.sources import HubFile, WebFile
from dtbench.tasks.declared.definition import Definition, SourceTable, parse_definition
from dtbench.tasks.declared.eval_yaml import read_eval_yaml

CARRIED = ("dtbench.toml", "eval.yaml")
"""The files of a data set that may define its task, the first that is there."""
_NAME = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?(?:#(?P<task>[\w.-]+))?")
_MAX_REASON = 200


class CarriedFile(NamedTuple):
    """A file that defines the task of a data set."""

    path: Path
    revision: str
    """The commit of the data set that it is of."""


def definition_of_hub(name: str) -> Definition:
    """Return the task that a data set carries, pinned to the commit that it was read at.

    `hf:ORG/NAME@REVISION#TASK` names a commit or branch, and one of several tasks of an eval.yaml.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise UserError(f"--tasks {name}: the name of a data set is expected, hf:ORG/NAME or hf:ORG/NAME@REVISION.")
    repo = match["repo"]
    carried = _carried_file(repo, match["revision"])
    place = f"{name}: {carried.path.name}"
    if carried.path.suffix == ".toml":
        table = read_toml(carried.path)
    else:
        table = read_eval_yaml(carried.path, repo, match["task"], place)
    return parse_definition(_pinned(table, repo, carried.revision), place)


def _pinned(table: Mapping[str, Any], repo: str, revision: str) -> dict[str, Any]:
    """Return what the file says, with the data set that it lies in where it names none."""
    source = table.get("source", {})
    if not isinstance(source, Mapping) or "hub" in source:
        return {**table}
    return {**table, "source": {**source, "hub": repo, "revision": revision}}


def _carried_file(repo: str, revision: str | None) -> CarriedFile:
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    for file in CARRIED:
        try:
            path = huggingface_hub.hf_hub_download(
                repo, file, repo_type="dataset", revision=revision, endpoint=os.environ.get("HF_ENDPOINT") or None
            )
        except LocalEntryNotFoundError as error:
            raise DataError(f"hf:{repo}: the hub cannot be reached, and {file} of it is not in its cache.") from error
        except EntryNotFoundError:
            continue
        except (HfHubHTTPError, OSError, ValueError) as error:
            why = " ".join(str(error).split())[:_MAX_REASON]
            raise DataError(
                f"hf:{repo}: the hub does not give {file} ({why}): check the name, or log in with `hf auth login`."
            ) from None
        return CarriedFile(Path(path), Path(path).parent.name)
    raise DataError(
        f"hf:{repo}: this data set carries no task: neither {' nor '.join(CARRIED)} is in it. Write a task file with "
        f"`dtbench new task NAME`, and name the data set as hub in its [source]."
    )


def source_files(source: SourceTable) -> list[HubFile | WebFile]:
    """Return the files that a task file names on the hub and elsewhere, each pinned; patterns are looked up there."""
    web = [WebFile(url, path, sha256=source.sha256.get(path)) for path, url in source.urls.items()]
    if source.hub is None or source.revision is None:
        return [*web]
    wanted = [one for one in (*source.files, *source.archive, *source.clip_files) if one not in source.urls]
    if any(_is_pattern(one) for one in wanted):
        there = _files_of(source.hub, source.revision)
        wanted = [path for one in wanted for path in (_matching(one, there, source) if _is_pattern(one) else [one])]
    return [
        *web,
        *(HubFile(source.hub, source.revision, one, source.sha256.get(one)) for one in dict.fromkeys(wanted)),
    ]


def _is_pattern(path: str) -> bool:
    return any(sign in path for sign in "*?[")


def _matching(pattern: str, there: Sequence[str], source: SourceTable) -> list[str]:
    found = [path for path in there if fnmatch.fnmatchcase(path, pattern)]
    if not found:
        raise DataError(f"{source.hub} at {source.revision}: no file of it matches {pattern!r}.")
    return found


def _files_of(repo: str, revision: str) -> list[str]:
    """List the files of a data set at a commit."""
    from huggingface_hub import HfApi

    try:
        listed = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None).list_repo_files(
            repo, revision=revision, repo_type="dataset"
        )
    except Exception as error:  # of whatever HTTP library the hub's client was built on
        why = " ".join(str(error).split())[:_MAX_REASON]
        raise DataError(f"{repo} at {revision}: its files cannot be listed ({why}).") from error
    return sorted(path for path in listed if ".." not in path.split("/") and not path.startswith("/"))
