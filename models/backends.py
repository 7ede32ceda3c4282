"""Open the model that `--model` names: an endpoint, vLLM started here, transformers, or a class without weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from dtbench.harness.core.errors import DtbenchError, MachineryError, UserError, did_you_mean, format_error
from dtbench.harness.core.lookup import NameTable, list_names, look_up
from dtbench.harness.core.model import Model
from dtbench.harness.core.typed_settings import parse_arguments, read_options
from dtbench.models.checkpoints import families
from dtbench.models.checkpoints.checkpoint import Checkpoint, checkpoint_of_family, resolve_checkpoint
from dtbench.models.checkpoints.families import Family
from dtbench.models.endpoint.settings import EndpointSettings

if TYPE_CHECKING:
    from dtbench.harness.core.schema import Sample

MODELS = {
    "replay": "dtbench.models.plain.replay:Replay",
    "random": "dtbench.models.plain.baselines:Random",
    "majority": "dtbench.models.plain.baselines:Majority",
    "first": "dtbench.models.plain.baselines:First",
    "echo-gold": "dtbench.models.plain.baselines:EchoGold",
    "scripted": "dtbench.models.plain.scripted:Scripted",
}
_MODELS = NameTable("model", MODELS, "dtbench.models", MachineryError, lambda: families.built_in_families())
RUN_HERE = ("vllm", "local")


class ModelUse(NamedTuple):
    """What a model is opened for: the samples of a task, and the sampling that it prescribes."""

    samples: Iterable[Sample]
    sampling: Mapping[str, str] = MappingProxyType({})
    """As -M options; those of the user take precedence."""


def open_model(
    spec: str, options: Mapping[str, str], samples: Iterable[Sample] | None = None, backend: str | None = None
) -> Model:
    """Open a URL, a checkpoint, a family, a built-in name, `module:Class` or a model of an installed package.

    The samples, with their right answers, reach only a class that says `needs_samples`. A backend is for checkpoints.
    """
    if spec not in MODELS:
        family = families.get_family(options["family"]) if "family" in options else None
        if "://" in spec:
            return _open_endpoint(spec, options, family, backend)
        checkpoint = resolve_checkpoint(spec, family)
        if checkpoint is not None:
            return _open_checkpoint(checkpoint, options, backend)
    kind, path = look_up(_MODELS, spec)  # a class, or a Family of an installed package
    if isinstance(kind, Family):
        return _open_checkpoint(checkpoint_of_family(kind, kind.name), options, backend)
    if backend is not None:
        raise UserError(f"--backend {backend}: it is for checkpoints, and {spec!r} is none: leave it out.")
    return _instantiate(kind, spec if spec in MODELS else path, options, samples)


def open_models(
    spec: str, options: Mapping[str, str], uses: Sequence[ModelUse], backend: str | None = None
) -> Sequence[Model]:
    """Open a model for each use: one for all, unless it learns from the samples or a task prescribes other sampling."""
    first = open_model(spec, options, uses[0].samples, backend)
    if getattr(first, "needs_samples", False):
        return [first, *(open_model(spec, options, use.samples) for use in uses[1:])]
    samples_by_options = {"sampling", "temperature"} & first.describe().keys()
    by_options = {frozenset(options.items()): first}
    models = []
    for use in uses:
        merged = {**use.sampling, **options} if samples_by_options else dict(options)
        key = frozenset(merged.items())
        if key not in by_options:
            by_options[key] = open_model(spec, merged, use.samples, backend)
        models.append(by_options[key])
    return models


def model_names() -> list[str]:
    """List every name of a model or a family, built-in models first."""
    return [*list_names(_MODELS), *families.built_in_families()]


def resolve_backend(name: str, requested: str | None) -> str:
    """Return what runs this family on this machine: vllm or local."""
    return _choose_backend(checkpoint_of_family(families.get_family(name), name), requested)


def _open_checkpoint(checkpoint: Checkpoint, options: Mapping[str, str], backend: str | None) -> Model:
    family = checkpoint.family
    if family is not None and family.url is not None:
        with_name = options if "model" in options or family.model is None else {**options, "model": family.model}
        return _open_endpoint(family.url, with_name, family, backend, spec=checkpoint.source)
    if _choose_backend(checkpoint, backend) == "vllm":
        from dtbench.models.vllm.model import Vllm

        return Vllm.from_checkpoint(checkpoint, options)
    from dtbench.models.local.model import Local

    return Local.from_checkpoint(checkpoint, options)


def _open_endpoint(
    url: str, options: Mapping[str, str], family: Family | None, backend: str | None, *, spec: str = ""
) -> Model:
    from dtbench.models.endpoint.server import Server

    if backend is not None:
        raise UserError(f"--backend {backend}: it is for checkpoints, and {spec or url} is an endpoint: leave it out.")
    own = {name: text for name, text in options.items() if name != "family"}
    defaults = family.settings() if family else {}
    return Server.connect(url, read_options(EndpointSettings, own, "an endpoint", defaults=defaults))


def _choose_backend(checkpoint: Checkpoint, requested: str | None) -> str:
    """Return vllm or local; raise a UserError where the family allows neither, or not the one that is requested."""
    if requested is not None and requested not in RUN_HERE:
        raise UserError(f"--backend {requested}: unknown. {did_you_mean(requested, RUN_HERE)}")
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
    from dtbench.models.local.weights import missing_packages
    from dtbench.models.vllm.process import vllm_command

    if vllm_command() is not None:
        return "vllm"
    if missing := missing_packages():
        raise UserError(
            f"--model {checkpoint.name}: vLLM is not installed here, nor {' and '.join(missing)} to do without it: "
            "`pip install 'dtbench[local]'`."
        )
    return "local"


def _instantiate(kind: object, path: str, options: Mapping[str, str], samples: Iterable[Sample] | None) -> Model:
    if not isinstance(kind, type):
        raise MachineryError(f"model {path} is {type(kind).__name__}, not a class.")
    if lacking := [name for name in ("generate", "describe", "aclose") if not callable(getattr(kind, name, None))]:
        raise MachineryError(f"model {path} lacks {', '.join(f'{name}()' for name in lacking)}.")
    construct: Callable[..., Model] = kind
    from_run: dict[str, object] = {}
    if getattr(kind, "needs_samples", False):
        construct, from_run = kind.from_samples, {"samples": list(samples or ())}  # type: ignore[attr-defined]
    arguments = parse_arguments(construct, options, f"the model {path}", besides=from_run.keys())
    try:
        model = construct(**from_run, **arguments)
    except DtbenchError:
        raise
    except Exception as error:  # someone else's code
        raise MachineryError(f"making the model {path} failed with {format_error(error)}.") from error
    if lacking := [name for name in ("listens", "rate", "limit_seconds") if not hasattr(model, name)]:
        raise MachineryError(f"model {path} lacks {', '.join(lacking)}: see dtbench.Model.")
    return model
