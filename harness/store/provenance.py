"""What a result was made with: the state of the source, and the versions of packages."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.store.types import GitInfo, StartInfo

PACKAGES = (
    *("numpy", "soundfile", "soxr", "av", "pyarrow", "huggingface_hub"),
    *("torch", "transformers", "vllm", "peft", "ms_swift", "lm_eval", "openai"),
)
"""What can change a result."""
GIT_SECONDS = 5.0
_BASELINES = ("first", "random")
_ORACLES = ("majority", "echo-gold")


def packages() -> dict[str, str]:
    """Return installed versions by name, read from names of folders, which costs a millisecond."""
    versions: dict[str, str] = {}
    for entry in sys.path:
        try:
            names = os.listdir(entry or ".")  # noqa: PTH208  # as importlib does; a Path for each name is ten times the cost
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info"):
                package, _, version = name.removesuffix(".dist-info").partition("-")
                versions.setdefault(re.sub(r"[-_.]+", "_", package).lower(), version)
    return {name: versions[name] for name in PACKAGES if name in versions}


def checkout(source: Path) -> GitInfo | None:
    """Return the commit of the checkout that carries this source file, and whether it was changed; None without one."""
    if _git(source, "ls-files", "--error-unmatch", source.name) is None:
        return None
    state = _git(source, "status", "--porcelain=v2", "--branch")
    if state is None:
        return None
    lines = state.splitlines()
    commits = [line.split()[-1] for line in lines if line.startswith("# branch.oid")]
    return {"commit": commits[0] if commits else None, "dirty": any(not line.startswith("#") for line in lines)}


def _git(source: Path, *arguments: str) -> str | None:
    """Run git and return its output; None where it fails or is not installed."""
    import subprocess

    # Inside a git hook these name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(
            ["git", "-C", source.parent, *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=environment,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def versions_of(starts: Sequence[StartInfo]) -> dict[str, str]:
    """Return what a run was made with, by name: of a run of several starts all that was used, in order."""
    found: dict[str, dict[str, None]] = {}
    each = [dict(_versions(start)) for start in starts]
    for name in dict.fromkeys(name for one in each for name in one):
        found[name] = dict.fromkeys(one.get(name, "none") for one in each)
    return {name: ", then ".join(values) for name, values in found.items()}


def _versions(start: StartInfo) -> Iterator[tuple[str, str]]:
    git = start["git"]
    commit = "" if git is None else f" at {(git['commit'] or 'no commit')[:12]}{' with changes' * git['dirty']}"
    yield "dtbench", start["dtbench"] + commit
    yield "python", start["python"]
    yield from start["packages"].items()


def version_notes(starts: Sequence[StartInfo]) -> list[str]:
    """Say by which versions a run was made, where its starts differ in one."""
    changed = [f"{name} {values}" for name, values in versions_of(starts).items() if ", then " in values]
    return [f"this run was made by several versions: {'; '.join(changed)}"] if changed else []


def why_no_candidate(model: Mapping[str, Any]) -> str | None:
    """Say why what answered a run cannot stand beside models, by what run.json says of it; None of a model."""
    name = model.get("name")
    if model.get("oracle") or name in _ORACLES:
        return f"{name} is an oracle: it knows right answers"
    return f"{name} is a baseline: it never listens" if name in _BASELINES else None
