"""`-M help`: the settings that `-M` takes, for one model or for all."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from dtbench.harness.cli.help_pages import Row, column_of, page_width, section
from dtbench.harness.core.options import parse_pairs

if TYPE_CHECKING:
    from dtbench.models.settings_help import SettingsHelp

HELP = "help"


def print_settings(given: Mapping[str, Any]) -> None:
    """Print the settings of the model that the options of a command name."""
    from dtbench.models.settings_help import KINDS

    found = find_settings(given)
    if given.get("as_json"):
        typer.echo(json.dumps({"title": found.title, "settings": [one._asdict() for one in found.settings]}))
        return
    if not found.settings:
        typer.echo(f"{found.title}: none")
        return
    panels = {
        kind: [
            Row(f"{one.name}={one.value}", one.help, _shown(one.default)) for one in found.settings if one.kind == kind
        ]
        for kind in KINDS
    }
    typer.echo(f"{found.title}, each given as -M KEY=VALUE")
    column = column_of(row for rows in panels.values() for row in rows)
    for kind, rows in panels.items():
        for line in section(kind.capitalize(), rows, column):
            typer.echo(line)
    if found.note:
        typer.echo("\n" + textwrap.fill(found.note, page_width(), break_on_hyphens=False))


def _shown(default: str) -> str:
    return "[required]" if default == "required" else f"[default: {default}]" if default else ""


def find_settings(given: Mapping[str, Any]) -> SettingsHelp:
    """Return the settings of the model that the options of a command name, or those of all models."""
    from dtbench.models.settings_help import common_settings, endpoint_settings, model_settings

    options = parse_pairs([one for one in _texts(given.get("options")) if one != HELP])
    if given.get("base_url") is not None or "backend" not in given:  # a command that knows endpoints alone
        return endpoint_settings()
    if not given.get("model"):
        return common_settings()
    return model_settings(given["model"], options, given["backend"])


def _texts(options: Any) -> Sequence[str]:
    return options or ()
