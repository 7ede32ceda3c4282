"""What each family of audio-language models needs; families.toml holds the facts, and a user's file adds to them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.typed_settings import Condition, above, between, read_table, read_toml
from dtbench.harness.extract.chain_tags import ChainTags

Backend = Literal["vllm", "local", "endpoint"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
_BUILT_IN = Path(__file__).with_name("families.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The facts of one family: a row of `dtbench models`, and a table of a file of families."""

    name: str
    """The short name, such as `qwen2-audio`; the name of its table."""
    title: str
    hub_id: str | None = None
    """The checkpoint that the short name stands for."""
    checkpoint: str | None = None
    """A folder that it stands for instead; in the built-in file relative to models/."""
    architectures: tuple[str, ...] = ()
    """Values of `architectures` in its config.json."""
    chain: ChainTags | None = None
    """The tags around its chain of thought, by which its answers are read; None where it has none of its own."""
    thinking: str = ""
    """How thinking is requested."""
    rate: Annotated[int, between(4000, 192000)] = 16000
    limit_seconds: Annotated[float, above(0)] | None = None
    sampling: Mapping[str, int | float] = field(default_factory=dict)
    """Defaults by the names of `-M`, where the checkpoint has no generation_config.json."""
    serve: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """Flags of `vllm serve`, with underscores and without dashes."""
    audio_part: Literal["input_audio", "audio_url"] = "input_audio"
    """How a request carries the clip."""
    backends: Annotated[tuple[Backend, ...], Condition(bool, f"one or more of {', '.join(BACKENDS)}")] = (
        "vllm",
        "local",
    )
    """What can run it, the default first."""
    instead: str = ""
    """What remains where vLLM does not serve it."""
    url: str | None = None
    """The base of its API, for hosted ones."""
    model: str | None = None
    """Its name at that API."""
    adapter: str | None = None
    """The folder within its checkpoint, or `.`, of the LoRA adapter that is on where a prompt has a clip."""
    licence: str = ""
    forced: bool = True
    """Whether it has tokens for letters, so that an answer can be constrained to one."""
    made_for: tuple[str, ...] = ()
    """The only tasks that it knows anything of; empty: any."""
    traps: tuple[str, ...] = ()
    """What a user has to know before running it."""
    proven: str = ""
    """What was run with it, and the result; empty where nothing was."""

    def settings(self) -> dict[str, Any]:
        """Return its defaults for the settings of an endpoint; those of a user take precedence."""
        return {
            **self.sampling,
            "rate": self.rate,
            "limit_seconds": self.limit_seconds,
            "audio_part": self.audio_part,
            "chain": self.chain,
        }

    def flags(self) -> dict[str, str | bool]:
        """Return its flags of `vllm serve`, for a command line."""
        return {name: value if isinstance(value, bool) else str(value) for name, value in self.serve.items()}


@functools.cache
def built_in_families() -> Mapping[str, Family]:
    """Return every built-in family by its short name."""
    families = load_families(_BUILT_IN)
    placed = {
        name: dataclasses.replace(family, checkpoint=str(_BUILT_IN.parents[1] / family.checkpoint))
        for name, family in families.items()
        if family.checkpoint is not None
    }
    return {**families, **placed}


def is_bundled(family: Family) -> bool:
    """Whether its weights came with dtbench."""
    return family.checkpoint is not None and built_in_families().get(family.name) == family


def out_of_scope(family: str | None, tasks: Iterable[str]) -> list[str]:
    """Return a warning for each task outside those that the family was made for."""
    facts = None if family is None else built_in_families().get(family)
    if facts is None or not facts.made_for:
        return []
    why = f"the model {facts.name} was trained only on {facts.made_for[0]}, so its score here is meaningless"
    return [f"{task}: {why}." for task in tasks if task not in facts.made_for]


def get_family(name: str) -> Family:
    """Return the family of this name, or the only one of a TOML file."""
    if name.endswith(".toml"):
        return load_family(Path(name))
    if name not in built_in_families():
        raise UserError(
            f"-M family={name}: unknown. {did_you_mean(name, built_in_families())} Or a TOML file: family=mine.toml."
        )
    return built_in_families()[name]


def load_family(path: Path) -> Family:
    """Load the one family of a user's file."""
    families = load_families(path)
    if len(families) != 1:
        listed = ", ".join(families) or "none"
        raise UserError(f"{path}: one family is expected, found {len(families)}: {listed}.")
    return next(iter(families.values()))


def family_of_architecture(architecture: str, called: str) -> Family | None:
    """Return the family of this architecture: of several the one whose name is part of `called`, else the first."""
    fits = [family for family in built_in_families().values() if architecture in family.architectures]
    low = called.lower()
    named = [each for each in fits if each.name in low or (each.hub_id or "/").rpartition("/")[2].lower() in low]
    return max(named or fits[:1], key=lambda family: len(family.name), default=None)


def load_families(path: Path) -> Mapping[str, Family]:
    """Load the families of a TOML file, a table each."""
    tables = read_toml(path)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UserError(f"{path}: {name} is outside any table: a family begins with a line such as [my-model].")
    return {
        name: read_table(Family, {"title": name, **table, "name": name}, f"{path}: [{name}]")
        for name, table in tables.items()
    }
