"""The words of `--prompt` and `--system`: given as they are, by a file, or by the name of an authors' prompt."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.run.plan import PromptForm
from dtbench.harness.run.planned_words import planned_words
from dtbench.harness.run.prompt_template import PROMPT_MARKS
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.selection import read_text
from dtbench.models.checkpoints.prompts import authors_prompts

_NAME = re.compile(r"[\w.-]+/[\w.-]+(/\w+)?")
_PATH = re.compile(r"[.~/]\S*|\S+\.(txt|md|jinja)")
_LONGEST_PATH = 255
PROMPT_PARTS = ("question", "options")
"""What a prompt has to say the place of, where the questions have it."""


class PromptWords(NamedTuple):
    """The words around a question."""

    template: str | None
    """None for the task's own."""
    system: str | None = None
    """The system prompt that belongs to them; None where they leave that open."""
    name: str = ""
    """The name of the authors' prompt that they are, if they are one."""


def is_prompt(text: str | Path) -> bool:
    """Whether it is a prompt itself, and no file or name of one: it says where something goes, or has several lines."""
    return isinstance(text, str) and ("\n" in text or PROMPT_MARKS.search(text) is not None)


def is_prompt_name(text: str | Path) -> bool:
    """Whether it is the name of an authors' prompt, and no file."""
    return str(text) in authors_prompts() and not Path(text).is_file()


def read_prompt(prompt: str | Path, needed: Collection[str] = PROMPT_PARTS) -> PromptWords:
    """Return a prompt by its name, from its file or as it is; it must say where the question and the options go."""
    if is_prompt_name(prompt):
        named = authors_prompts()[str(prompt)]
        return PromptWords(named.text.strip(), named.system, str(prompt))
    if _NAME.fullmatch(str(prompt)) and not Path(prompt).exists():
        known = did_you_mean(str(prompt), authors_prompts())
        raise UserError(f"--prompt {prompt}: there is no such file, and no prompt of this name. {known}")
    if not is_prompt(prompt) and "{" in str(prompt):
        raise UserError(f"--prompt {prompt}: there is no such file; write the prompt into one, and name that.")
    template = str(prompt).strip() if is_prompt(prompt) else read_text("--prompt", Path(prompt)).strip()
    marks = {mark["what"] for mark in PROMPT_MARKS.finditer(template)}
    missing = [f"{{{mark}}}" for mark in PROMPT_PARTS if mark in needed and mark not in marks]
    if missing:
        shown = "" if is_prompt(prompt) else f" {prompt}"
        raise UserError(f"--prompt{shown}: the prompt needs {' and '.join(missing)}; write each where it belongs.")
    return PromptWords(template)


def system_file(system: str, folder: Path = Path()) -> Path | None:
    """Return the file that a system prompt names, from a folder; None for words."""
    if "\n" in system or not 0 < len(system) <= _LONGEST_PATH:
        return None
    path = folder / Path(system).expanduser()
    return path if path.is_file() else None


def read_system(system: str) -> str:
    """Return a system prompt, from its file or as it is; an empty one means that there is none."""
    path = system_file(system)
    if path is not None:
        return read_text("--system", path).strip()
    if system and "\n" not in system and len(system) <= _LONGEST_PATH and Path(system).expanduser().is_dir():
        raise UserError(f"--system {system}: this is a folder; a text or a file is expected.")
    if _PATH.fullmatch(system):
        raise UserError(f"--system {system}: there is no such file; a text is given in quotes, such as 'Listen well.'.")
    return system.strip()


def prompt_form(request: RunRequest, needed: Collection[str] = PROMPT_PARTS) -> PromptForm:
    """Return the form of a run's prompts, with the words that its request names."""
    words = PromptWords(None) if request.prompt is None else read_prompt(request.prompt, needed)
    return PromptForm(
        words.template,
        request.audio,
        request.turns,
        request.seed,
        request.answer,
        words.system if request.system is None else read_system(request.system),
        think_budget=request.budget,
        prompt_name=words.name,
        order=request.order,
        words=planned_words(request),
    )
