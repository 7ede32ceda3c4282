"""Open the model that `--model` names: an endpoint, vLLM started here, transformers, or a class without weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from dtbench.harness.core.errors import DtbenchError, UserError, did_you_mean
from dtbench.harness.core.installed import install_command
from dtbench.harness.core.model import Model
from dtbench.harness.core.typed_settings import path_of, path_settings, read_options
from dtbench.harness.store.known_secrets import is_secret_name
from dtbench.models.checkpoints import families
from dtbench.models.checkpoints.checkpoint import Checkpoint, checkpoint_of_family, resolve_checkpoint, with_weights
from dtbench.models.checkpoints.defaults import endpoint_defaults, request_defaults
from dtbench.models.checkpoints.families import Family
from dtbench.models.endpoint.address import ANY_KEY, complete_url
from dtbench.models.endpoint.settings import EndpointSettings
from dtbench.models.registry import MODELS, find_model, instantiate

if TYPE_CHECKING:
    from dtbench.harness.core.schema import Sample

RUN_HERE = ("vllm", "local")
BACKENDS = (*RUN_HERE, "openai")


class ModelUse(NamedTuple):
    """What a model is opened for: one task, with its samples, its sampling and its style of answer."""

    samples: Iterable[Sample]
    sampling: Mapping[str, str] = MappingProxyType({})
    """As -M options; those of the user take precedence."""
    style: str | None = None
    """The style of answer, by which defaults differ; None for one that is not known."""
    budgeted: bool = False
    """Whether its prompts limit their chains of thought."""
    clips: int = 1
    """The largest number of clips that one of its prompts has."""


class _Opening(NamedTuple):
    """What decides, beside its name and options, how a model is opened."""

    backend: str | None
    ask: bool
    style: str | None
    budgeted: bool = False
    clips: int = 1


def open_model(
    spec: str,
    options: Mapping[str, str],
    samples: Iterable[Sample] | None = None,
    backend: str | None = None,
    *,
    ask: bool = True,
    style: str | None = None,
) -> Model:
    """Open a URL, a checkpoint, a family, a built-in name, `module:Class` or a model of an installed package.

    The samples, with their right answers, reach only a class that says `needs_samples`. A backend is for checkpoints.
    Without asking, an endpoint need not be there: its model is not looked up. The style is one of --answer.
    """
    return _open(spec, options, samples, _Opening(backend, ask, style))


def _open(spec: str, options: Mapping[str, str], samples: Iterable[Sample] | None, how: _Opening) -> Model:
    if how.backend == "openai":
        return _open_by_client(spec, options, how)
    if spec not in MODELS:
        spec = complete_url(spec)
        family = families.get_family(options["family"]) if "family" in options else None
        if "://" in spec:
            return _open_endpoint(spec, options, family, how)
        checkpoint = resolve_checkpoint(spec, family, options, ask=how.ask)
        if checkpoint is not None:
            return _open_checkpoint(checkpoint, options, how)
    kind, path = find_model(spec)  # a class, or a Family of an installed package
    if isinstance(kind, Family):
        return _open_checkpoint(
            with_weights(checkpoint_of_family(kind, kind.name), options.get("weights")), options, how
        )
    if how.backend is not None:
        raise UserError(
            f"--backend {how.backend}: this option is for checkpoints, and {spec!r} is not one: leave it out."
        )
    return instantiate(kind, spec if spec in MODELS else path, options, samples)


def open_models(
    spec: str,
    options: Mapping[str, str],
    uses: Sequence[ModelUse],
    backend: str | None = None,
    *,
    ask: bool = True,
) -> Sequence[Model]:
    """Open a model for each use: one for all, unless it learns from the samples or a task prescribes other sampling."""
    clips = max((use.clips for use in uses), default=1)
    how = [_Opening(backend, ask, use.style, use.budgeted, clips) for use in uses]
    first = _open(spec, options, uses[0].samples, how[0])
    if getattr(first, "needs_samples", False):
        return [first, *(open_model(spec, options, use.samples) for use in uses[1:])]
    samples_by_options = {"sampling", "temperature"} & first.describe().keys()
    by_options = {frozenset(options.items()): first}
    models = []
    for use, opening in zip(uses, how, strict=True):
        merged = {**use.sampling, **options} if samples_by_options else dict(options)
        key = frozenset(merged.items())
        if key not in by_options:
            by_options[key] = _open(spec, merged, use.samples, opening)
        models.append(by_options[key])
    return models


def portable_options(spec: str, options: Mapping[str, str]) -> dict[str, str]:
    """Return the options with paths from the root, so that they mean the same from any folder."""
    kind: object = None
    with contextlib.suppress(DtbenchError):
        kind = find_model(spec)[0] if options and "://" not in spec else None
    named = path_settings(kind) if isinstance(kind, type) else None
    portable = {}
    for name, text in options.items():
        is_path = name in named if named is not None else "://" not in spec and _is_there(name, path_of(text))
        portable[name] = str(path_of(text).absolute() if is_path else text)
    return portable


def _is_there(name: str, path: Path) -> bool:
    """Whether a setting is a file of this machine, or a folder where it names one."""
    return path.is_file() or (name in {"adapter", "base"} and path.is_dir())


def resolve_backend(name: str, requested: str | None) -> str:
    """Return what runs this family on this machine: vllm or local."""
    if requested is not None and requested not in RUN_HERE:
        raise UserError(f"--backend {requested}: unknown. {did_you_mean(requested, RUN_HERE)}")
    return choose_backend(checkpoint_of_family(families.get_family(name), name), requested)


def _open_checkpoint(checkpoint: Checkpoint, options: Mapping[str, str], how: _Opening) -> Model:
    family = checkpoint.family
    if family is not None and family.url is not None:
        with_name = options if "model" in options or family.model is None else {**options, "model": family.model}
        return _open_endpoint(family.url, with_name, family, how, spec=checkpoint.source)
    backend = choose_backend(checkpoint, how.backend)
    _refuse_more_clips(family, checkpoint.source, how.clips)
    if backend == "vllm":
        from dtbench.models.vllm.model import Vllm

        return Vllm.from_checkpoint(checkpoint, options, how.style, budgeted=how.budgeted, clips=how.clips)
    from dtbench.models.local.model import Local

    return Local.from_checkpoint(checkpoint, options, how.style)


def _open_endpoint(
    url: str, options: Mapping[str, str], family: Family | None, how: _Opening, *, spec: str = ""
) -> Model:
    from dtbench.models.endpoint.server import Server

    if how.backend is not None:
        raise UserError(
            f"--backend {how.backend}: this option is for checkpoints, and {spec or url} is an endpoint: leave it out."
        )
    _refuse_more_clips(family, spec or url, how.clips)
    _refuse_keys(options)
    own = {name: text for name, text in options.items() if name != "family"}
    about = endpoint_defaults(family, how.style)
    defaults = request_defaults(about.settings, own)
    if family is not None and family.model is not None and own.get("model") != family.model:
        defaults = {name: value for name, value in defaults.items() if not name.startswith("price_")}  # another's
    server = Server.connect(url, read_options(EndpointSettings, own, "an endpoint", defaults=defaults), ask=how.ask)
    server.sampling_source, server.budgeted = about.sampling_source, how.budgeted
    server.stereo = family is None or family.stereo is not False
    return server


def _open_by_client(spec: str, options: Mapping[str, str], how: _Opening) -> Model:
    """Open what openai's client reaches: a URL, or a name, as a host or a family has it."""
    from dtbench.models.openai_client.model import OPENAI, OpenaiSettings, open_client

    _refuse_keys(options)
    family = families.get_family(options["family"]) if "family" in options else None
    url: str | None = complete_url(spec)
    if "://" not in (url or ""):
        known = families.get_family(spec) if spec in families.built_in_families() else None
        family = family or known
        url = None if known is None or known.url == OPENAI else known.url  # where OpenAI is, its client knows
        name = known.model if known is not None and known.model is not None else spec
        options = {"model": name, **options}
    _refuse_more_clips(family, spec, how.clips)
    own = {name: text for name, text in options.items() if name != "family"}
    about = endpoint_defaults(family, how.style)
    settings = read_options(OpenaiSettings, own, "an endpoint", defaults=request_defaults(about.settings, own))
    model = open_client(url, settings, ask=how.ask)
    model.sampling_source, model.budgeted = about.sampling_source, how.budgeted
    return model


def _refuse_more_clips(family: Family | None, source: str, clips: int) -> None:
    most = None if family is None else family.clips_per_prompt
    if family is not None and most is not None and clips > most:
        takes = "one clip only" if most == 1 else f"{most} clips at most"
        raise UserError(
            f"--model {source}: {family.title} takes {takes} in a prompt, and these prompts have up to {clips}: take "
            "another model, or leave out the questions with more (--ids) or the examples (--num-fewshot)."
        )


def _refuse_keys(options: Mapping[str, str]) -> None:
    for name in options:
        if is_secret_name(name):
            raise UserError(
                f"-M {name}: an endpoint has no option {name!r}, for others can read a command line: put the key into "
                f"the environment variable {ANY_KEY}."
            )


def choose_backend(checkpoint: Checkpoint, requested: str | None) -> str:
    """Return vllm or local; raise a UserError where the family allows neither, or not the one that is requested."""
    if requested is not None and requested not in RUN_HERE:
        raise UserError(f"--backend {requested}: unknown. {did_you_mean(requested, BACKENDS)}")
    family = checkpoint.family
    if family is None:
        return requested or "vllm"
    allowed = [backend for backend in family.backends if backend in RUN_HERE]
    if requested is None and families.is_bundled(family):
        return _installed_backend(checkpoint)
    if requested in allowed or (requested is None and allowed):
        return requested or allowed[0]
    why = f"{family.title} does not run here with {requested or 'vLLM or transformers'}"
    instead = (
        f"take --backend {allowed[0]}" if allowed else family.instead or "name an endpoint that serves it by its URL"
    )
    raise UserError(f"--model {checkpoint.source}: {why}: {instead}.")


def _installed_backend(checkpoint: Checkpoint) -> str:
    """Return what is installed to run the weights in the box, which are small enough for either."""
    from dtbench.models.local.loading import missing_packages
    from dtbench.models.vllm.process import vllm_command

    if vllm_command() is not None:
        return "vllm"
    if missing := missing_packages():
        raise UserError(
            f"--model {checkpoint.name}: vLLM is not installed here, nor {' and '.join(missing)} to do without it: "
            f"`{install_command('local')}`."
        )
    return "local"
