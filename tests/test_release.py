"""A release: what its workflow does and may do, when it is ready, and what an image for GPUs holds."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import release
import yaml
from release import RESOLUTIONS, ROOT, Case, problems_of, sections, tried, version_of, with_urls

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def used(job: Any) -> list[str]:
    return [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step]


def test_the_workflow_checks_before_it_publishes_and_publishes_what_was_checked() -> None:
    flow: Any = yaml.safe_load(WORKFLOW.read_text())
    assert flow[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads the key `on` so
    build, publish = flow["jobs"]["build"], flow["jobs"]["publish"]
    assert [step["run"] for step in build["steps"] if "run" in step] == [
        'python3 tests/setup/release.py ready "$GITHUB_REF_NAME"',
        'python3 tests/setup/release.py urls "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY"',
        "make release-check",
    ]
    (setup,) = (step for step in build["steps"] if step.get("uses", "").startswith("actions/setup-python@"))
    assert setup["with"]["python-version"].split() == list(release.PYTHONS)
    assert publish["needs"] == "build"
    assert used(publish) == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]
    assert publish["steps"][0]["with"] == {"name": "dist", "path": "dist/"}
    (kept,) = (step["with"] for step in build["steps"] if step.get("uses", "").startswith("actions/upload-artifact@"))
    assert (kept["name"], kept["path"]) == ("dist", "dist/")


def test_the_workflow_has_no_secret_and_only_publishing_may_identify_itself() -> None:
    flow: Any = yaml.safe_load(WORKFLOW.read_text())
    assert "secrets" not in WORKFLOW.read_text()
    assert flow["permissions"] == {"contents": "read"}
    assert "permissions" not in flow["jobs"]["build"]
    assert flow["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert flow["jobs"]["publish"]["environment"] == "pypi"


def tree(folder: Path, changelog: str) -> Path:
    package = folder / ".src" / "dtbench"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('__version__ = "1.2.0"\n')
    (folder / "CHANGELOG.md").write_text(changelog)
    return folder


@pytest.mark.parametrize(
    ("tag", "changelog", "why"),
    [
        ("v1.2.0", "## Unreleased\n\n## 1.2.0\n\n- One.\n", []),
        ("v1.2.0", "## 1.2.0, 30 November 2026\n\n- One.\n\n## 1.1.0\n\n- Zero.\n", []),
        (
            "1.2.0",
            "## 1.2.0\n\n- One.\n",
            ["the tag is 1.2.0, .src/dtbench/__init__.py says 1.2.0: v1.2.0 is expected."],
        ),
        ("v1.2.0", "## 1.1.0\n\n- Zero.\n", ["CHANGELOG.md says nothing under '## 1.2.0'."]),
        (
            "v1.2.0",
            "## Unreleased\n\n- Two,\n  in lines.\n- Three.\n\n## 1.2.0\n\n- One.\n",
            ["CHANGELOG.md has 2 sentences under '## Unreleased': they belong under a version."],
        ),
    ],
)
def test_a_tag_is_ready_where_version_and_changelog_agree(
    tmp_path: Path, tag: str, changelog: str, why: list[str]
) -> None:
    assert problems_of(tag, tree(tmp_path, changelog)) == why


def test_the_changelog_has_a_section_of_this_version_and_the_package_says_which_that_is() -> None:
    found = sections((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert next(name for name in found if name != release.UNRELEASED) == version_of(ROOT)
    assert found[version_of(ROOT)].startswith("- ")


def test_addresses_are_those_of_the_repository_that_releases_and_nothing_else_changes() -> None:
    before = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    after = tomllib.loads(with_urls(before, "https://forge.example/someone/dtbench"))
    assert after["project"].pop("urls") == {
        "Homepage": "https://forge.example/someone/dtbench",
        "Changelog": "https://forge.example/someone/dtbench/blob/main/CHANGELOG.md",
        "Issues": "https://forge.example/someone/dtbench/issues",
    }
    assert after == tomllib.loads(before)


def test_the_versions_of_python_that_are_named_are_those_that_are_tried() -> None:
    named = [one.rpartition(" ")[2] for one in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", one)]
    assert named == list(release.PYTHONS)
    assert PROJECT["requires-python"] == f">={release.PYTHONS[0]}"
    assert set(RESOLUTIONS.values()) == {"lowest-direct", "highest"}


def test_a_python_that_is_not_there_is_not_taken_for_a_failure(tmp_path: Path) -> None:
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if uv is None:
        pytest.skip("uv is not installed")
    verdict = tried(Case("3.99", "oldest", tmp_path / "none.whl"), uv, tmp_path, os.environ)
    assert verdict.missing
    assert "3.99" in release.line_of(verdict)
    assert "NOT TRIED" in release.line_of(verdict)


def test_an_image_has_extras_that_there_are_and_nothing_that_git_ignores() -> None:
    lines = (ROOT / "Containerfile").read_text(encoding="utf-8")
    (extras,) = re.findall(r"/tmp/dtbench\[(.*?)\]", lines)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    (python,) = re.findall(r"^FROM python:([\d.]+)-slim$", lines, re.MULTILINE)
    assert python in release.PYTHONS
    assert lines.rstrip().endswith('ENTRYPOINT ["dtbench"]')
    left_out = [line.removeprefix("**/") for line in (ROOT / ".dockerignore").read_text().splitlines()[1:]]
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line]
    assert [one for one in ignored if not any(fnmatch(one, pattern) for pattern in left_out)] == []
