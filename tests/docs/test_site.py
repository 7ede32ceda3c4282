"""The site of docs/, without building it: its navigation, its links and anchors, and what is made from the code."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from site_pages import DOCS, LINK, ROOT, anchors, pages, place_of, placed, site_text, unplaced

import dtbench
from dtbench.harness.cli.help_texts import EXAMPLES
from dtbench.harness.store.json_schemas import KINDS


class Settings(yaml.SafeLoader):  # type: ignore[misc]
    """YAML in which a function of Python may be named, as MkDocs has it."""


Settings.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)


def test_each_page_stands_once_in_the_navigation() -> None:
    navigation: Any = yaml.load((ROOT / "mkdocs.yml").read_text(), Settings)["nav"]
    named = [*placed(navigation), *unplaced(navigation)]
    assert sorted(named) == sorted(pages()), "a new page of docs/ needs its line under `nav` of mkdocs.yml"


def test_a_readme_that_nobody_placed_stands_at_the_end_of_the_navigation() -> None:
    others = [{"All": [{"page": place} for place in pages() if place != "house/harness/index.md"]}]
    assert unplaced(others) == ["house/harness/index.md"]


def dead_links(place: str) -> Iterator[str]:
    """Each link of a page that leads nowhere in the site."""
    for _, _, target in LINK.findall(site_text(place)):
        file, _, anchor = target.partition("#")
        other = os.path.normpath(Path(place).parent / file) if file else place
        if "://" in target or (other not in pages() and (DOCS / other).is_file()):
            continue
        if other not in pages() or (anchor and anchor not in anchors(other)):
            yield f"{place}: {target}"


def test_links_and_anchors_of_all_pages_lead_somewhere() -> None:
    assert [link for place in pages() for link in dead_links(place)] == []


def test_a_link_to_a_folder_or_its_readme_leads_to_the_page_of_both() -> None:
    assert place_of(ROOT / "harness" / "judge") == "house/harness/judge/index.md"
    assert place_of(ROOT / "training" / "README.md") == "house/training/index.md"
    assert place_of(DOCS / "ci" / "nightly-cpu.yml") == "ci/nightly-cpu.yml"
    assert place_of(ROOT / "harness" / "core" / "task.py") is None
    assert "[models](../models/index.md)" in site_text("house/harness/index.md")


def test_the_notebook_is_a_page_with_its_code() -> None:
    text = site_text("three_runs.md")
    assert text.startswith("# Three runs: a table, a picture and a page")
    assert 'dtbench.report(runs, "report.html"' in text.partition("```python")[2]


def test_the_page_of_commands_has_each_command_with_its_options() -> None:
    text = site_text("reference/commands.md")
    assert {f"dtbench-{path.replace(' ', '-')}" for path in EXAMPLES if path} <= set(anchors("reference/commands.md"))
    run = text.partition("\n## dtbench run\n")[2].partition("\n## ")[0]
    assert "| `--limit` `N` | Only the first N questions of each benchmark. | `all` |" in run
    assert re.search(r"^\| `--seed` `SEED` \| .+ \| `0` \|$", run, re.MULTILINE)
    assert "| 3 | failure of network, disk or engine, or more failed questions than --max-failed |" in run


def test_the_page_of_python_has_each_public_name_with_what_it_does() -> None:
    text = site_text("reference/python.md")
    headings = set(re.findall(r"^### (\S+)$", text, re.MULTILINE)) | set(
        re.findall(r"^\| `dtbench\.(\w+)`", text, re.MULTILINE)
    )
    assert headings >= set(dtbench.__all__)
    assert "dtbench.load(path: str | PathLike[str]) -> Run" in text
    assert re.search(r"^\| `limit` \| `--limit` \| .+ \|$", text, re.MULTILINE)


def test_the_page_of_the_run_folder_has_each_schema_and_what_its_fields_are() -> None:
    text = site_text("reference/run-folder.md")
    assert set(KINDS) <= set(anchors("reference/run-folder.md"))
    assert "| `tasks` | object of [TaskInfo](#run-taskinfo) |  | What the last start asked for, in its order. |" in text
