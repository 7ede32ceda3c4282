"""What each family of audio-language models needs; families.toml holds the facts, and a user's file adds to them."""

from __future__ import annotations

import dataclasses
import functools
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import UserError, did_you_mean

BACKENDS = ("vllm", "local", "endpoint")
_BUILT_IN = Path(__file__).with_name("families.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The facts of one family: a row of `dtbench models`, and a table of a file of families."""

    name: str
    """The short name, such as `qwen2-audio`."""
    title: str
    hub_id: str | None = None
    """The checkpoint that the short name stands for."""
    checkpoint: str | None = None
    """A folder that it stands for instead; in the built-in file beside that file, and so in the box."""
    architectures: tuple[str, ...] = ()
    """What `architectures` of its config.json says."""
    chain: tuple[str, ...] | None = None
    """The tags around its chain of thought; None where it writes none."""
    thinking: str = ""
    """How thinking is asked for."""
    rate: int = 16000
    limit_seconds: float | None = None
    sampling: Mapping[str, float | int] = field(default_factory=dict)
    """Defaults by the names of `-M`, where the checkpoint has no generation_config.json."""
    serve: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """Flags of `vllm serve`, with underscores and without dashes."""
    audio_part: str = "input_audio"
    """How the clip stands in a request: input_audio or audio_url."""
    backends: tuple[str, ...] = ("vllm", "local")
    """What can run it, the default first."""
    instead: str = ""
    """The way that remains where vLLM does not serve it."""
    url: str | None = None
    """The base of its API, for hosted ones."""
    model: str | None = None
    """Its name there."""
    licence: str = ""
    forced: bool = True
    """Whether it has tokens for letters, so that it can be held to one."""
    made_for: tuple[str, ...] = ()
    """The only tasks that it knows anything of; empty: any."""
    traps: tuple[str, ...] = ()
    proven: str = ""
    """What was run with it, and what came of it; empty where nothing was."""

    def settings(self) -> dict[str, Any]:
        """What -M of an endpoint would say: below what the user says."""
        return {
            **self.sampling,
            "rate": self.rate,
            "limit_seconds": self.limit_seconds,
            "audio_part": self.audio_part,
        }

    def flags(self) -> dict[str, str | bool]:
        """The flags of `vllm serve`, as its command line has them."""
        return {name: value if isinstance(value, bool) else str(value) for name, value in self.serve.items()}


@functools.cache
def known() -> Mapping[str, Family]:
    """Every built-in family by its short name."""
    return {name: _placed(family) for name, family in read(_BUILT_IN).items()}


def _placed(family: Family) -> Family:
    if family.checkpoint is None:
        return family
    return dataclasses.replace(family, checkpoint=str(_BUILT_IN.parents[1] / family.checkpoint))


def is_in_the_box(family: Family) -> bool:
    """Whether its weights came with dtbench."""
    return family.checkpoint is not None and known().get(family.name) == family


def out_of_scope(family: str | None, tasks: Iterable[str]) -> list[str]:
    """A line for each task that this family was not made for, where it was made for a few alone."""
    one = known().get(family or "")
    if one is None or not one.made_for:
        return []
    why = f"the model {one.name} knows the sounds and words of {one.made_for[0]} alone: a score here says nothing"
    return [f"{task}: {why}." for task in tasks if task not in one.made_for]


def get_family(name: str) -> Family:
    """The family of this name, or the only one of a TOML file."""
    if name.endswith(".toml"):
        return of_file(Path(name))
    if name not in known():
        raise UserError(f"-M family={name}: unknown. {did_you_mean(name, known())} Or a TOML file: family=mine.toml.")
    return known()[name]


def of_file(path: Path) -> Family:
    """The one family of a user's file."""
    found = read(path)
    if len(found) != 1:
        raise UserError(f"{path}: one family is expected, found {len(found)}: {', '.join(found) or 'none'}.")
    return next(iter(found.values()))


def of_architecture(architecture: str, called: str) -> Family | None:
    """The family of a checkpoint: of several with one class the one whose name it bears, else the first."""
    fits = [family for family in known().values() if architecture in family.architectures]
    low = called.lower()
    told = [one for one in fits if one.name in low or (one.hub_id or "/").rpartition("/")[2].lower() in low]
    return max(told or fits[:1], key=lambda one: len(one.name), default=None)


def read(path: Path) -> Mapping[str, Family]:
    """The families of a TOML file, a table each."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not TOML ({error}).") from None
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UserError(f"{path}: {name} stands in no table: a family begins with a line such as [my-model].")
    return {name: _family(path, name, table) for name, table in tables.items()}


def _family(path: Path, name: str, table: Mapping[str, Any]) -> Family:
    where = f"{path}: [{name}]"
    for key, value in table.items():
        if key not in _KINDS:
            raise UserError(f"{where}: unknown field {key!r}. {did_you_mean(key, _KINDS)}")
        if not _KINDS[key](value):
            raise UserError(f"{where}: {key} = {json.dumps(value, default=str)}: {_EXPECTED[key]} is expected.")
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Family(name=name, **({"title": name} | given))


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


_READERS: Mapping[str, tuple[Any, str]] = {
    "text": (lambda value: isinstance(value, str), "text"),
    "texts": (_is_texts, "a list of texts"),
    "number": (_is_number, "a number above 0"),
    "rate": (lambda value: isinstance(value, int) and 4000 <= value <= 192000, "a rate in Hz, such as 16000,"),
    "chain": (lambda value: _is_texts(value) and len(value) == 2, "a list of two tags"),
    "numbers": (
        lambda value: isinstance(value, dict) and all(isinstance(one, int | float) for one in value.values()),
        "a table of numbers",
    ),
    "flags": (
        lambda value: isinstance(value, dict) and all(isinstance(one, str | int | float) for one in value.values()),
        "a table of flags",
    ),
    "truth": (lambda value: isinstance(value, bool), "true or false"),
    "part": (lambda value: value in {"input_audio", "audio_url"}, "input_audio or audio_url"),
    "backends": (
        lambda value: _is_texts(value) and bool(value) and set(value) <= set(BACKENDS),
        f"a list of {', '.join(BACKENDS)}",
    ),
}
_FIELDS = {
    **dict.fromkeys(
        ("title", "hub_id", "checkpoint", "thinking", "instead", "url", "model", "licence", "proven"), "text"
    ),
    **dict.fromkeys(("architectures", "made_for", "traps"), "texts"),
    "chain": "chain",
    "rate": "rate",
    "limit_seconds": "number",
    "sampling": "numbers",
    "serve": "flags",
    "audio_part": "part",
    "forced": "truth",
    "backends": "backends",
}
_KINDS = {name: _READERS[kind][0] for name, kind in _FIELDS.items()}
_EXPECTED = {name: _READERS[kind][1] for name, kind in _FIELDS.items()}
