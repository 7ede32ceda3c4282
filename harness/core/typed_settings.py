"""The one reader of what a user sets: `-M key=value`, tables of TOML files, settings kept as JSON.

The signature of a class or function says which settings there are, of which type, and by a Condition in `Annotated` in
which range. Written here rather than left to a library: a message names the setting, the value, what is allowed and
the nearest name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import json
import keyword
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from dtbench.harness.core.errors import MachineryError, UserError, did_you_mean
from dtbench.harness.extract.chain_tags import ChainTags

T = TypeVar("T")
RENAMED = {
    "absence": "reconnect_timeout",
    "deafened": "audio_ablation",
    "embedding_share": "embedding_weight",
    "least_words": "min_words",
    "million_completion_tokens": "price_per_million_completion_tokens",
    "million_prompt_tokens": "price_per_million_prompt_tokens",
    "most_characters": "max_chars",
    "like": "extends",
    "other_order": "seed_offset",
    "patience": "retry_budget",
    "projector": "train_projector",
    "tower": "train_audio_tower",
}
"""Former names of settings: a message about one names the new one."""
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Condition(NamedTuple):
    """A condition on a setting beside its type: `Annotated[int, at_least(1)]`."""

    holds: Callable[[Any], bool]
    expected: str
    """How a message words it."""
    names: Collection[str] = ()
    """All values that there are; empty where they are no names."""

    def complaint(self, value: object) -> str:
        """Return the end of a message about a value that does not meet it."""
        return f"unknown. {did_you_mean(str(value), self.names)}" if self.names else f"{self.expected} is expected."


def at_least(least: float) -> Condition:
    """Require a number of at least `least`."""
    return Condition(lambda value: value >= least, f"at least {least:g}")


def at_most(most: int) -> Condition:
    """Require a number of at most `most`."""
    return Condition(lambda value: value <= most, f"at most {most:,}")


def above(bound: float) -> Condition:
    """Greater than this number."""
    return Condition(lambda value: value > bound, f"above {bound:g}")


def between(least: float, most: float) -> Condition:
    """Require a number from `least` to `most`, both included."""
    return Condition(lambda value: least <= value <= most, f"{least:g} to {most:g}")


def one_of(names: Collection[str]) -> Condition:
    """Require one of these names."""
    return Condition(lambda value: value in names, f"one of {', '.join(names)}", names)


class FileText(str):
    """A text of a file that is parsed as that of an option is; messages name the place where it stands."""

    setting: str
    """Such as `eval.toml: limit`."""
    shown: str
    """As the file has it, before variables of the environment were put in: they may be secret."""
    folder: Path
    """Where a relative path starts from."""

    @classmethod
    def of(cls, text: str, setting: str, *, shown: str, folder: Path) -> FileText:
        """Make one of its text and its place."""
        made = cls(text)
        made.setting, made.shown, made.folder = setting, shown, folder
        return made


def path_of(value: str | Path) -> Path:
    """Return the path that a text stands for, from the folder of its file where it has one."""
    folder = value.folder if isinstance(value, FileText) else Path()
    return folder / Path(value).expanduser()


def parse_arguments(
    target: Callable[..., object], given: Mapping[str, str], what: str, *, besides: Collection[str] = ()
) -> dict[str, Any]:
    """Read key=value texts as arguments of the target; those named in `besides` are not the user's."""
    known = parameters_of(target, what, besides)
    for name, text in given.items():
        if name not in known:
            allowed = known_settings(name, known) if known else "It has none: leave it out."
            raise _option_place(name, text).refusal(text, f"{what} has no option {name!r}. {allowed}")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in given:
            raise UserError(f"{what} needs -M {name}={_metavar(parameter.annotation)}.")
    return {name: _read(known[name].annotation, text, _option_place(name, text)) for name, text in given.items()}


def show_option(name: str, text: str) -> str:
    """Return an option of a model as messages show it: as its file has it, or as on the command line."""
    return f"{text.setting} = {text.shown}" if isinstance(text, FileText) else f"-M {name}={text}"


def _option_place(name: str, text: str) -> _Place:
    return _Place(text.setting if isinstance(text, FileText) else f"-M {name}", text)


def read_options(
    kind: type[T],
    given: Mapping[str, str],
    what: str,
    *,
    defaults: Mapping[str, Any] | None = None,
    besides: Collection[str] = (),
) -> T:
    """Make settings of this class from key=value texts, over those of the defaults that it knows."""
    arguments = parse_arguments(kind, given, what, besides=besides)
    known = parameters_of(kind, what)
    base = {name: value for name, value in (defaults or {}).items() if name in known}
    for name, value in arguments.items():  # a table is laid over that of the defaults
        below = base.get(name)
        base[name] = {**below, **value} if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return kind(**base)


def read_table(kind: type[T], table: Mapping[str, Any], where: str, *, besides: Collection[str] = ()) -> T:
    """Make an object of this class from a table; `where` names the table in messages."""
    known = parameters_of(kind, where, besides)
    refuse_unknown(where, table, known)
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in table:
            raise UserError(f"{where}: {name} is missing; add it.")
    return kind(**{_as_argument(name): value for name, value in _read_each(known, table, where).items()})


def read_part(
    kind: type[object], table: Mapping[str, Any], where: str, *, besides: Collection[str] = ()
) -> dict[str, Any]:
    """Read a table as some of the arguments of this class; the others, `besides` among them, come from elsewhere."""
    known = parameters_of(kind, where, besides)
    refuse_unknown(where, table, known)
    return _read_each(known, table, where)


def refuse_unknown(where: str, table: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise a UserError for a setting that is not known, with the nearest that is."""
    for name in table:
        if name not in known:
            raise UserError(f"{where}: unknown setting {name!r}. {known_settings(name, known)}")


def _read_each(known: Mapping[str, inspect.Parameter], table: Mapping[str, Any], where: str) -> dict[str, Any]:
    texts = {name: value for name, value in table.items() if isinstance(value, FileText)}
    places = {name: _Place(f"{where}: {name}", texts.get(name)) for name in table}
    return {name: _read(known[name].annotation, value, places[name]) for name, value in table.items()}


def path_settings(target: Callable[..., object]) -> list[str]:
    """Name the settings of a class that are paths."""
    kinds = {name: one.annotation for name, one in parameters_of(target, "").items()}
    return [name for name, kind in kinds.items() if Path in (kind, *get_args(kind))]


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; a UserError where it cannot be read or is not TOML."""
    import tomllib  # 3 ms that most commands do without

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not TOML ({error}).") from None
    except RecursionError:
        raise UserError(f"{path}: its values are nested too deeply to be read.") from None


def check_settings(settings: object, where: str) -> None:
    """Raise a UserError for a field of another type or out of range, from wherever its value came."""
    for name, parameter in parameters_of(type(settings), where).items():
        _read(parameter.annotation, getattr(settings, _as_argument(name)), _Place(f"{where} {name}"))


def check_option(kind: Any, value: object, flag: str) -> None:
    """Raise a UserError for the value of a command's option that is of another type or out of range."""
    _read(kind, value, _Place(flag))


def known_settings(name: str, known: Collection[str]) -> str:
    """Return the end of a message about an unknown setting: its new name, or the nearest names and all of them."""
    new = RENAMED.get(name)
    return f"It is called {new} now." if new in known else did_you_mean(name, known)


def parameters_of(
    target: Callable[..., object], what: str, besides: Collection[str] = ()
) -> Mapping[str, inspect.Parameter]:
    """Return the settings of a class or function by name; those named in `besides` are left out.

    A setting that Python could not call so, such as `from`, is the argument `from_`.
    """
    try:
        known = _parameters_of_class(target) if isinstance(target, type) else _parameters(target)
    except NameError as error:
        raise MachineryError(f"{what}: the types of its arguments cannot be read ({error}): import them.") from error
    except ValueError:  # a class of C without a signature
        return {}
    return {name: parameter for name, parameter in known.items() if name not in besides}


def _parameters(target: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    has_fields = isinstance(target, type) and dataclasses.is_dataclass(target)
    signature = inspect.signature(target, eval_str=not has_fields)
    # A field of a base class names types of another module.
    types = get_type_hints(target, include_extras=True) if has_fields else {}
    by_name = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return {
        _as_setting(name): parameter.replace(annotation=types.get(name, parameter.annotation))
        for name, parameter in signature.parameters.items()
        if parameter.kind in by_name
    }


# A recipe reads the same classes once for each of its arms.
_parameters_of_class = functools.lru_cache(maxsize=256)(_parameters)


def _as_setting(argument: str) -> str:
    setting = argument.removesuffix("_")
    return setting if keyword.iskeyword(setting) else argument


def _as_argument(setting: str) -> str:
    return f"{setting}_" if keyword.iskeyword(setting) else setting


class _Place(NamedTuple):
    """Where a value stands, for messages."""

    setting: str
    """Such as `-M top_k`, `--limit`, or `own.toml: training: beta`."""
    text: str | None = None
    """What the user typed, still to be parsed; None where the value comes from a file and has its type."""

    def refusal(self, value: object, complaint: str) -> UserError:
        if isinstance(self.text, FileText):
            return UserError(f"{self.setting} = {self.text.shown}: {complaint}")
        if self.text is not None:
            return UserError(f"{self.setting}={self.text}: {complaint}")
        if self.setting.startswith("--") or len(self.setting) == len("-j"):
            shown = f"{value:g}" if isinstance(value, float) else value
            return UserError(f"{self.setting} {shown}: {complaint}")
        return UserError(f"{self.setting} = {json.dumps(value, default=str, ensure_ascii=False)}: {complaint}")


def _read(kind: Any, value: Any, place: _Place) -> Any:
    """Convert a value to this type; a UserError where it does not fit, the same value for a type unknown here."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        read = _read(inner[0], value, place)
        for condition in (mark for mark in inner[1:] if isinstance(mark, Condition) and read is not None):
            if not condition.holds(read):
                raise place.refusal(value, condition.complaint(value))
        return read
    if origin in {Union, UnionType}:
        return _read_union(inner, value, place)
    if origin is Literal:
        allowed = {str(each): each for each in inner}
        if str(value) not in allowed:
            raise place.refusal(value, f"unknown. {did_you_mean(str(value), allowed)}")
        return allowed[str(value)]
    if dataclasses.is_dataclass(kind):
        whole = isinstance(value, cast("type[Any]", kind))
        return value if whole else read_table(cast("type[Any]", kind), _read(dict, value, place), place.setting)
    if (origin or kind) in {dict, Mapping}:
        table = _parsed(Mapping, value, place, "a table", 'a JSON object, such as {"top_k": 20},')
        each_kind = inner[1] if inner else Any
        return {key: _read(each_kind, each, _Place(f"{place.setting}.{key}")) for key, each in table.items()}
    if (origin or kind) in {list, tuple, Sequence}:
        items = _parsed((list, tuple), value, place, "a list", 'a JSON list, such as ["a", "b"],')
        each_kind = inner[0] if inner else Any
        return (list if origin is list else tuple)(_read(each_kind, each, _Place(place.setting)) for each in items)
    return _read_simple(kind, value, place) if kind in _SIMPLE else value


def _read_union(kinds: Sequence[Any], value: Any, place: _Place) -> Any:
    """Convert a value to the first of these types that accepts it."""
    if NoneType in kinds and (value is None or (place.text is not None and value == "none" and str not in kinds)):
        return None
    *others, last = [kind for kind in kinds if kind is not NoneType]
    for kind in others:
        with contextlib.suppress(UserError):
            return _read(kind, value, place)
    return _read(last, value, place)


def _parsed(kinds: Any, value: Any, place: _Place, expected: str, expected_text: str) -> Any:
    """Return a value that must be a table or list; that of an option is parsed as JSON."""
    if place.text is not None:
        expected = expected_text
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(place.text)
    if not isinstance(value, kinds):
        raise place.refusal(value, f"{expected} is expected.")
    return value


# What a file may hold, how that or the text of an option is converted, and how a message words it.
_SIMPLE: Mapping[Any, tuple[tuple[type, ...], Callable[[Any], Any], str]] = {
    str: ((str,), str, "a text"),
    int: ((int,), int, "a whole number"),
    float: ((float, int), float, "a number"),
    bool: ((bool,), lambda value: TRUTHS[str(value).lower()], "true or false"),
    Path: ((Path, str), path_of, "a path"),
    ChainTags: ((list, tuple, str), ChainTags.of, "a pair of different tags, such as <reason>,</reason>,"),
}


def _read_simple(kind: Any, value: Any, place: _Place) -> Any:
    accepted, convert, expected = _SIMPLE[kind]
    has_type = isinstance(value, accepted) and (kind is bool or not isinstance(value, bool))
    try:
        result = convert(value) if has_type or place.text is not None else math.nan
    except (ValueError, LookupError, OverflowError):
        result = math.nan
    if isinstance(result, float) and not math.isfinite(result):
        raise place.refusal(value, f"{expected} is expected.")
    return result


def _metavar(kind: Any) -> str:
    """Return the placeholder by which a message shows a missing value."""
    if get_origin(kind) in {Annotated, Union, UnionType}:
        return _metavar(get_args(kind)[0])
    names: Mapping[object, str] = {Path: "FILE", int: "N", float: "NUMBER", bool: "true"}
    return names.get(kind, "TEXT")
