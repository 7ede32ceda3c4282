r"""Replace the commands of formulas by plain signs: `\frac{32}{3}` is `32/3`; every other sign keeps its position."""

from __future__ import annotations

import re

from dtbench.harness.extract.patterns import lazy_pattern

_FRACTION = lazy_pattern(r"\\[dt]?frac\s?\{([^{}]{1,80})\}\s?\{([^{}]{1,80})\}")
_ROOT = lazy_pattern(r"(?:\\?sqrt|√)\s?[({]([^(){}]{1,80})[)}]")
_POWER = lazy_pattern(r"\^\s?\{([^{}]{1,20})\}")
_DEGREE = lazy_pattern(r"\^\s?(?:\\circ|\{\s?\\circ\s?\})|\\degree|\u00ba")
_NAMED = lazy_pattern(
    r"\\(?:pm|times|cdot|div|leq?|geq?|neq?|approx|infty|sqrt|pi|mu|lambda|theta|alpha|beta|omega)(?![a-z])|\\%"
)
_SIGNS = {
    "\\%": "%",
    "\\pm": "±",
    "\\times": "×",
    "\\cdot": "·",
    "\\div": "/",
    "\\approx": "≈",
    "\\infty": "∞",
    "\\sqrt": "√",
    "\\le": "≤",
    "\\leq": "≤",
    "\\ge": "≥",
    "\\geq": "≥",
    "\\ne": "≠",
    "\\neq": "≠",
    "\\pi": "π",
    "\\mu": "µ",
    "\\lambda": "λ",
    "\\theta": "θ",
    "\\alpha": "α",
    "\\beta": "β",
    "\\omega": "ω",
}
_MARKUP = lazy_pattern(
    r"\\(?:text(?:bf|it|rm|tt)?|math(?:rm|bf|it|sf)?|mbox|boxed|displaystyle|quad|left|right|[,;:! ()\[\]])|[{}$~]"
)
_MAY_BE_THERE = lazy_pattern(r"[\\$^]| [/:]|\+/-|sqrt")
_PLUS_MINUS = lazy_pattern(r"\+/-")
_APART = lazy_pattern(r"(\d) +([/:]) {0,3}(\d+)")
_THOUSANDS = lazy_pattern(r"(\d)\{,\}(\d{3})")


def without_formulas(text: str) -> str:
    """Write formulas in plain signs, in the same places."""
    if not _MAY_BE_THERE.search(text):
        return text
    text = _THOUSANDS.sub(lambda parts: f"{parts[1]},{parts[2]}".ljust(len(parts[0])), text)
    for _ in range(2):  # a root within a fraction, or a fraction within a root
        text = _ROOT.sub(lambda root: f"√{root[1]}".ljust(len(root[0])), text)
        text = _FRACTION.sub(_over, text)
    text = _DEGREE.sub(lambda degree: "°".ljust(len(degree[0])), text)
    text = _POWER.sub(lambda power: f"^{power[1]}".ljust(len(power[0])), text)
    text = _NAMED.sub(lambda name: _SIGNS[name[0]].ljust(len(name[0])), text)
    text = _MARKUP.sub(lambda command: " " * len(command[0]), text)
    text = _PLUS_MINUS.sub("±  ", text)
    return _APART.sub(lambda parts: "".join(parts.groups()).ljust(len(parts[0])), text)


def _over(fraction: re.Match[str]) -> str:
    return f"{fraction[1].strip()}/{fraction[2].strip()}".ljust(len(fraction[0]))
