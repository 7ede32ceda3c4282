"""What answers for a URL, a checkpoint or a family: an endpoint, vLLM started here, or transformers."""

from __future__ import annotations

from collections.abc import Mapping

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.model import Model
from dtbench.harness.core.typed_settings import parse_arguments
from dtbench.models.checkpoints import families
from dtbench.models.checkpoints.checkpoint import Checkpoint, checkpoint_of_family, resolve_checkpoint
from dtbench.models.checkpoints.families import Family
from dtbench.models.endpoint.settings import EndpointSettings

RUN_HERE = ("vllm", "local")


def weights_or_endpoint(spec: str, options: Mapping[str, str], backend: str | None) -> Model | None:
    """The model of a URL, a checkpoint or a family with its -M options; None where the name is none of these."""
    family = families.get_family(options["family"]) if "family" in options else None
    if "://" in spec:
        _refuse(backend, spec)
        return _endpoint(spec, options, family)
    checkpoint = resolve_checkpoint(spec, family)
    return None if checkpoint is None else _of_checkpoint(checkpoint, options, backend)


def resolve_backend(name: str, wanted: str | None) -> str:
    """What runs this family here: vllm or local."""
    return _backend(checkpoint_of_family(families.get_family(name), name), wanted)


def of_family(family: Family, options: Mapping[str, str], backend: str | None) -> Model:
    """The model that a family's facts stand for."""
    return _of_checkpoint(checkpoint_of_family(family, family.name), options, backend)


def _of_checkpoint(checkpoint: Checkpoint, options: Mapping[str, str], backend: str | None) -> Model:
    family = checkpoint.family
    if family is not None and family.url is not None:
        _refuse(backend, checkpoint.source)
        named = options if "model" in options or family.model is None else {**options, "model": family.model}
        return _endpoint(family.url, named, family)
    return _run_here(checkpoint, options, _backend(checkpoint, backend))


def _endpoint(url: str, options: Mapping[str, str], family: Family | None) -> Model:
    from dtbench.models.endpoint.server import Server

    given = {name: text for name, text in options.items() if name != "family"}
    usual = family.settings() if family else {}
    return Server.reached(url, EndpointSettings(**{**usual, **parse_arguments(EndpointSettings, given, "an endpoint")}))


def _run_here(checkpoint: Checkpoint, options: Mapping[str, str], backend: str) -> Model:
    if backend == "vllm":
        from dtbench.models.vllm.model import Vllm

        return Vllm.of(checkpoint, options)
    from dtbench.models.local.model import Local

    return Local.of(checkpoint, options)


def _backend(checkpoint: Checkpoint, wanted: str | None) -> str:
    """vllm or local; a UserError where the family allows neither, or not the one that is wanted."""
    if wanted is not None and wanted not in RUN_HERE:
        raise UserError(f"--backend {wanted}: unknown. {did_you_mean(wanted, RUN_HERE)}")
    family = checkpoint.family
    if family is None:
        return wanted or "vllm"
    can = [one for one in family.backends if one in RUN_HERE]
    if wanted is None and families.is_bundled(family):
        return _installed(checkpoint)
    if wanted in can or (wanted is None and can):
        return wanted or can[0]
    why = f"{family.title} does not run here with {wanted or 'vLLM or transformers'}"
    others = f"take --backend {can[0]}" if can else family.instead or "name an endpoint that serves it by its URL"
    raise UserError(f"--model {checkpoint.source}: {why}: {others}.")


def _installed(checkpoint: Checkpoint) -> str:
    """What is there to run the weights in the box, which are small enough for either."""
    from dtbench.models.local.weights import missing_packages
    from dtbench.models.vllm.process import vllm_is_installed

    if vllm_is_installed():
        return "vllm"
    if lacking := missing_packages():
        raise UserError(
            f"--model {checkpoint.name}: vLLM is not installed here, nor {' and '.join(lacking)} to do without it: "
            "`pip install 'dtbench[local]'`."
        )
    return "local"


def _refuse(backend: str | None, spec: str) -> None:
    if backend is not None:
        raise UserError(f"--backend {backend}: it is for checkpoints, and {spec} is an endpoint: leave it out.")
