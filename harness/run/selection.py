"""The questions that `--ids` and `--limit` choose, and the text files that options name."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import UserError, why_unreadable


def read_ids(ids: Path | Sequence[str]) -> Sequence[str]:
    """Return ids, from a file with one a line or as they are."""
    lines = read_text("--ids", ids).splitlines() if isinstance(ids, Path) else ids
    there = [line.strip() for line in lines if line.strip()]
    if not there:
        where = f" {ids}" if isinstance(ids, Path) else ""
        raise UserError(f"--ids{where}: there is no id in it; one a line is expected.")
    return there


def refuse_unknown_ids(ids: Sequence[str], data: Mapping[str, Dataset]) -> None:
    """Refuse ids that no benchmark has, and a benchmark that has none of them."""
    known = [set(one.ids) for one in data.values()]
    unknown = [id_ for id_ in ids if not any(id_ in those for those in known)]
    if unknown:
        looks = next((repr(id_) for one in data.values() for id_ in one.ids), "nothing")
        raise UserError(
            f"--ids: {len(unknown)} of {len(ids)} ids are not in {' or '.join(data)} (first: {unknown[0]!r}). "
            f"Ids look like {looks}."
        )
    for name, those in zip(data, known, strict=True):
        if those.isdisjoint(ids):
            raise UserError(f"--ids: none of the {len(ids)} ids is in {name}: leave it out of --tasks.")


def select_samples(data: Dataset, limit: int | None, ids: Sequence[str] | None) -> Dataset:
    """Select the first `limit` questions, of those with the given ids where there are any."""
    count = len(data.samples)
    if ids is None and (limit is None or limit >= count):
        return data
    wanted = None if ids is None else set(ids)
    places = (place for place, id_ in enumerate(data.ids) if wanted is None or id_ in wanted)
    return data.select(itertools.islice(places, limit))


def read_text(option: str, path: Path) -> str:
    """Read the file of an option; a UserError where it cannot be read or is not text."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{option} {path}: {why_unreadable(error)}.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{option} {path}: not UTF-8 text (byte {error.start}); is it another kind of file?") from None
