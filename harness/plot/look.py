"""How pictures look, and how they are written: the same data give the same bytes, whatever a user's own style says.

Colours are those of Okabe and Ito, which colour-blind readers tell apart; each run has a marker of its own too, for
print in grey. The words of an SVG stay words: they can be searched and read aloud, show in any script by the fonts of
the viewer, and the file stays small; room is laid out for DejaVu Sans, which is wider than what stands in for it. A PDF
has its fonts inside as TrueType, as publishers ask for.
"""

from __future__ import annotations

import contextlib
import functools
import io
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.core.errors import UserError, one_line
from dtbench.harness.core.installed import install_command

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#E69F00", "#000000", "#009E73", "#D55E00", "#56B4E9", "#CC79A7")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
CHANCE = "#666666"
WIDTH = 6.4
"""Inches: a page's text, or two columns of one."""
_LONGEST = 44
"""Signs of a label; a longer one is cut."""
_OWN = {
    "svg.hashsalt": "dtbench",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "text.parse_math": False,
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "savefig.dpi": 200,
}
_NO_DATE = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


class Marker(NamedTuple):
    """How the points of one run look."""

    colour: str
    marker: str


def mark_of(place: int) -> Marker:
    """Return the look of the run at a place; no two of the first 56 are the same."""
    return Marker(COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)])


def short_label(text: str) -> str:
    """Return a label in one line that leaves room for the picture."""
    line = one_line(text)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


@contextlib.contextmanager
def own_style() -> Iterator[None]:
    """Draw in our style, not the user's, and leave matplotlib's settings as they were."""
    try:
        import matplotlib
    except ImportError:
        raise UserError(f"pictures need matplotlib, which is not here: {install_command('analysis')}.") from None
    usual = {name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith("backend")}
    both: Any = {**usual, **_OWN}
    with matplotlib.rc_context(both), warnings.catch_warnings():
        # A script that DejaVu lacks: an SVG shows it by the viewer's fonts, others a box in its place.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def new_figure(heights: list[float]) -> tuple[Figure, list[Axes]]:
    """Return a figure with axes one below the other, of these heights in inches; within own_style()."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained", facecolor="white")
    axes = figure.subplots(len(heights), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    figure.__dict__["_repr_svg_"] = functools.partial(_svg_text, figure)  # a notebook shows it without pyplot
    return figure, list(axes[:, 0])


def picture_bytes(figure: Figure, format_: str) -> bytes:
    """Return a figure as a file, svg, png or pdf; of the same data the same bytes."""
    out = io.BytesIO()
    with own_style():
        figure.savefig(out, format=format_, metadata=_NO_DATE[format_])
    return out.getvalue()


def _svg_text(figure: Figure) -> str:
    return picture_bytes(figure, "svg").decode()


def add_legend(axes: Axes, handles: list[Any], labels: list[str]) -> None:
    """Put a legend above the picture; its words are written as they are, whatever they begin with."""
    legend = axes.legend(
        handles,
        ["label"] * len(handles),
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=min(len(handles), 1 if max(map(len, labels)) > _LONGEST // 2 else 3),
        borderaxespad=0.2,
    )
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_text(label)


def draw_point(axes: Axes, name: str, mark: Marker, x: float, y: float, *, filled: bool = True) -> Any:
    """Draw one point, which stands in an SVG under this name."""
    (point,) = axes.plot(
        [x],
        [y],
        color=mark.colour,
        marker=mark.marker,
        markerfacecolor=mark.colour if filled else "white",
        markersize=5,
        linestyle="none",
        clip_on=False,  # of 0 and of 100 % all is seen
        zorder=3,
    )
    point.set_gid(name)
    return point


def draw_segment(axes: Axes, name: str, start: tuple[float, float], end: tuple[float, float], **look: Any) -> None:
    """Draw a straight line between two points, which stands in an SVG under this name."""
    (line,) = axes.plot([start[0], end[0]], [start[1], end[1]], **{"linewidth": 1.2, "clip_on": False, **look})
    line.set_gid(name)


def percent_axis(axis: Any, words: str) -> None:
    """Write an axis from 0 to 100 %, with ticks every 20."""
    axis.set_ticks([0, 20, 40, 60, 80, 100])
    axis.set_label_text(words)
