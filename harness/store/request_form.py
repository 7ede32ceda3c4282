"""Compare the form in which an endpoint takes requests with that of the answers that a folder has.

What the first question of a start finds is kept in run.json. Of it the fields that an endpoint refused, the way to send
a clip and the structure of a forced answer change answers; names of fields and streams do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.store.types import StartInfo

_COMPARED = {
    "left_out": "fields of sampling that the endpoint refused",
    "audio_part": "way to send clips",
    "structure": "structure of a forced answer",
}
"""What of a form changes answers, in the words of a user."""


def refuse_other_form(where: Path, earlier: Sequence[StartInfo], found: Mapping[str, Any]) -> None:
    """Raise a UserError where answers would be mixed with those of requests in another form."""
    forms = [start["preflight"]["form"] for start in earlier if "form" in start.get("preflight", {})]
    if not forms or "form" not in found:
        return
    differences = list(_differences(forms[-1], found["form"]))
    if differences:
        raise UserError(
            f"{where} was made with other requests ({'; '.join(differences)}): its endpoint accepts "
            "different ones now. Use another --out."
        )


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name, noun in _COMPARED.items():
        one, other = before.get(name), now.get(name)
        if one is not None and other is not None and one != other:
            yield f"{noun}: {_shown(one)}; now {_shown(other)}"


def _shown(value: Any) -> str:
    return (", ".join(value) or "none") if isinstance(value, list) else str(value)
