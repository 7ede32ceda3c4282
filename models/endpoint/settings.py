"""Settings of an endpoint, by `-M key=value`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.price import Price
from dtbench.harness.core.typed_settings import at_least, between, check_settings
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.models.endpoint.secret_values import check_header_name, refuse_written_secret
from dtbench.models.endpoint.wire import AudioPart

SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "max_tokens",
    "max_completion_tokens",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "n",
)
OF_A_HOST = ("host", "headers", "query", "key_variable")
"""Settings that mean nothing for a server that dtbench starts itself."""

_STOPS = ("stop", "stop_token_ids")
_VARIABLES = "chat_template_kwargs"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """The settings of requests to an endpoint, which decides on each sampling field that is None."""

    model: str | None = None
    """The name of the model at the endpoint; not needed where it serves only one."""
    temperature: Annotated[float, at_least(0)] | None = None
    """Sampling temperature; 0 takes the likeliest token."""
    top_p: Annotated[float, between(0, 1)] | None = None
    """Sample from the likeliest tokens that have this probability together."""
    top_k: int | None = None
    """Sample from so many of the likeliest tokens."""
    min_p: Annotated[float, between(0, 1)] | None = None
    """Sample from tokens with at least this share of the likeliest one's probability."""
    max_tokens: Annotated[int, at_least(1)] | None = None
    """Longest answer, in tokens."""
    max_completion_tokens: Annotated[int, at_least(1)] | None = None
    """As max_tokens, for endpoints that know only this name."""
    repetition_penalty: float | None = None
    """Above 1, tokens of prompt and answer become less likely to come again."""
    presence_penalty: float | None = None
    """Above 0, tokens of the answer become less likely to come again."""
    frequency_penalty: float | None = None
    """Above 0, tokens become less likely the more often the answer has them."""
    seed: int | None = None
    """Sent with every request; the seed of a prompt takes precedence."""
    n: int | None = None
    """1, for endpoints that require the field."""
    extra: dict[str, Any] | None = None
    """Further fields of the request body."""
    stop: list[str] | None = None
    """Texts at which an answer ends."""
    stop_token_ids: list[int] | None = None
    """Tokens at which an answer ends; vLLM and its kin know the field."""
    chat_template_kwargs: dict[str, Any] | None = None
    """Variables of the chat template, such as {"enable_thinking": true}; vLLM and its kin know the field."""
    think_budget_field: str | None = None
    """The field that limits the tokens of a chain, for --think-budget; dots for fields within fields."""
    system: str | None = None
    """System prompt of questions that have none of their own; as --system."""
    timeout: Annotated[float, at_least(0.001)] = 600.0
    """Seconds for a whole request."""
    reconnect_timeout: Annotated[float, at_least(0)] = 120.0
    """Seconds to wait for an endpoint that has answered before and cannot be reached."""
    audio_part: AudioPart | None = None
    """How a request carries the clip: as `input_audio`, in it as a data URL or as bare base64, or as an `audio_url`."""
    host: str | None = None
    """The host whose way to take requests is used (`dtbench models hosts`), or a TOML file of one."""
    headers: dict[str, str] | None = None
    """Further headers of each request; `${NAME}` in a value is a variable of the environment."""
    query: dict[str, str] | None = None
    """Parameters of the query string of each request, such as {"api-version": "2025-04-01-preview"}."""
    key_variable: str | None = None
    """The variable of the environment that has the key."""
    send_seed: bool | None = None
    """Whether the seed of a question is sent."""
    stream: bool | None = None
    """Whether answers are streamed."""
    modalities: tuple[str, ...] | None = None
    """What the model answers with, such as ["text"]."""
    rate: Annotated[int, between(4000, 192000)] = 16000
    """The sampling rate of the clips that are sent."""
    limit_seconds: Annotated[float, at_least(0.001)] | None = None
    """The longest clip that the model takes."""
    chain: ChainTags | None = None
    """The model's own tags around its chain of thought, such as `<reason>,</reason>`; common ones are known."""

    price_in: Annotated[float, at_least(0)] | None = None
    """US dollars per million input tokens."""
    price_out: Annotated[float, at_least(0)] | None = None
    """US dollars per million output tokens."""
    price_audio: Annotated[float, at_least(0)] | None = None
    """US dollars per million input tokens that are sound, where they cost more than others."""

    def __post_init__(self) -> None:
        """Refuse values that no endpoint takes."""
        check_settings(self, "-M")
        if (self.price_in is None) != (self.price_out is None):
            given, lacking = ("price_in", "price_out") if self.price_out is None else ("price_out", "price_in")
            raise UserError(f"-M {given}={getattr(self, given):g}: give -M {lacking}=... as well.")
        if self.n not in {None, 1}:
            raise UserError(
                f"-M n={self.n}: one answer per request is allowed; for several per question use --samples."
            )
        if taken := sorted({"messages", "model", "stream", "stream_options", *SAMPLING} & (self.extra or {}).keys()):
            raise UserError(f"-M extra: the field {taken[0]!r} is not allowed here; only fields without an option are.")
        for name, value in (self.headers or {}).items():
            check_header_name(name)
            refuse_written_secret("headers", name, value)
        for name, value in (self.query or {}).items():
            refuse_written_secret("query", name, value)

    @property
    def price(self) -> Price | None:
        """What tokens cost; None where nobody said."""
        if self.price_in is None or self.price_out is None:
            return None
        return Price(self.price_in, self.price_out, self.price_audio)

    def sampling(self) -> dict[str, Any]:
        """Return the fields of the request body that control sampling."""
        given = {name: getattr(self, name) for name in (*SAMPLING, *_STOPS) if getattr(self, name) is not None}
        return {**given, **self.further()}

    def with_budget(self, fields: Mapping[str, Any], budget: int | None) -> dict[str, Any]:
        """Return the fields of a request body with the limit of a chain among them."""
        whole = dict(fields)
        if budget is None or self.think_budget_field is None:
            return whole
        *outer, last = self.think_budget_field.split(".")
        inside = whole
        for name in outer:
            inside[name] = dict(inside.get(name) or {})
            inside = inside[name]
        inside[last] = budget
        return whole

    def further(self) -> dict[str, Any]:
        """Return the fields of the request body that a constrained answer has as well: template variables and extra."""
        fields: dict[str, Any] = {} if self.modalities is None else {"modalities": list(self.modalities)}
        fields |= self.extra or {}
        if self.chat_template_kwargs:
            fields[_VARIABLES] = {**self.chat_template_kwargs, **fields.get(_VARIABLES, {})}
        return fields
