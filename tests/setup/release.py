"""What a release has to pass: `release.py check` builds it and installs it everywhere, `ready TAG` reads its papers.

`check` builds the sdist, and the wheel from it, into dist/, has twine look at both, and installs each into fresh
environments of every Python that dtbench supports, with the oldest dependencies that it allows and with the newest;
there it answers a few questions, scores them and makes a report. Exit 0: all passed; 1: something failed; 4: it cannot
be told here, for want of an interpreter or of the index. `ready` is 1 where the tag, the version and CHANGELOG.md
disagree. `urls ADDRESS` writes into pyproject.toml where a release comes from: only its workflow knows.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from installer import Installer, InstallError, pip_settings, uv_settings

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
RESOLUTIONS = {"oldest": "lowest-direct", "newest": "highest"}
"""Of the dependencies that pyproject.toml names, by uv's word for it."""
CANNOT_TELL = 4
UNRELEASED = "Unreleased"
_QUESTIONS = ("run", "--model", "random", "--tasks", "mini", "--limit", "8", "--out", "run")
_VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
_SECTION = re.compile(r"^## ([^\s,]+).*\n((?:(?!## ).*\n?)*)", re.MULTILINE)


class Case(NamedTuple):
    """An environment that a release is installed into."""

    python: str
    dependencies: str
    """A key of RESOLUTIONS."""
    file: Path


class Verdict(NamedTuple):
    """What came of one."""

    case: Case
    problem: str
    """Empty where it passed."""
    missing: bool = False
    """Whether it could not be tried at all."""


def main() -> int:
    """Do what the first word says."""
    words = sys.argv[1:]
    if words == ["check"]:
        return check(ROOT / "dist")
    if len(words) == 2 and words[0] == "ready":
        return told(problems_of(words[1], ROOT))
    if len(words) == 2 and words[0] == "urls":
        settings = ROOT / "pyproject.toml"
        settings.write_text(with_urls(settings.read_text(encoding="utf-8"), words[1]), encoding="utf-8")
        return 0
    print(__doc__)
    return 2


def told(problems: Sequence[str]) -> int:
    """Print them; 1 where there are any."""
    for problem in problems:
        print(f"release: {problem}")
    return int(bool(problems))


def version_of(root: Path) -> str:
    """Return the version that the package says."""
    found = _VERSION.search((root / ".src" / "dtbench" / "__init__.py").read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit("release: .src/dtbench/__init__.py has no __version__.")
    return found[1]


def sections(changelog: str) -> Mapping[str, str]:
    """Return what a changelog says of each version, the newest first."""
    return {name: text.strip() for name, text in _SECTION.findall(changelog)}


def problems_of(tag: str, root: Path) -> list[str]:
    """Return why a tag is not ready to be released."""
    version, found = version_of(root), sections((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    problems = []
    if tag != f"v{version}":
        problems.append(f"the tag is {tag}, .src/dtbench/__init__.py says {version}: v{version} is expected.")
    if not found.get(version):
        problems.append(f"CHANGELOG.md says nothing under '## {version}'.")
    if waiting := found.get(UNRELEASED, "").count("\n- ") + found.get(UNRELEASED, "").startswith("- "):
        problems.append(f"CHANGELOG.md has {waiting} sentences under '## {UNRELEASED}': they belong under a version.")
    return problems


def with_urls(settings: str, address: str) -> str:
    """Return pyproject.toml with the addresses of the repository that releases it."""
    if "urls" in tomllib.loads(settings)["project"]:
        raise SystemExit("release: pyproject.toml has [project.urls] already.")
    lines = {
        "Homepage": address,
        "Changelog": f"{address}/blob/main/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }
    table = "".join(f'{name} = "{place}"\n' for name, place in lines.items())
    return settings.replace("[project.scripts]\n", f"[project.urls]\n{table}\n[project.scripts]\n", 1)


def check(dist: Path) -> int:
    """Build a release, look at it and install it everywhere."""
    sdist, wheel = build(dist)
    print(f"built {wheel.name} ({wheel.stat().st_size / 1e6:.1f} MB) and {sdist.name}")
    try:
        tools = Installer(ROOT / ".venv-release")
        if not tools.has_package("twine"):
            tools.install("twine")
    except InstallError as error:
        print(f"release: twine cannot be installed: {str(error).splitlines()[-1]}")
        return CANNOT_TELL
    twine = [str(tools.python), "-m", "twine", "check", "--strict", str(sdist), str(wheel)]
    looked = subprocess.run(twine, check=False).returncode
    cases = [Case(*one) for one in itertools.product(PYTHONS, RESOLUTIONS, (wheel, sdist))]
    environment = {**os.environ, **uv_settings(pip_settings(str(tools.python)), os.environ)}
    verdicts = []
    for case in cases:
        with TemporaryDirectory(prefix="dtbench-release-") as folder:
            verdicts.append(tried(case, tools.uv, Path(folder), environment))
        print(line_of(verdicts[-1]), flush=True)
    if looked or any(one.problem and not one.missing for one in verdicts):
        return 1
    return CANNOT_TELL if any(one.missing for one in verdicts) else 0


def build(dist: Path) -> tuple[Path, Path]:
    """Build the sdist, and the wheel out of it, with what is installed here."""
    shutil.rmtree(dist, ignore_errors=True)
    sdist = _built(ROOT, "sdist", dist)
    with TemporaryDirectory() as folder, tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
        (tree,) = Path(folder).iterdir()
        return sdist, _built(tree, "wheel", dist)


def _built(tree: Path, kind: str, dist: Path) -> Path:
    code = f"import setuptools.build_meta as backend; print(backend.build_{kind}({str(dist)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"release: the {kind} cannot be built:\n{done.stderr}")
    return dist / done.stdout.splitlines()[-1]


def tried(case: Case, uv: str | None, folder: Path, environment: Mapping[str, str]) -> Verdict:
    """Install a release into a fresh environment, and have it answer, score and report."""
    if uv is None:
        return Verdict(case, "uv is needed for this, and cannot be had", missing=True)
    place = folder / "venv"
    made = _run([uv, "venv", "-q", "--no-python-downloads", "--python", case.python, place], folder, environment)
    if made:
        return Verdict(case, f"no interpreter here: {made}", missing=True)
    python, command = place / "bin" / "python", place / "bin" / "dtbench"
    # The oldest that has a wheel for this Python: nobody builds numpy.
    how = ["--resolution", RESOLUTIONS[case.dependencies], "--only-binary", ":all:"]
    if case.file.suffix != ".whl":
        how += ["--no-binary", "dtbench"]
    steps: Sequence[Sequence[str | Path]] = (
        [uv, "pip", "install", "-q", "--python", python, *how, case.file],
        [uv, "pip", "check", "-q", "--python", python],
        [command, *_QUESTIONS],
        [command, "score", "run"],
        [command, "report", "run"],
    )
    for words in steps:
        if problem := _run(words, folder, environment):
            return Verdict(case, f"{' '.join(map(str, words[:3]))}: {problem}")
    return Verdict(case, "")


def _run(words: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> str:
    """Return the last line of what a command said on stderr where it failed, else nothing."""
    own = {name: value for name, value in environment.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run([*map(str, words)], cwd=folder, env=own, capture_output=True, text=True, check=False)
    lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
    return lines[-1] if done.returncode else ""


def line_of(verdict: Verdict) -> str:
    """Return a row of the table."""
    kind = "wheel" if verdict.case.file.suffix == ".whl" else "sdist"
    end = "passed" if not verdict.problem else f"{'NOT TRIED' if verdict.missing else 'FAILED'}: {verdict.problem}"
    return f"Python {verdict.case.python}, {verdict.case.dependencies} dependencies, from the {kind}: {end}"


if __name__ == "__main__":
    sys.exit(main())
