"""The lines below a summary that say what papers print beside accuracy: ceiling, chance, confidence, variance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dtbench.harness.store.paper_types import (
        CeilingFigures,
        ChanceFigures,
        ConfidenceFigures,
        PaperFigures,
        VarianceFigures,
    )
    from dtbench.harness.store.share_types import EstimateFigures

WORTH_IT = 0.9
"""More answers help where twice as many bring the standard error to this part of it, or below."""


def paper_lines(figures: PaperFigures) -> Iterator[tuple[str, str]]:
    """Yield the name and text of each line; none where the figures have no such part."""
    if (ceiling := figures.get("ceiling")) is not None and (text := _ceiling(ceiling)):
        yield "ceiling", text
    if (chance := figures.get("chance_corrected")) is not None:
        yield "chance", _chance(chance)
    if (confidence := figures.get("confidence")) is not None:
        yield "confidence", _confidence(confidence)
    if (variance := figures.get("variance")) is not None:
        yield "variance", _variance(variance)


def interval_in_percent(found: EstimateFigures, decimals: int = 1) -> str:
    """Return a figure and its interval in percent; `none` where there is none."""
    value, low, high = found["value"], found["low"], found["high"]
    if value is None or low is None or high is None:
        return "none"
    return f"{value:.{decimals}%} ({low:.{decimals}%} to {high:.{decimals}%})"


def _ceiling(found: CeilingFigures) -> str:
    """Say what the best official score is; nothing where every option gets the verdict that it should."""
    lost, wrong = found["n"] - found["reachable"], found["wrong_called_right"]
    parts = [f"right options wrong in {lost}"] if lost else []
    parts += [f"wrong options right in {wrong}"] if wrong else []
    listed = " and ".join(parts)
    ceiling = f"official ceiling {found['ceiling']:.1%}"
    return f"{ceiling}: the script calls {listed} of {found['n']:,} questions" if listed else ""


def _chance(found: ChanceFigures) -> str:
    official, strict = (interval_in_percent(found[name]) for name in ("official", "strict"))
    return f"guessing gives {found['chance']:.1%}; chance-corrected accuracy: official {official}, strict {strict}"


def _confidence(found: ConfidenceFigures) -> str:
    auroc = f"AUROC {_number(found['auroc'])}, how often a right answer is more confident than a wrong one"
    aurc = f"AURC {_number(found['aurc'])}, the mean share of errors among the most confident answers"
    return f"{auroc}; {aurc}; ECE {_number(found['ece'])}"


def _number(found: EstimateFigures) -> str:
    if found["value"] is None:
        return "none"
    return f"{found['value']:.3f} (95 % interval {found['low']:.3f} to {found['high']:.3f})"


def _variance(found: VarianceFigures) -> str:
    error, answers, questions = (
        found["standard_error"],
        found["with_twice_the_answers"],
        found["with_twice_the_questions"],
    )
    help_ = "help" if answers <= WORTH_IT * error else "hardly help"
    return (
        f"more answers to each question {help_}: the standard error is {100 * error:.2f} points, {100 * answers:.2f} "
        f"with twice as many answers, {100 * questions:.2f} with twice as many questions"
    )
