"""The scorer that takes an answer out of a text by filters, one after the other, as lm-eval's tasks do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.schema import Mark, Sample, unscorable
from dtbench.harness.core.task import option_letter
from dtbench.harness.score.scorers.answer_part import NO_GOLD, even_out, gold_answers

Filter = Mapping[str, Any]
_KEYS: Mapping[str, Sequence[str]] = {
    "regex": ("group", "take"),
    "lower": (),
    "upper": (),
    "strip": (),
    "map": ("default",),
    "remove": (),
}
"""What a filter does, by its first key, and the keys that may stand beside it."""


def regex(  # noqa: PLR0913 - its options
    sample: Sample,
    text: str,
    *,
    pattern: str = "",
    group: int | str = 0,
    take: Literal["first", "last"] = "first",
    filters: Sequence[Filter] = (),
    even: bool = False,
    aliases: str = "",
) -> Mark:
    """Give full marks where what the filters leave of a text is a right answer, or the letter of the right option.

    `pattern` finds it, `group` is the part that counts (0: the first group, or all without one), `take` the first or
    the last match. `filters` go on from there: {regex, group, take}, {lower = true}, {upper = true}, {strip = " ."},
    {remove = "REGEX"}, {map = {yes = "Yes"}, default = "No"}, or lm-eval's own {function = "regex", ...}. With `even`,
    spelling is evened out as by `exact`.
    """
    golds = gold_answers(sample, aliases)
    if not golds:
        return unscorable(NO_GOLD)
    first = [{"regex": pattern, "group": group, "take": take}] if pattern else []
    steps = [*first, *filters]
    if not steps:
        raise UserError("scorer 'regex': it needs a pattern, or filters.")
    found: str | None = text
    for number, step in enumerate(steps, start=1):
        own = _own_form(step, number) if "function" in step else step
        found = found if own is None else _filtered(found or "", own, number)
        if found is None:
            return Mark(None, why=f"filter {number} finds nothing")
    if sample.answer in sample.choices:
        golds = [*golds, option_letter(sample.choices.index(sample.answer))]
    compared: Callable[[str], str] = even_out if even else str
    said = found or ""
    return Mark(float(compared(said) in {compared(gold) for gold in golds}), said, "filtered")


def _own_form(step: Filter, number: int) -> Filter | None:
    """Return a filter that is written as lm-eval writes it in ours; None for one that changes nothing here."""
    name = step["function"]
    if name == "regex":
        take = "last" if step.get("group_select", 0) == -1 else "first"
        return {"regex": step.get("regex_pattern", r"#### (\-?[0-9\.\,]+)"), "take": take}
    if name == "map":
        default = {"default": step["default_value"]} if "default_value" in step else {}
        return {"map": step.get("mapping_dict", {}), **default}
    forms: Mapping[str, Filter | None] = {
        "lowercase": {"lower": True},
        "uppercase": {"upper": True},
        "remove_whitespace": {"strip": True},
        "take_first": None,
    }
    if name not in forms:
        hint = did_you_mean(str(name), ["regex", "map", *forms])
        raise UserError(f"scorer 'regex', filter {number}: the function {name!r} is not known. {hint}")
    return forms[name]


def _filtered(text: str, step: Filter, number: int) -> str | None:
    """Return what a filter leaves; None where it finds nothing."""
    kind = next((name for name in _KEYS if name in step), None)
    odd = next((name for name in step if kind is None or (name != kind and name not in _KEYS[kind])), None)
    if kind is None or odd is not None:
        known = _KEYS if kind is None else (kind, *_KEYS[kind])
        hint = did_you_mean(str(odd), known)
        raise UserError(f"scorer 'regex', filter {number}: {odd!r} is not known. {hint}")
    value = step[kind]
    if kind == "regex":
        return _found(text, _compiled(value, number), step)
    if kind == "remove":
        return _compiled(value, number).sub("", text)
    if kind == "map":
        default = step.get("default")
        left: str = value.get(text, text if default is None else default)
        return left
    if kind == "strip":
        return text.strip() if value is True else text.strip(value)
    return text.lower() if kind == "lower" else text.upper()


def _found(text: str, pattern: re.Pattern[str], step: Filter) -> str | None:
    matches = list(pattern.finditer(text))
    if not matches:
        return None
    match = matches[-1 if step.get("take") == "last" else 0]
    group = step.get("group", 0) or (1 if pattern.groups else 0)
    try:
        return match[group]
    except IndexError:
        raise UserError(f"scorer 'regex': {pattern.pattern!r} has no group {group!r}.") from None


@lru_cache(maxsize=64)
def _compiled(pattern: str, number: int) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise UserError(f"scorer 'regex', filter {number}: {pattern!r} is no regular expression: {error}.") from None
