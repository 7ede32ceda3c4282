from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import dtbench

ROOT = Path(__file__).resolve().parents[1]
LINKS = ROOT / ".src" / "dtbench"
NOT_PACKAGES = {"tests", "build", "dist"}
NEVER_PACKED = (ROOT / "docs", ROOT / "tests")
FORMS = ("clone", "clone without links", "zip", "sdist")
WEIGHTS = "models/mini/checkpoint/model.safetensors"
STRAY = ("build/lib/dtbench/gone.py", "dist/gone.py", "results/runs/own.py", "results/runs/mine/summary.json")
GIT = ("git", "-c", "user.name=dtbench", "-c", "user.email=dtbench@example.org", "-c", "commit.gpgsign=false")


def git(*arguments: str | Path) -> str:
    done = subprocess.run([*GIT, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def build(tree: Path, kind: str, out: Path) -> subprocess.CompletedProcess[str]:
    """Build as pip does, with what is installed and without a network."""
    code = f"import setuptools.build_meta as backend; backend.build_{kind}({str(out)!r})"
    return subprocess.run([sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=False)


def built(tree: Path, kind: str, out: Path) -> Path:
    """The one file that a build leaves in a folder."""
    done = build(tree, kind, out)
    assert done.returncode == 0, done.stderr
    (path,) = out.iterdir()
    return path


def content(wheel: Path) -> Mapping[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This tree as a commit, with changes that nobody has committed yet."""
    tree = tmp_path_factory.mktemp("repository") / "dtbench"
    kept_out = shutil.ignore_patterns(".git", ".venv*", ".*_cache", "*.egg-info", "__pycache__", "runs")

    def left_out(folder: str, names: list[str]) -> set[str]:
        deep = {name for name in names if Path(folder, name).is_dir()} if Path(folder) in NEVER_PACKED else set()
        return kept_out(folder, names) | deep  # half of all files lie there, and each is copied a dozen times

    shutil.copytree(ROOT, tree, symlinks=True, ignore=left_out)
    (tree / WEIGHTS).write_bytes(bytes(range(256)))  # packing 8 MB ten times is most of what these tests would take
    git("init", "--quiet", tree)
    git("-C", tree, "add", "--all")
    git("-C", tree, "commit", "--quiet", "--message", "this tree")
    return tree


@pytest.fixture(scope="module")
def trees(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The source in every form in which people get it, with what lies about where somebody works."""
    folder = tmp_path_factory.mktemp("trees")
    git("clone", "--quiet", repository, folder / "clone")
    git("-c", "core.symlinks=false", "clone", "--quiet", repository, folder / "text")
    git("-C", repository, "archive", "--format=zip", "--prefix=dtbench-main/", "-o", folder / "main.zip", "HEAD")
    with zipfile.ZipFile(folder / "main.zip") as archive:
        archive.extractall(folder)
    with tarfile.open(built(folder / "clone", "sdist", folder / "out")) as archive:
        archive.extractall(folder, filter="data")
    names = ("clone", "text", "dtbench-main", f"dtbench-{dtbench.__version__}")
    trees = {form: folder / name for form, name in zip(FORMS, names, strict=True)}
    for form in ("clone", "clone without links"):
        for stray in STRAY:
            (trees[form] / stray).parent.mkdir(parents=True, exist_ok=True)
            (trees[form] / stray).write_text("{}")
    return trees


@pytest.fixture(scope="module")
def wheels(trees: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The wheel of every form."""
    return {form: built(tree, "wheel", tmp_path_factory.mktemp("wheel")) for form, tree in trees.items()}


@pytest.fixture(scope="module")
def wheel(wheels: Mapping[str, Path]) -> Path:
    return wheels["clone"]


def package_folders() -> set[str]:
    """The top-level folders that hold code of ours."""
    shown = (folder for folder in ROOT.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    return {folder.name for folder in shown if folder.name not in NOT_PACKAGES and any(folder.rglob("*.py"))}


def test_every_package_folder_has_its_link_and_no_link_is_left_over() -> None:
    links = {path.name: path.readlink().as_posix() for path in LINKS.iterdir() if path.is_symlink()}
    assert links == {name: f"../../{name}" for name in package_folders()}


def test_every_package_folder_is_banned_under_its_bare_name() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    banned = settings["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    assert package_folders() <= set(banned)


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(repository: Path, wheel: Path) -> None:
    folders = sorted(package_folders())
    listed = git("-C", repository, "ls-files", "-z", *folders).split("\0")
    expected = {f"dtbench/{name}": repository / name for name in listed if name and not name.endswith(".md")}
    expected |= {f"dtbench/{name}": LINKS / name for name in ("__init__.py", "py.typed")}
    packed = {name: held for name, held in content(wheel).items() if ".dist-info/" not in name}
    assert packed.keys() == expected.keys()
    for name, held in packed.items():
        assert held == expected[name].read_bytes(), name
        if name.endswith(".json"):
            json.loads(held)
    assert f"dtbench/{WEIGHTS}" in packed


@pytest.mark.parametrize("form", FORMS[1:])
def test_the_same_wheel_comes_from_every_form_of_the_source(wheels: Mapping[str, Path], form: str) -> None:
    assert content(wheels[form]) == content(wheels["clone"])


def test_links_are_text_where_they_have_to_be(trees: Mapping[str, Path]) -> None:
    links = {form: [tree / ".src" / "dtbench" / name for name in package_folders()] for form, tree in trees.items()}
    kinds = {form: {link.is_dir() for link in paths} for form, paths in links.items()}
    assert kinds == {"clone": {True}, "clone without links": {False}, "zip": {False}, "sdist": {True}}


@pytest.mark.parametrize("form", FORMS)
def test_an_editable_install_of_every_form_imports(trees: Mapping[str, Path], tmp_path: Path, form: str) -> None:
    with zipfile.ZipFile(built(trees[form], "editable", tmp_path / "out")) as archive:
        archive.extractall(tmp_path / "site")
    names = ("harness.run.session", "models.backends", "results.board", "tasks.registry", "training.rewards")
    # The packages that dtbench needs, without the links of this environment: they would lead to this tree.
    code = f"""
import importlib, json, site, sys
site.addsitedir({str(tmp_path / "site")!r})
sys.path.extend({[path for path in sys.path if path.endswith("-packages")]!r})
print(json.dumps([importlib.import_module("dtbench." + name).__file__ for name in {names!r}]))
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(Path(file).is_relative_to(trees[form]) for file in json.loads(done.stdout))


@pytest.mark.parametrize(
    ("form", "lost"),
    [
        ("zip", "models"),
        ("zip", "harness/run/__init__.py"),
        ("clone", "tasks"),
        ("clone", "results/__init__.py"),
    ],
)
def test_a_tree_that_is_not_whole_refuses_to_build(
    trees: Mapping[str, Path], tmp_path: Path, form: str, lost: str
) -> None:
    gone = (trees[form] / lost).rename(trees[form].parent / "gone")
    try:
        done = build(trees[form], "wheel", tmp_path / "out")
    finally:
        gone.rename(trees[form] / lost)
    (told,) = [line for line in done.stderr.splitlines() if "dtbench" in line]
    assert (done.returncode, told.startswith("dtbench: "), list(tmp_path.glob("out/*.whl"))) == (1, True, [])
    missing = lost if lost.endswith(".py") else f"{lost}/__init__.py"
    assert f"{missing} is missing from this source tree" in told


def test_the_wheel_carries_the_licence_and_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        folder = f"dtbench-{dtbench.__version__}.dist-info"
        assert "Apache License" in archive.read(f"{folder}/licenses/LICENSE").decode()
        assert "dtbench = dtbench.harness.cli.main:main" in archive.read(f"{folder}/entry_points.txt").decode()


def test_the_command_runs_out_of_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    run = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from dtbench.harness.cli.main import main; main()"
    command = [sys.executable, "-c", run, "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["dtbench", dtbench.__version__], done.stderr


def test_the_installed_command_names_the_version_of_the_package() -> None:
    command = Path(sys.executable).with_name("dtbench")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["dtbench", dtbench.__version__]


def test_the_wheel_carries_a_bill_of_materials_of_what_it_depends_on(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = f"dtbench-{dtbench.__version__}.dist-info/sboms/dtbench.cdx.json"
        bill = json.loads(archive.read(name))
        record = archive.read(name.replace("sboms/dtbench.cdx.json", "RECORD")).decode()
    assert f"\n{name},sha256=" in record
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    own = bill["metadata"]["component"]
    assert (own["name"], own["version"], own["licenses"]) == (
        "dtbench",
        dtbench.__version__,
        [{"expression": "Apache-2.0"}],
    )
    for one in bill["components"]:
        assert one.keys() == {"type", "bom-ref", "name", "purl", "scope", "licenses", "properties"}
        assert (one["type"], one["purl"]) == ("library", f"pkg:pypi/{one['name']}")
        assert all(each.keys() == {"name", "value"} for each in one["properties"])
    by_name = {one["name"]: one for one in bill["components"]}
    assert len(by_name) == len(bill["components"])
    assert bill["dependencies"] == [{"ref": own["bom-ref"], "dependsOn": [f"pkg:pypi/{name}" for name in by_name]}]
    assert (by_name["soxr"]["scope"], by_name["torch"]["scope"], "pytest" in by_name) == ("required", "optional", False)
    assert by_name["soxr"]["licenses"] == [{"expression": "LGPL-2.1-or-later"}]
    assert by_name["torch"]["properties"][0] == {"name": "dtbench:bounds", "value": ">=2.6"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {name for name, one in by_name.items() if one["scope"] == "required"}
    assert len(required) == len(project["dependencies"])
