"""What is known of hosts of models: how each takes requests and keys; hosts.toml holds the facts."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.typed_settings import between, read_table, read_toml
from dtbench.models.endpoint.form import LOGPROBS, STRUCTURE, Longest, RequestForm, Structure
from dtbench.models.endpoint.settings import EndpointSettings
from dtbench.models.endpoint.wire import AudioPart

_BUILT_IN = Path(__file__).with_name("hosts.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The facts of one host: a row of `dtbench models hosts`, and a table of a file of hosts."""

    name: str
    """The name of its table, for `-M host=NAME`."""
    title: str
    ends: tuple[str, ...] = ()
    """Host names of its URLs, or how they end."""
    owners: tuple[str, ...] = ()
    """Values of `owned_by` in its list of models, for servers that run anywhere."""
    url: str = ""
    """The base of its API, as an example."""
    seed: str = "seed"
    """The field of the seed; empty where it takes none."""
    seed_bits: Annotated[int, between(8, 64)] = 64
    """A seed is cut to so many bits."""
    audio_part: AudioPart = "input_audio"
    """How a request carries the clip."""
    longest: Longest = "max_tokens"
    """The field of the longest answer."""
    stream: bool = False
    """Whether answers are streamed."""
    structure: Structure = "structured_outputs"
    """The field that constrains an answer to one letter."""
    logprobs: bool = True
    """Whether it is asked for log-probabilities."""
    continues: bool = False
    """Whether it goes on with a last message of the assistant, by `continue_final_message`."""
    key_variables: tuple[str, ...] = ()
    """Variables of the environment with its key, in order."""
    key_header: str = "authorization"
    """The header of the key, which is a Bearer token in `authorization` alone."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers; `${NAME}` is a variable of the environment."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the query string of every request."""
    notes: tuple[str, ...] = ()
    """What a user has to know."""

    def form(self, settings: EndpointSettings) -> RequestForm:
        """Return the form of requests to it; settings of the user take precedence."""
        sends = bool(self.seed) if settings.send_seed is None else settings.send_seed
        asks = {STRUCTURE} if self.structure != "none" else set()
        return RequestForm(
            seed=(self.seed or "seed") if sends else None,
            seed_bits=self.seed_bits,
            audio_part=settings.audio_part or self.audio_part,
            longest="max_completion_tokens" if settings.max_completion_tokens is not None else self.longest,
            stream=self.stream if settings.stream is None else settings.stream,
            structure=self.structure,
            asks=frozenset(asks | ({LOGPROBS} if self.logprobs else set())),
        )


UNKNOWN_HOST = Host(name="", title="any other endpoint", key_variables=("OPENAI_API_KEY",))
"""What an endpoint is taken for that no table describes: its first question tells the rest."""


@functools.cache
def built_in_hosts() -> Mapping[str, Host]:
    """Return every built-in host by its name."""
    return load_hosts(_BUILT_IN)


def key_variables() -> Mapping[str, str]:
    """Return the variables of the environment that have the keys of hosts, with whose they are."""
    hosts = reversed([*built_in_hosts().values()])  # the first one with a variable is whose it is
    return {name: host.title for host in hosts for name in host.key_variables}


def load_hosts(path: Path) -> Mapping[str, Host]:
    """Load the hosts of a TOML file, a table each."""
    tables = read_toml(path)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UserError(f"{path}: {name} is outside any table: a host begins with a line such as [my-host].")
    return {
        name: read_table(Host, {"title": name, **table, "name": name}, f"{path}: [{name}]")
        for name, table in tables.items()
    }


def get_host(name: str) -> Host:
    """Return the host of this name, or the only one of a TOML file."""
    if name.endswith(".toml"):
        hosts = load_hosts(Path(name))
        if len(hosts) != 1:
            raise UserError(f"{name}: one host is expected, found {len(hosts)}: {', '.join(hosts) or 'none'}.")
        return next(iter(hosts.values()))
    if name not in built_in_hosts():
        raise UserError(
            f"-M host={name}: unknown. {did_you_mean(name, built_in_hosts())} Or a TOML file: host=mine.toml."
        )
    return built_in_hosts()[name]


def host_of_urls(names: Sequence[str], chosen: str | None) -> Host:
    """Return the host that is chosen, else the one that all these host names belong to, else UNKNOWN_HOST."""
    if chosen is not None:
        return get_host(chosen)
    found = {_by_name(name.lower().rstrip(".")) for name in names}
    if len(found) > 1:
        titles = " and ".join(sorted(name or "an unknown one" for name in found))
        raise UserError(
            f"the endpoints belong to different hosts ({titles}), which need different requests: name one of them."
        )
    return built_in_hosts().get(found.pop(), UNKNOWN_HOST)


def host_of_owner(owner: str | None) -> Host | None:
    """Return the server whose list of models names this owner."""
    return next((host for host in built_in_hosts().values() if owner in host.owners), None)


def _by_name(name: str) -> str:
    for host in built_in_hosts().values():
        if any(name == end or name.endswith(f".{end}") for end in host.ends):
            return host.name
    return ""
