"""Models by name, checkpoint or URL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from dtbench.harness.core.errors import DtbenchError, MachineryError, UserError, format_error
from dtbench.harness.core.lookup import NameTable, list_names, look_up
from dtbench.harness.core.model import Model
from dtbench.models.checkpoints import families

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


def model(
    spec: str, options: Mapping[str, str], samples: Iterable[Sample] | None = None, backend: str | None = None
) -> Model:
    """The model of a URL, a checkpoint, a family, a built-in name, `module:Class` or an installed package.

    The samples, with their right answers, reach only a class that says `needs_samples`. A backend is for checkpoints.
    """
    if spec not in MODELS:
        from dtbench.models.backends import weights_or_endpoint

        if (known := weights_or_endpoint(spec, options, backend)) is not None:
            return known
    kind, target = look_up(_MODELS, spec)
    if not isinstance(kind, type):
        from dtbench.models.backends import of_family
        from dtbench.models.checkpoints.families import Family

        if isinstance(kind, Family):
            return of_family(kind, options, backend)
    if backend is not None:
        raise UserError(f"--backend {backend}: it is for checkpoints, and {spec!r} is none: leave it out.")
    return _as_model(kind, spec if spec in MODELS else target, options, samples)


class ModelUse(NamedTuple):
    """What a model is wanted for."""

    samples: Iterable[Sample]
    sampling: Mapping[str, str] = MappingProxyType({})
    """Options that the task prescribes; the user's stand before them."""


def models(
    spec: str, options: Mapping[str, str], wanted: Sequence[ModelUse], backend: str | None = None
) -> Sequence[Model]:
    """The model for each: one and the same, unless it learns from the samples, or is to sample in another way."""
    first = model(spec, options, wanted[0].samples, backend)
    if getattr(first, "needs_samples", False):
        return [first, *(model(spec, options, each.samples) for each in wanted[1:])]
    samples_by_options = {"sampling", "temperature"} & first.describe().keys()
    made = {frozenset(options.items()): first}
    chosen = []
    for each in wanted:
        given = {**each.sampling, **options} if samples_by_options else dict(options)
        key = frozenset(given.items())
        if key not in made:
            made[key] = model(spec, given, each.samples, backend)
        chosen.append(made[key])
    return chosen


def model_names() -> list[str]:
    """Every name that model() knows, built-in ones first."""
    return [*list_names(_MODELS), *families.built_in_families()]


def _as_model(kind: object, origin: str, options: Mapping[str, str], samples: Iterable[Sample] | None) -> Model:
    from dtbench.harness.core.typed_settings import parse_arguments

    if not isinstance(kind, type):
        raise MachineryError(f"model {origin} is {type(kind).__name__}, not a class.")
    lacking = [name for name in ("generate", "describe", "aclose") if not callable(getattr(kind, name, None))]
    if lacking:
        raise MachineryError(f"model {origin} lacks {', '.join(f'{name}()' for name in lacking)}.")
    make: Callable[..., Model] = kind
    handed: dict[str, object] = {}
    if getattr(kind, "needs_samples", False):
        make, handed = kind.from_samples, {"samples": list(samples or ())}  # type: ignore[attr-defined]
    chosen = parse_arguments(make, options, f"the model {origin}", besides=handed.keys())
    try:
        built = make(**handed, **chosen)
    except DtbenchError:
        raise
    except Exception as error:  # someone else's code
        raise MachineryError(f"making the model {origin} failed with {format_error(error)}.") from error
    missing = [name for name in ("listens", "rate", "limit_seconds") if not hasattr(built, name)]
    if missing:
        raise MachineryError(f"model {origin} lacks {', '.join(missing)}: see dtbench.Model.")
    return built
