"""The words of a task file's prompts: a template with the question, its options, and any field of the record."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import lay_out_options
from dtbench.tasks.declared.field_rules import heading_text, value_at

LAYOUTS = ("plain", "dotted", "angled", "inline", "list")
_MARK = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}\s:][^{}:]*)(?::(?P<layout>\w+))?\}")
_AUDIO = re.compile(r"audio [1-9][0-9]*")
OWN = ("question", "options")


def check_template(template: str, where: str) -> None:
    """Raise a UserError for a mark of a template that can be no field."""
    for mark in _MARK.finditer(template):
        layout = mark["layout"]
        if layout is not None and (mark["name"] != "options" or layout not in LAYOUTS):
            known = [f"options:{one}" for one in LAYOUTS]
            raise UserError(f"{where}: {mark[0]}: unknown layout. {did_you_mean(mark[0].strip('{}'), known)}")


def fill_template(template: str, sample: Sample) -> str:
    """Put a question into a template; `{audio 1}` stays, `{{` is a brace."""

    def fill(mark: re.Match[str]) -> str:
        name = mark["name"]
        if name is None:
            return mark[0][0]
        if _AUDIO.fullmatch(name):
            return mark[0]
        if name == "question":
            return sample.question
        if name == "options":
            return lay_out_options(sample.choices, mark["layout"])
        return heading_text(_field(sample, name)) or ""

    text = _MARK.sub(fill, template)
    return text if sample.choices else text.rstrip()


def _field(sample: Sample, name: str) -> Any:
    return sample.groups[name] if name in sample.groups else value_at(sample.item, name)


def refuse_absent_fields(template: str, item: Mapping[str, Any], groups: Collection[str], where: str) -> None:
    """Raise a UserError where a template names a field that the record, with its groups, does not have."""
    for mark in _MARK.finditer(template):
        name = mark["name"]
        if name is None or name in OWN or _AUDIO.fullmatch(name) or name in groups:
            continue
        if name not in item and name.split(".")[0] not in item:
            known = [*OWN, "audio 1", *groups, *(key for key in item if not key.startswith("@"))]
            raise UserError(f"{where}: {mark[0]}: no such field. {did_you_mean(name, known)}")
