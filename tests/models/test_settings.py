from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from dtbench.models.checkpoints.checkpoint import OPTIONS
from dtbench.models.local.settings import LocalSettings
from dtbench.models.openai_client.model import OpenaiSettings
from dtbench.models.vllm.model import VllmSettings

README = Path(__file__).parents[2] / "models" / "README.md"


def documented() -> dict[str, tuple[str, str]]:
    """Setting -> its cells for servers and for --backend local, in the table of models/README.md."""
    table = README.read_text().partition("## Settings")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:3] == "| `"]
    return {name: (cells[1], cells[2]) for cells in rows for name in re.findall(r"`(\w+)`", cells[0])}


def test_the_readme_names_every_setting_of_models_and_no_other() -> None:
    fields = {
        field.name for kind in (VllmSettings, LocalSettings, OpenaiSettings) for field in dataclasses.fields(kind)
    }
    assert documented().keys() == fields | set(OPTIONS)


@pytest.mark.parametrize(("column", "kind", "figures"), [(0, VllmSettings, 4), (1, LocalSettings, 4)])
def test_the_figures_of_the_readme_are_the_defaults(column: int, kind: type[Any], figures: int) -> None:
    stated = {name: cells[column].partition(",")[0] for name, cells in documented().items()}
    stated = {name: text for name, text in stated.items() if text.isdigit()}
    defaults = {field.name: field.default for field in dataclasses.fields(kind)}
    assert stated == {name: f"{defaults[name]:g}" for name in stated}
    assert len(stated) == figures


def test_the_readme_says_of_each_setting_where_it_is_none() -> None:
    local = {field.name for field in dataclasses.fields(LocalSettings)} | set(OPTIONS)
    server = {field.name for field in dataclasses.fields(OpenaiSettings)} | {"start_timeout", *OPTIONS}
    told = {name: (cells[0] != "-", cells[1] != "-") for name, cells in documented().items()}
    assert told == {name: (name in server, name in local) for name in server | local}
