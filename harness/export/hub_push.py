"""Push an exported folder to a hub, after saying what goes where.

The hub is the one that HF_ENDPOINT names; the token comes from HF_TOKEN alone, is masked wherever dtbench prints or
stores something, and is stored nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import dtbench
from dtbench.harness.core.errors import MachineryError, UserError, one_line
from dtbench.harness.export.run_formats import PUSHED, ExportedFolder
from dtbench.harness.export.submission_formats import ExportOptions
from dtbench.harness.store.known_secrets import remember_secret
from dtbench.harness.store.redact import mask_text

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""Where a token is looked for; a login that is stored on this machine is not used."""
_SHOWN = 8


class PushedFiles(NamedTuple):
    """What was pushed."""

    repo: str
    kind: Literal["dataset", "model"]
    page: str
    """The commit, or the pull request."""
    files: list[str]


def hub_endpoint() -> str:
    """Return the address of the hub."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def hub_page(repo: str, kind: str = "model") -> str:
    """Return the page of a repository."""
    return f"{hub_endpoint()}/{'datasets/' if kind == 'dataset' else ''}{repo}"


def hub_token() -> str:
    """Return the token of the environment, known as a secret from now on; a UserError where there is none."""
    token = next((value for name in TOKENS if (value := os.environ.get(name, "").strip())), "")
    if not token:
        raise UserError("--push: a token of the hub is needed: set HF_TOKEN in the environment.")
    remember_secret(token)
    return token


def push_folder(written: ExportedFolder, options: ExportOptions, say: Callable[[str], None]) -> PushedFiles:
    """Push what was written: a data set as a commit, scores as a pull request unless --direct says otherwise."""
    assert options.push is not None
    repo, kind, token = options.push, PUSHED[options.format_name], hub_token()
    if written.incomplete and not options.incomplete:
        raise UserError(
            f"--push {repo}: {'; '.join(written.incomplete)}. The files are in {written.path}; push them as they are "
            "with --incomplete."
        )
    names = sorted(file.relative_to(written.path).as_posix() for file in written.files)
    asks = kind == "model" and not options.direct
    size = sum(file.stat().st_size for file in written.files)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    how = "pull request" if asks else "commit"
    listed = f"{', '.join(names[:_SHOWN])}{more}"
    say(f"pushing to {hub_page(repo, kind)} as a {how}: {count_files(names)}, {size:,} bytes: {listed}")
    from huggingface_hub import HfApi

    api = HfApi(endpoint=hub_endpoint(), token=token, library_name="dtbench", library_version=dtbench.__version__)
    try:
        page = _commit(api, written.path, names, _Target(repo, kind, asks))
    except Exception as error:  # someone else's code: refusals, networks, uploads
        why = one_line(mask_text(str(error)))[:300]
        raise MachineryError(f"--push {repo}: the hub at {hub_endpoint()} took nothing: {why}") from error
    return PushedFiles(repo, kind, page, names)


def count_files(files: Sequence[object]) -> str:
    """Return how many files there are, in words."""
    return f"{len(files)} file{'s' * (len(files) != 1)}"


class _Target(NamedTuple):
    repo: str
    kind: Literal["dataset", "model"]
    asks: bool
    """Whether as a pull request."""


def _commit(api: HfApi, folder: Path, names: list[str], target: _Target) -> str:
    """Commit the files and return the page; a data set's repository that is not there is made, a private one."""
    from huggingface_hub import CommitOperationAdd

    if target.kind == "dataset":
        api.create_repo(target.repo, repo_type="dataset", private=True, exist_ok=True)
    done = api.create_commit(
        repo_id=target.repo,
        repo_type=target.kind,
        operations=[CommitOperationAdd(name, folder / name) for name in names],
        commit_message="Answers and scores of a dtbench run" if target.kind == "dataset" else "Scores by dtbench",
        create_pr=target.asks,
    )
    return str(done.pr_url or done.commit_url)
