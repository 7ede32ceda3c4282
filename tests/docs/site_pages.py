"""The pages of the site: those of docs/, the READMEs of the folders, a notebook, and what is made from the code.

A page lies where a reader of the repository expects it, with links that lead somewhere there. Here each becomes a page
of the site, with the same links: MkDocs knows files of docs/ alone.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from command_pages import commands_text
from folder_pages import folder_text
from python_pages import python_text

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FOLDERS = ("harness", "models", "tasks", "training", "results")
UNSEARCHED = ("house/changelog.md", "house/training/log.md", "house/results/leaderboard.md", "house/agents.md")
"""Long lists, which would stand before the page that a reader looks for."""
SINGLE = ("AGENTS.md", "CHANGELOG.md", "results/LEADERBOARD.md", "training/LOG.md")
MADE: Mapping[str, Callable[[], str]] = {
    "commands": commands_text,
    "python": python_text,
    "run-folder": folder_text,
}
"""What `<!-- made from the code: NAME -->` stands for."""
_MARK = re.compile(r"<!-- made from the code: ([\w-]+) -->")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


@functools.cache
def pages() -> Mapping[str, Path]:
    """Return the file of each page by its place in the site."""
    found = {path.relative_to(DOCS).as_posix(): path for path in sorted(DOCS.rglob("*.md"))}
    found |= {path.relative_to(DOCS).with_suffix(".md").as_posix(): path for path in sorted(DOCS.rglob("*.ipynb"))}
    readmes = [
        path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("README.md")) if "runs" not in path.parts
    ]
    found |= {f"house/{path.parent.relative_to(ROOT).as_posix()}/index.md": path for path in readmes}
    return found | {f"house/{name.lower()}": ROOT / name for name in SINGLE}


def placed(navigation: Sequence[Any]) -> Iterator[str]:
    """Yield every page that the navigation of mkdocs.yml names, in order."""
    for entry in navigation:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else placed(value)


def unplaced(navigation: Sequence[Any]) -> Sequence[str]:
    """Return the READMEs of folders that the navigation does not name: they stand at its end."""
    named = set(placed(navigation))
    return [place for place in pages() if place.startswith("house/") and place not in named]


@functools.cache
def site_text(place: str) -> str:
    """Return a page as the site has it."""
    path = pages()[place]
    text = notebook_text(path) if path.suffix == ".ipynb" else path.read_text(encoding="utf-8")
    text = _MARK.sub(lambda found: MADE[found[1]](), text)
    parts = _FENCE.split(text)
    head = "---\nsearch:\n  exclude: true\n---\n\n" if place in UNSEARCHED else ""
    return head + "".join(part if number % 2 else _for_site(part, path, place) for number, part in enumerate(parts))


def notebook_text(path: Path) -> str:
    """Return the cells of a notebook, its code in fences."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    parts = [("".join(cell["source"]), cell["cell_type"]) for cell in cells]
    texts = [f"```python\n{source}\n```" if kind == "code" else source for source, kind in parts]
    return "\n\n".join([*texts, f"The notebook itself: [{path.name}]({path.name}).", ""])


def _for_site(text: str, path: Path, place: str) -> str:
    text = "\n".join(_cells(line) for line in text.split("\n"))
    return LINK.sub(lambda found: _link(found, path, place), text)


def _cells(line: str) -> str:
    """Take the backslash before a bar within code: GitHub needs it in a table, and the site would show it."""
    return re.sub(r"`[^`]*`", lambda code: code[0].replace("\\|", "|"), line) if line.startswith("|") else line


def _link(found: re.Match[str], path: Path, place: str) -> str:
    """Return a link as it leads to a page of the site; its words alone where the site has none, as of a source file."""
    image, words, target = found.groups()
    if "://" in target or target.startswith("#"):
        return found[0]
    file, hash_sign, anchor = target.partition("#")
    inner = place_of((path.parent / file).resolve())
    if inner is None:
        return words
    relative = Path(os.path.relpath(inner, Path(place).parent)).as_posix()
    return f"{image}[{words}]({relative}{hash_sign}{anchor})"


def place_of(path: Path) -> str | None:
    """Return where the site has a file of the repository; of a folder, where its README is."""
    file = path / "README.md" if path.is_dir() else path
    if file in _places():
        return _places()[file]
    return file.relative_to(DOCS).as_posix() if file.is_file() and file.is_relative_to(DOCS) else None


@functools.cache
def _places() -> Mapping[Path, str]:
    return {path: place for place, path in pages().items() if path.suffix == ".md"}


@functools.cache
def anchors(place: str) -> list[str]:
    """Return the anchors of a page's headings, as the site and GitHub make them."""
    seen: dict[str, int] = {}
    found = []
    for title in re.findall(r"^#{1,6} +(.+?)$", _FENCE.sub("", site_text(place)), re.MULTILINE):
        plain = LINK.sub(lambda link: link[2], title)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
        found.append(f"{slug}_{seen[slug]}" if slug in seen else slug)
        seen[slug] = seen.get(slug, 0) + 1
    return found
