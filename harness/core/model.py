"""The contract of a model: generate(), describe() and aclose(); dtbench retries for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.price import Price
from dtbench.harness.core.schema import Prompt, Response
from dtbench.harness.extract.chain_tags import ChainTags

Notify = Callable[[str], None]
"""Shows the user a line."""


class Model(Protocol):
    """Anything that answers prompts."""

    listens: bool
    """Whether it hears the clip; for one that does not, no audio is decoded."""
    rate: int
    """The sampling rate it hears at."""
    limit_seconds: float | None
    """The longest clip it takes; None for no limit. A model may say `stereo = False` beside it: clips of tasks that ask
    for their channels are then mixed down, and run.json says so."""

    async def generate(self, prompt: Prompt) -> Response:
        """Answer one prompt; raise a ModelError if that fails."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Return what run.json records about it: names, versions, settings; never a secret.

        `chain` is its own pair of tags around its chain of thought, by which its answers are read.
        """
        ...

    async def aclose(self) -> None:
        """Close connections and stop processes."""
        ...


def hears_channels(model: Model) -> bool:
    """Whether a model hears channels apart; one that says nothing of it (`stereo`) gets what a task asks for."""
    return bool(getattr(model, "stereo", True))


def chain_tags(about: Mapping[str, Any]) -> ChainTags | None:
    """Return the tags around the chains of a model that describes itself so; None where it names none."""
    if about.get("chain") is None:
        return None
    try:
        return ChainTags.of(about["chain"])
    except ValueError as error:
        what = f"the model {about.get('name', '')} describes its chain tags as {about['chain']!r}"
        raise MachineryError(f"{what}: {error}.") from None


@runtime_checkable
class Forcible(Protocol):
    """A model whose answer can be constrained to one letter, with `option_logprobs` where it knows them."""

    forces: bool
    """Whether it reads `letters` of a prompt."""


def takes_prefill(model: Model) -> bool:
    """Whether a model continues an answer that has begun (`begun` of a prompt); one that does says `prefills`."""
    return bool(getattr(model, "prefills", False))


class RequestPreview(NamedTuple):
    """What would be sent for a prompt."""

    where: str
    """Where it would go, such as `POST http://127.0.0.1:8000/v1/chat/completions`."""
    body: Mapping[str, Any] | None = None
    """The body of the request; None where there is no request."""
    command: Sequence[str] = ()
    """The command that would be started to answer it."""


@runtime_checkable
class Concurrent(Protocol):
    """A model that knows how many requests keep it busy."""

    concurrency: int | None
    """How many the run sends it at once where the user does not say; None for no wish."""


@runtime_checkable
class Priced(Protocol):
    """A model of which it may be known what its tokens cost."""

    price: Price | None
    """None where it is not known."""


@runtime_checkable
class Previewable(Protocol):
    """A model that can show what it would send, without starting or asking anything."""

    def preview(self, prompt: Prompt, clip: str | None) -> RequestPreview:
        """Return what would be sent for a prompt, with these words in place of the clip; None for no clip."""
        ...


@runtime_checkable
class Startable(Protocol):
    """A model that takes time to start: the run starts it before the first question, if there is one to ask."""

    async def start(self, notify: Notify) -> None:
        """Become ready to answer; `notify` shows a line of progress."""
        ...


@runtime_checkable
class Preflighted(Protocol):
    """A model that has to be tried before a run: how its endpoint takes a request, or whether its adapter is on."""

    async def preflight(self, prompt: Prompt, notify: Notify) -> Mapping[str, Any]:
        """Try this prompt, the first of the run, and return what was found, which run.json keeps with the start.

        The run calls it once a start, after start() and before any question is asked; its answer is not stored. Raise a
        UserError or a MachineryError where no question could be answered, or none by the model that was named.
        """
        ...
