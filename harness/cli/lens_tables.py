"""What `dtbench probe lens` prints: where tokens settle, where hearing ends, and what each layer says of the answer."""

from __future__ import annotations

from collections.abc import Sequence

from dtbench.harness.cli.tables import print_rows
from dtbench.harness.cli.terminal import print_line
from dtbench.harness.store.lens_probe_types import LensChange, LensCheckpoint, LensFigures, LensKind, PatchedKind
from dtbench.harness.store.share_types import EstimateFigures

NAMES = {
    "opening": "opening tag",
    "first": "first token",
    "content": "content",
    "answer": "answer",
    "direct": "at once",
}
"""Kind of token -> what tables and pictures call it."""
_NO = "-"
_TITLES = ("", "n", "settle", "layer", "p > .5", "chance", "margin", "hears to")
_COLUMNS = (
    "content: words for what is heard; at once: the answer without reasoning; n: tokens; settle: share of them that "
    "are the likeliest at the top; layer: from which on they are, with its 95 % interval, where 0 is the embeddings; "
    "p > .5: the layer from which they also have more than half of the probability; chance: p of another question's "
    "token at the top; margin: log-probability of the right option over the others there; hears to: the layer after "
    "which another clip no longer matters; by layer: p (entropy in bits)"
)
_LAYERS = 13
"""Lines of the table by layer; of deeper models every second, third, ... layer is shown."""


def print_lens(found: LensFigures) -> None:
    """Print what the lens found, a table for each checkpoint."""
    print_line(f"{found['questions']} questions of {found['task']}, on all: {found['text']}")
    for one in found["checkpoints"]:
        print_line("")
        print_line(f"{one['checkpoint']} ({one['layers']} layers{', the control' if 'control' in one else ''})")
        patched = {kind["kind"]: kind for kind in one["patched"]}
        print_rows(_TITLES, [_row(kind, patched.get(kind["kind"]), one["layers"]) for kind in one["kinds"]])
        print_rows(*_by_layer(one))
    if changes := found.get("changes"):
        first, last = found["checkpoints"][0], [one for one in found["checkpoints"] if "control" not in one][-1]
        print_line("")
        print_line(
            f"{last['checkpoint']} less {first['checkpoint']} at the top, question by question, with 95 % intervals"
        )
        print_rows(*_changes(changes, last["layers"]))
    print_line(_COLUMNS)
    for note in found["notes"]:
        print_line(f"note: {note}")


def _row(kind: LensKind, patched: PatchedKind | None, layers: int) -> Sequence[str]:
    settling, top = kind["settling"], kind["layers"][-1]
    share, margin = settling["share"]["value"], top["margin"]
    return (
        NAMES[kind["kind"]],
        str(kind["tokens"]),
        _NO if share is None else f"{100 * share:.0f} %",
        _with_interval(settling["layer"]),
        _number(settling["sure_layer"]),
        _NO if top["other"] is None else _number(top["other"]),
        _NO if margin is None else _number(margin),
        _heard(patched, layers),
    )


def _heard(patched: PatchedKind | None, layers: int) -> str:
    if patched is None or patched["hears"] is None:
        return _NO
    if patched["ends"] is None:
        return "nothing"
    return f"{patched['ends']} of {layers}"


def _changes(changes: Sequence[LensChange], top: int) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Return what changed in what the model itself says, with the control's beside it."""
    shown = [one for one in changes if one["layer"] == top]
    beside = ["control"] if any("control" in one for one in shown) else []
    rows: list[Sequence[str]] = [
        (
            NAMES[one["kind"]],
            one["measure"],
            _signed(one["change"]),
            *([_signed(one["control"])] if "control" in one else []),
        )
        for one in shown
    ]
    return ("", "", "change", *beside), rows


def _signed(estimate: EstimateFigures) -> str:
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    if value is None:
        return _NO
    return f"{value:+.2f}" if low is None or high is None else f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"


def _by_layer(one: LensCheckpoint) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Return probability and entropy by layer, a column for each kind of token."""
    step = -(-one["layers"] // (_LAYERS - 1))
    shown = [layer for layer in range(one["layers"] + 1) if (one["layers"] - layer) % step == 0]
    titles = ("layer", *(NAMES[kind["kind"]] for kind in one["kinds"]))
    rows: list[Sequence[str]] = []
    for layer in shown:
        each = (kind["layers"][layer] for kind in one["kinds"])
        rows.append((str(layer), *(f"{_number(at['probability'])} ({_number(at['entropy'])})" for at in each)))
    return titles, rows


def _number(estimate: EstimateFigures) -> str:
    return _NO if estimate["value"] is None else f"{estimate['value']:.2f}"


def _with_interval(estimate: EstimateFigures) -> str:
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    if value is None:
        return _NO
    return f"{value:.1f}" if low is None or high is None else f"{value:.1f} ({low:.1f}-{high:.1f})"
