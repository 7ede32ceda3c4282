"""What each family of audio-language models needs; families.toml holds the facts, and a user's file adds to them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.typed_settings import Condition, above, at_least, between, read_table, read_toml
from dtbench.harness.extract.chain_tags import ChainTags

Backend = Literal["vllm", "local", "endpoint"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
CHECKPOINT = "{checkpoint}"
"""Stands in a flag for the folder or hub id that is served."""
TRUST = "trust_remote_code"
"""Among the flags that a family needs, it says so and no more: a user allows it by -M."""
_BUILT_IN = Path(__file__).with_name("families.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleFacts:
    """What a family needs for one style of answer, over what it needs for all."""

    sampling: Mapping[str, int | float] = field(default_factory=dict)
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The facts of one family: a row of `dtbench models`, and a table of a file of families."""

    name: str
    """The short name, such as `qwen2-audio`; the name of its table."""
    title: str
    hub_id: str | None = None
    """The checkpoint that the short name stands for."""
    hub_ids: tuple[str, ...] = ()
    """Other releases to which all of this applies."""
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
    """Defaults by the names of `-M`; they stand before the checkpoint's generation_config.json."""
    direct: StyleFacts = field(default_factory=StyleFacts)
    """What else holds for --answer direct and forced, such as a switch that turns thinking off."""
    think: StyleFacts = field(default_factory=StyleFacts)
    """What else holds for --answer think, such as a switch that turns thinking on."""
    thinking_budget: str | None = None
    """The field of a request that limits the tokens of a chain, with dots for fields within fields."""
    system: str | None = None
    """The system prompt that its authors use."""
    chat_template: str | None = None
    """A chat template in place of the checkpoint's: a file beside this one, or the template itself."""
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Variables of its chat template."""
    stop: tuple[str, ...] = ()
    """Texts at which an answer ends."""
    stop_token_ids: tuple[int, ...] = ()
    """Tokens at which an answer ends, where the checkpoint does not say so itself."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the request body."""
    seed: bool | None = None
    """Whether its API takes a seed; None where its host decides."""
    serve: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """Flags of `vllm serve`, with underscores and without dashes; `{checkpoint}` stands for what is served."""
    reasoning_parser: str | None = None
    """The parser by which vLLM sends its chains apart from its answers."""
    audio_part: Literal["input_audio", "audio_url"] | None = None
    """How a request carries the clip; None as its host takes it."""
    stereo: bool | None = None
    """Whether it hears channels apart; None where nobody knows: an engine that is started here gets one."""
    clips_per_prompt: Annotated[int, at_least(1)] | None = None
    """The most clips that a prompt may have; None for any number."""
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
    price_in: Annotated[float, at_least(0)] | None = None
    """US dollars per million input tokens there."""
    price_out: Annotated[float, at_least(0)] | None = None
    """US dollars per million output tokens there."""
    price_audio: Annotated[float, at_least(0)] | None = None
    """US dollars per million input tokens that are sound, where they cost more than others."""
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
    source: tuple[str, ...] = ()
    """Where its facts are from: pages, papers, or files of an engine."""

    def settings(self, style: str = "direct") -> dict[str, Any]:
        """Return its defaults for the settings of requests, for a style of answer; those of a user take precedence."""
        own = self.think if style == "think" else self.direct
        given = {
            **self.sampling,
            **own.sampling,
            "rate": self.rate,
            "limit_seconds": self.limit_seconds,
            "audio_part": self.audio_part,
            "chain": self.chain,
            "system": self.system if own.system is None else own.system,
            "chat_template": self.chat_template,
            "chat_template_kwargs": {**self.chat_template_kwargs, **own.chat_template_kwargs} or None,
            "stop": list(self.stop) or None,
            "stop_token_ids": list(self.stop_token_ids) or None,
            "extra": dict(self.extra) or None,
            "send_seed": self.seed,
            "think_budget_field": self.thinking_budget,
            "price_in": self.price_in,
            "price_out": self.price_out,
            "price_audio": self.price_audio,
        }
        return {name: value for name, value in given.items() if value is not None}

    @property
    def known_ids(self) -> Sequence[str]:
        """Return the hub ids of all its releases."""
        return [*([] if self.hub_id is None else [self.hub_id]), *self.hub_ids]

    def thinks(self, style: str) -> bool:
        """Whether a chain of thought is to be expected in answers of this style."""
        return style == "think" or (style == "direct" and self.chain is not None and not self.has_switch)

    @property
    def has_switch(self) -> bool:
        """Whether its thinking can be turned on and off."""
        return self.think.chat_template_kwargs != self.direct.chat_template_kwargs

    @property
    def needs_code(self) -> bool:
        """Whether vLLM needs code of its repository, which only a user may allow."""
        return self.serve.get(TRUST) is True

    def flags(self, source: str) -> dict[str, str | bool]:
        """Return its flags of `vllm serve` for this checkpoint of it, for a command line; leave trust to the user."""
        own = {"chat_template": self.chat_template, "reasoning_parser": self.reasoning_parser}
        flags: dict[str, str | bool] = {name: value for name, value in own.items() if value is not None}
        for name, value in self.serve.items():
            if name == TRUST:
                continue
            flags[name] = value if isinstance(value, bool) else str(value).replace(CHECKPOINT, source)
        return flags


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
    lengths = {family.name: max((len(name) for name in _names(family) if name in low), default=0) for family in fits}
    named = [family for family in fits if lengths[family.name]]
    return max(named or fits[:1], key=lambda family: lengths[family.name], default=None)


def _names(family: Family) -> Iterable[str]:
    """Yield what a checkpoint of it may be called, in lower case."""
    yield family.name
    for hub_id in family.known_ids:
        yield hub_id.rpartition("/")[2].lower()


def load_families(path: Path) -> Mapping[str, Family]:
    """Load the families of a TOML file, a table each."""
    tables = read_toml(path)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UserError(f"{path}: {name} is outside any table: a family begins with a line such as [my-model].")
    families = {
        name: read_table(Family, {"title": name, **table, "name": name}, f"{path}: [{name}]")
        for name, table in tables.items()
    }
    return {name: _with_template(family, path) for name, family in families.items()}


def _with_template(family: Family, path: Path) -> Family:
    """Give a family whose chat template is a file the path of that."""
    template = family.chat_template
    if template is None or "{" in template:
        return family
    file = path.parent / Path(template).expanduser()
    if not file.is_file():
        raise UserError(f"{path}: [{family.name}]: chat_template = {template!r}: there is no such file.")
    return dataclasses.replace(family, chat_template=str(file.resolve()))
