"""Print the summary of forced answers: confidence, calibration, and a reliability diagram."""

from __future__ import annotations

from collections.abc import Iterator

from dtbench.harness.store.summary_types import (
    AverageFigures,
    CalibrationFigures,
    ForcedFigures,
    StyleFigures,
    TaskSummary,
)

WIDTH = 25


def forced_lines(summary: TaskSummary) -> Iterator[tuple[str, str]]:
    """Yield the name and text of each line below the table."""
    if (forced := summary.get("forced")) is not None:
        yield "forced", _forced(forced)
        if (figures := forced["calibration"]) is not None:
            yield "calibration", _calibration(figures)
    if (plain := summary.get("vs_plain")) is not None:
        yield "plain run", _plain(plain, known=summary["strict"]["accuracy"] is not None)
    if (averaged := summary.get("order_averaged")) is not None:
        yield "averaged", _averaged(averaged)


def reliability_lines(summary: TaskSummary) -> Iterator[str]:
    """Yield a line for each bin of confidence, with accuracy as a bar and confidence as a mark on it."""
    figures = summary["forced"]["calibration"] if "forced" in summary else None
    if figures is None:
        return
    yield f"{'confidence':<13}{'answers':>7}  {'accuracy':>8}  (# how often right, | how sure)"
    for one in figures["bins"]:
        span = f"{100 * one['low']:.0f} to {100 * one['high']:.0f} %"
        yield f"{span:<13}{one['n']:>7}  {one['accuracy']:>8.1%}  {_bar(one['accuracy'], one['confidence'])}"


def _bar(accuracy: float, confidence: float) -> str:
    """Return accuracy as a bar of signs, with confidence as a mark on it."""
    filled, mark = round(accuracy * WIDTH), min(WIDTH - 1, int(confidence * WIDTH))
    row = ["#" if place < filled else "." for place in range(WIDTH)]
    row[mark] = "|"
    return "".join(row)


def _forced(forced: ForcedFigures) -> str:
    parts = [f"{forced['n']} answers"]
    if forced["no_letter"]:
        parts.append(f"{forced['no_letter']} are no bare letter, and no answer")
    if forced["started_with_chain"]:
        parts.append(f"{forced['started_with_chain']} began a chain in its place: serve it without a reasoning parser")
    parts += _without_probability(forced)
    if forced["not_argmax"]:
        parts.append(f"{forced['not_argmax']} were not the likeliest option")
    if forced["letter_mass"] is not None and forced["letter_mass"] < 0.9995:
        parts.append(f"the letters had {forced['letter_mass']:.1%} of the probability")
    if forced["calibration"] is None and forced["confidence"] is not None:
        parts.append(f"confidence {forced['confidence']:.1%}")
    return "; ".join(parts)


def _without_probability(forced: ForcedFigures) -> Iterator[str]:
    """Say which answers have no probability, and why."""
    letters = forced["n"] - forced["no_letter"] - forced["started_with_chain"]
    if "note" in forced:
        yield forced["note"]
    elif letters > forced["with_logprobs"]:
        yield f"{letters - forced['with_logprobs']} came without log-probabilities"
    if forced["with_logprobs"] > forced["scored"]:
        yield f"{forced['with_logprobs'] - forced['scored']} have too few log-probabilities of the other options"


def _calibration(figures: CalibrationFigures) -> str:
    sure = f"confidence {figures['confidence']:.1%} at an accuracy of {figures['accuracy']:.1%}"
    others = f"{figures['ece_equal_mass']:.3f} in bins of equal size, {figures['ece_by_chance']:.3f} by chance alone"
    error = f"ECE {figures['ece']:.3f} ({others})"
    return f"{sure}; {error}; Brier {figures['brier']:.3f}; {figures['n']} answers"


def _plain(plain: StyleFigures, *, known: bool) -> str:
    if not plain["n"]:
        return "no question was answered in both runs"
    differ, gap = plain["differ"], plain["gap"]
    parts = []
    if differ is not None:
        share = f"{differ['accuracy']:.1%} of {differ['n']} choices are others there"
        parts.append(f"{share} (95 % interval {differ['low']:.1%} to {differ['high']:.1%})")
    if plain["no_choice"]:
        parts.append(f"{plain['no_choice']} without a choice in one of the runs")
    if known and gap is not None and differ is not None:
        points, low, high = (f"{100 * gap[name]:+.1f}" for name in ("gap", "low", "high"))
        both = f"strict {plain['this']:.1%} here, {plain['plain']:.1%} there"
        parts.append(f"{both}: {points} points (95 % interval {low} to {high})")
    return "; ".join([*parts, f"{plain['n']} questions, {plain['unmatched']} left out"])


def _averaged(averaged: AverageFigures) -> str:
    strict, figures = averaged["strict"], averaged["calibration"]
    if strict is None or figures is None:
        return "the right answers are not known" if averaged["n"] else "no question has probabilities in every order"
    share = f"{strict['accuracy']:.2%} strict by mean probability over {averaged['orders']} orders"
    return f"{share} of {averaged['n']} questions, {averaged['unmatched']} left out; ECE {figures['ece']:.3f}"
