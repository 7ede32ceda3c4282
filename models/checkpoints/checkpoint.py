"""Checkpoints: a folder here or an id of the hub, the family it belongs to, and how its authors sample."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.typed_settings import path_of, show_option
from dtbench.models.checkpoints import families, hub, trust
from dtbench.models.checkpoints.adapters import CONFIG, Adapter, read_adapter_config
from dtbench.models.checkpoints.families import Family
from dtbench.models.checkpoints.quantization import quantization
from dtbench.models.checkpoints.tensors import ADAPTER_FILES, WEIGHTS

OPTIONS = ("family", "adapter", "adapter_mode", "base", "weights")
"""The -M options that say what a checkpoint is; all others are those of the backend."""
MODES = ("merge", "serve")
BLOCKS, BLOCK = 64, 1 << 16
_WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".gguf", ".index.json")
_IN_BOX = 3
"""How many last parts of the path of bundled weights every copy of dtbench has, as in models/mini/checkpoint."""
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class Checkpoint(NamedTuple):
    """A checkpoint, and what is known of it without loading its weights."""

    source: str
    """A folder's path, or `org/name` on the hub."""
    family: Family | None
    architecture: str | None
    """What config.json says; None for a hub id that is not here, or where it says nothing."""
    adapter: Adapter | None = None
    """What is applied to it; an adapter that lies beside its weights included."""
    pickles: bool = False
    """Whether weights may be read that are pickles."""

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine; then nothing reaches for the network."""
        return Path(self.source).is_dir()

    @property
    def name(self) -> str:
        """Name the checkpoint for the record, without the place where it lies."""
        if self.family is not None and self.source == self.family.checkpoint:
            base = self.family.name
        else:
            base = Path(self.source).resolve().name if self.is_local else self.source
        return base if self.adapter is None or self.adapter.inside else f"{base}+{self.adapter.name}"

    def describe(self, revision: str | None = None) -> dict[str, Any]:
        """Return the facts that are stored in the record of a run; of a hub id, those of a revision."""
        family = self.family.name if self.family else None
        content = self.content_hash()
        folder = Path(self.source) if self.is_local else hub.cached_snapshot(self.source)
        more = {
            "adapter": None if self.adapter is None else self.adapter.describe(),
            "quantization": None if folder is None else quantization(folder),
            "commit": self.commit(revision),
            "weights": "pickle" if self.pickles else None,
        }
        about = {"model": self.name, "content": content, "family": family, "architecture": self.architecture}
        return {**about, **{name: value for name, value in more.items() if value is not None}}

    def commit(self, revision: str | None = None) -> str | None:
        """Return the commit of a hub id that is here; None where it is a folder, or not yet here."""
        return None if self.is_local else hub.cached_commit(self.source, revision)

    def refuse_pickles(self) -> None:
        """Raise a UserError where weights that are on this machine are pickles, and those may not be read."""
        folder = Path(self.source) if self.is_local else hub.cached_snapshot(self.source)
        if folder is not None and not self.pickles:
            trust.refuse_pickles(folder, trust.pickled_weights(folder))
        if self.adapter is not None and not self.pickles:
            trust.refuse_pickles(Path(self.adapter.folder), trust.pickled_adapter(Path(self.adapter.folder)))

    def content_hash(self) -> str | None:
        """Hash the weights and the files beside them to twelve digits; None for a checkpoint that is not here."""
        if not self.is_local:
            return None
        import hashlib

        digest = hashlib.sha256()
        for file in sorted(path for path in Path(self.source).iterdir() if path.is_file()):
            digest.update(f"{file.name}\0{file.stat().st_size}\0".encode("utf-8", "surrogateescape"))
            for block in _blocks(file):
                digest.update(block)
        return digest.hexdigest()[:12]


def _blocks(file: Path) -> Iterator[bytes]:
    """Read the file; of a large one, blocks spread over it, as training changes every part of the weights."""
    size = file.stat().st_size
    with file.open("rb") as data:
        for nth in range(BLOCKS):
            data.seek(max(0, size - BLOCK) * nth // (BLOCKS - 1) if size > BLOCKS * BLOCK else nth * BLOCK)
            yield data.read(BLOCK)


def resolve_checkpoint(
    spec: str, family: Family | None = None, options: Mapping[str, str] | None = None, *, ask: bool = True
) -> Checkpoint | None:
    """Resolve a folder, a hub id, the name of a family or a TOML file; None where it is none of these.

    The -M options of OPTIONS say what is applied to it; an adapter of the hub is fetched, unless nothing is asked.
    """
    given = {name: text for name, text in (options or {}).items() if name in OPTIONS}
    checkpoint = _resolve(spec, family, given.get("base"))
    if checkpoint is None:
        return None
    adapter = checkpoint.adapter
    if "adapter" in given:
        if adapter is not None:
            raise UserError(
                f"{show_option('adapter', given['adapter'])}: {spec} is or has an adapter itself, and one is applied "
                "at a time: merge the two with PEFT."
            )
        adapter = _given_adapter(given["adapter"], ask=ask)
    elif "base" in given and (adapter is None or adapter.inside):
        raise UserError(f"{show_option('base', given['base'])}: {spec} is not an adapter: leave it out.")
    if "adapter_mode" in given:
        mode = given["adapter_mode"]
        if mode not in MODES:
            raise UserError(f"{show_option('adapter_mode', mode)}: unknown. {did_you_mean(mode, MODES)}")
        if adapter is None or adapter.mode == "audio":
            raise UserError(
                f"{show_option('adapter_mode', mode)}: {spec} has no adapter to be applied so: leave it out."
            )
        adapter = adapter._replace(mode=mode)
    return with_weights(checkpoint._replace(adapter=adapter), given.get("weights"))


def with_weights(checkpoint: Checkpoint, kind: str | None) -> Checkpoint:
    """Say which kind of weights may be read; raise a UserError where those that are here are of another."""
    if kind is not None and kind not in trust.WEIGHT_KINDS:
        raise UserError(f"{show_option('weights', kind)}: unknown. {did_you_mean(kind, trust.WEIGHT_KINDS)}")
    if kind == "pickle":
        return checkpoint._replace(pickles=True)
    checkpoint.refuse_pickles()
    return checkpoint


def refuse_no_weights(folder: Path) -> None:
    """Raise a UserError for a folder without weights, or whose config.json names no model: no engine could load it."""
    names = sorted(path.name for path in folder.iterdir())
    if not any(name.endswith(_WEIGHT_SUFFIXES) for name in names):
        shown = ", ".join(names[:5])
        raise UserError(
            f"--model {folder}: no weights are in it: *.safetensors is expected beside config.json, found {shown}."
        )
    config = folder / "config.json"
    if config.is_file() and not {"architectures", "model_type"} & _config(config).keys():
        raise UserError(f"--model {folder}: its config.json names no model: model_type is expected in it.")


def bundled_name(folder: str) -> str | None:
    """Return the name of the bundled weights that a folder has; None for other weights.

    The folder may be of another copy of dtbench: where it is gone, the end of its path says what it was.
    """
    path = Path(folder)
    for name, family in families.built_in_families().items():
        if family.checkpoint is None or path.parts[-_IN_BOX:] != Path(family.checkpoint).parts[-_IN_BOX:]:
            continue
        here = Checkpoint(family.checkpoint, family, None)
        if not path.is_dir() or here.content_hash() == Checkpoint(folder, family, None).content_hash():
            return name
    return None


def _given_adapter(text: str, *, ask: bool) -> Adapter:
    folder = path_of(text)
    if not folder.is_dir():
        if _looks_like_a_path(text) or not _HUB_ID.fullmatch(text):
            raise UserError(f"{show_option('adapter', text)}: a folder or a hub id is expected, and this is no folder.")
        folder = hub.fetch(text, lambda line: None) if ask else Path(text)
    if folder.is_dir() and not (folder / CONFIG).is_file():
        raise UserError(f"{show_option('adapter', text)}: not an adapter: {CONFIG} is expected in it.")
    return Adapter(str(folder))


def _resolve(spec: str, family: Family | None, base: str | None) -> Checkpoint | None:
    if spec.endswith(".toml"):
        return checkpoint_of_family(families.load_family(Path(spec)), spec)
    built_in, folder = families.built_in_families().get(spec), Path(spec).expanduser()
    in_box = _is_in_box(spec, folder)
    if folder.is_dir() and not in_box:
        return _of_folder(folder, family, base)
    if built_in is not None:
        return checkpoint_of_family(built_in, spec)
    if folder.is_file():
        raise UserError(f"--model {spec}: this is a file; name the folder of the checkpoint.")
    if _looks_like_a_path(spec):
        raise UserError(f"--model {spec}: there is no such folder. A hub id has the form org/name.")
    if _HUB_ID.fullmatch(spec):
        cached = hub.cached_snapshot(spec)
        if cached is not None and is_adapter(cached):
            return _of_adapter(cached, family, base)
        config = None if cached is None else cached / "config.json"
        architecture = _architecture(config if config is None or config.is_file() else None)
        return _of_hub(Checkpoint(spec, family or _family_of(architecture, spec), architecture))
    return None


def _of_hub(checkpoint: Checkpoint) -> Checkpoint:
    """Add the adapter for clips that its family has; where it lies shows when the checkpoint is fetched."""
    family = checkpoint.family
    if family is None or family.adapter is None:
        return checkpoint
    return checkpoint._replace(adapter=Adapter(family.adapter, "audio", inside=True))


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter, and no weights of a model beside it."""
    if not (folder / CONFIG).is_file():
        return False
    weights = [path.name for pattern in (WEIGHTS, "*.bin") for path in folder.glob(pattern)]
    return not (folder / "config.json").is_file() or not set(weights) - {*ADAPTER_FILES, "training_args.bin"}


def _of_adapter(folder: Path, family: Family | None, base: str | None) -> Checkpoint:
    """Return the base of an adapter, with the adapter."""
    named = base or read_adapter_config(folder).get("base_model_name_or_path")
    if not named or not isinstance(named, str):
        raise UserError(f"--model {folder}: an adapter that names no base: -M base=FOLDER or a hub id names it.")
    nearest = [path_of(named), *([] if base else [folder / named])]
    spec = next((str(path) for path in nearest if path.is_dir()), named)
    try:
        checkpoint = None if Path(spec).resolve() == folder.resolve() else _resolve(spec, family, None)
    except UserError as error:
        if base or Path(spec).is_dir():
            raise
        raise UserError(
            f"--model {folder}: its base {named} is not here: -M base=FOLDER or a hub id names it."
        ) from error
    if checkpoint is None or (checkpoint.adapter is not None and not checkpoint.adapter.inside):
        raise UserError(f"--model {folder}: its base {named} is not a checkpoint: -M base=FOLDER or a hub id names it.")
    if checkpoint.adapter is not None:
        raise UserError(
            f"--model {folder}: its base {named} has an adapter itself, and one is applied at a time: merge the two "
            "with PEFT."
        )
    return checkpoint._replace(adapter=Adapter(str(folder)))


def _is_in_box(spec: str, folder: Path) -> bool:
    """Whether it names weights in the box: a folder of that name, such as one of clips, holds none without a config."""
    built_in = families.built_in_families().get(spec)
    return built_in is not None and families.is_bundled(built_in) and not (folder / "config.json").is_file()


def locate_checkpoint(spec: str, folder: Path) -> str:
    """Return the spec with the path of a checkpoint or TOML file that is relative to a folder; any other stays."""
    path = folder / Path(spec).expanduser()
    is_path = spec.startswith((".", "~", "/")) or path.is_dir() or (spec.endswith(".toml") and path.is_file())
    return str(path) if is_path and "://" not in spec and not _is_in_box(spec, path) else spec


def _looks_like_a_path(spec: str) -> bool:
    """Whether it can only be meant as a folder: a hub id has one slash, and its first part is no folder here."""
    first = spec.partition("/")[0]
    return (
        spec.startswith((".", "~", "/"))
        or spec.count("/") > 1
        or (bool(first) and "/" in spec and Path(first).is_dir())
    )


def checkpoint_of_family(family: Family, spec: str) -> Checkpoint:
    """Return the checkpoint that a family stands for."""
    source = family.checkpoint or family.hub_id
    if family.checkpoint is not None and not Path(family.checkpoint).expanduser().is_dir():
        raise UserError(f"{spec}: checkpoint = {family.checkpoint!r}: there is no such folder.")
    if source is None:
        if family.url is None:
            what = f"{family.title} does not run here" if family.instead else "this family has no checkpoint of its own"
            raise UserError(f"--model {spec}: {what}: {family.instead or 'name a folder or a hub id'}.")
        return Checkpoint(spec, family, None)
    folder = Path(source).expanduser()
    return _of_folder(folder, family) if folder.is_dir() else _of_hub(Checkpoint(source, family, None))


def _of_folder(folder: Path, family: Family | None, base: str | None = None) -> Checkpoint:
    names = {entry.name for entry in folder.iterdir()}
    if "params.json" in names and "config.json" not in names:  # Mistral's own layout
        return Checkpoint(str(folder), family or families.built_in_families()["voxtral"], None)
    if is_adapter(folder):
        return _of_adapter(folder, family, base)
    if "config.json" not in names:
        shown = ", ".join(sorted(names)[:5]) or "nothing"
        raise UserError(f"--model {folder}: not a checkpoint: config.json is expected in it, found {shown}.")
    architecture = _architecture(folder / "config.json")
    family = family or _family_of(architecture, str(folder.resolve()))
    return Checkpoint(str(folder), family, architecture, adapter_inside(folder, family))


def adapter_inside(folder: Path, family: Family | None) -> Adapter | None:
    """Return the adapter that came with a checkpoint: by its family for clips alone, else to be merged into it."""
    if family is not None and family.adapter is not None:
        place = folder / family.adapter
        if (place / CONFIG).is_file():
            return Adapter(str(place), "audio", inside=True)
        if _config(folder / "config.json").get("has_lora_adapter"):
            raise UserError(
                f"--model {folder}: its config.json says that it has an adapter for clips, without which it does not "
                f"understand them: {CONFIG} and its weights are expected in {place}: copy the checkpoint again."
            )
        return None
    return Adapter(str(folder), inside=True) if (folder / CONFIG).is_file() else None


def _family_of(architecture: str | None, name: str) -> Family | None:
    if architecture is not None:
        return families.family_of_architecture(architecture, name)
    ids = {one.lower(): family for family in families.built_in_families().values() for one in family.known_ids}
    return ids.get(name.lower())


def _config(path: Path) -> Mapping[str, Any]:
    try:
        fields: Any = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a model configuration ({error}).") from None
    return fields if isinstance(fields, dict) else {}


def _architecture(config: Path | None) -> str | None:
    """Return the first of the classes that a config.json names."""
    names = None if config is None else _config(config).get("architectures")
    return str(names[0]) if isinstance(names, list) and names else None
