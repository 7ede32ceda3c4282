"""What a result was made with: the state of the source, and the versions of packages."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from dtbench.harness.store.types import GitInfo

PACKAGES = (
    *("numpy", "soundfile", "soxr", "av", "pyarrow", "huggingface_hub"),
    *("torch", "transformers", "vllm", "peft", "ms_swift", "lm_eval", "openai"),
)
"""What can change a result."""
GIT_SECONDS = 5.0


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
