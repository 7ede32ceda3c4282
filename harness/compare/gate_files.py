"""A gate's verdicts as a CI server reads them: JUnit's XML, and Markdown for a job's summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dtbench.harness.compare.gate import GateVerdict, Verdict
from dtbench.harness.compare.words import gate_in_words
from dtbench.harness.stats.paired_tests import FEWEST_CLUSTERS
from dtbench.harness.store.atomic import replace_whole

SIGNS = {"passed": "✅ passed", "regressed": "❌ regressed", "undecided": "❔ undecided"}


def verdict_sentence(one: GateVerdict) -> str:
    """Put the verdict in words, with the figures that it rests on."""
    drop, least, most = (f"{100 * value:+.2f}" for value in (one.difference, one.low, one.high))
    nights = "" if one.nights == 1 else f", the last {one.nights} nights together"
    last = "" if one.since_last is None else f"; since the night before {100 * one.since_last:+.2f}"
    figures = (
        f"{100 * one.before:.2f} -> {100 * one.after:.2f} ({drop} points, {least} to {most} at alpha {one.alpha:.3g}, "
        f"{one.n} questions{nights}{last})"
    )
    if one.verdict == "passed":
        means = "allowed" if one.max_drop_given else "smallest drop that so many questions can decide,"
        allowed = f"less than the {means} {100 * one.max_drop:g} points"
        return f"{figures}: {f'worse, but by {allowed}' if one.high < 0 else f'any drop is {allowed}'}"
    if one.verdict == "regressed":
        beyond = f" by more than the allowed {100 * one.max_drop:g} points" if one.max_drop_given else ""
        return f"{figures}: worse{beyond} (p = {one.p_loss:.2g})"
    if one.few_clusters is not None:
        return (
            f"{figures}: inconclusive, the answers are of {one.few_clusters} clips or questions, and no interval holds "
            f"for fewer than {FEWEST_CLUSTERS} that hang together"
        )
    more = "" if one.needed is None else f"; about {one.needed} questions would give 80 % power"
    return f"{figures}: inconclusive, too few questions{more}"


def write_markdown(path: Path, results: Sequence[GateVerdict], verdict: Verdict) -> None:
    """Write a table of the verdicts."""
    rows = [
        f"| {_cell(one.name)} | {SIGNS[one.verdict]} | {100 * one.before:.2f} | {100 * one.after:.2f} "
        f"| {100 * one.difference:+.2f} | {100 * one.low:+.2f} to {100 * one.high:+.2f} | {one.n} |"
        for one in results
    ]
    first = results[0]
    allowed = (
        f"Allowed drop {100 * first.max_drop:g} points, alpha {first.alpha:.3g} one-sided. With this many questions, "
        f"an equally good candidate passes {100 * first.passes:.0f} % of the time."
    )
    lines = [
        f"## dtbench gate: {SIGNS[verdict]}",
        "",
        _plain(gate_in_words(results, verdict)),
        "",
        "| task | verdict | baseline | candidate | difference | interval | questions |",
        "|---|---|---:|---:|---:|---:|---:|",
        *rows,
        "",
        allowed,
    ]
    replace_whole(path, "\n".join(lines).encode() + b"\n")


def write_junit(path: Path, results: Sequence[GateVerdict], *, undecided_fails: bool) -> None:
    """Write a test case for each verdict; what is undecided is skipped, unless it fails."""
    from xml.etree import ElementTree

    suite = ElementTree.Element("testsuite", name="dtbench gate", tests=str(len(results)))
    failures = skipped = 0
    for one in results:
        case = ElementTree.SubElement(suite, "testcase", classname="dtbench.gate", name=_plain(one.name))
        message = _plain(verdict_sentence(one))
        if one.verdict == "regressed" or (one.verdict == "undecided" and undecided_fails):
            ElementTree.SubElement(case, "failure", message=message, type=one.verdict)
            failures += 1
        elif one.verdict == "undecided":
            ElementTree.SubElement(case, "skipped", message=message)
            skipped += 1
        else:
            ElementTree.SubElement(case, "system-out").text = message
    suite.set("failures", str(failures))
    suite.set("skipped", str(skipped))
    suite.set("errors", "0")
    replace_whole(path, ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True) + b"\n")


def _plain(text: str) -> str:
    """Replace each character that XML cannot contain with "?"."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|").replace("<", "&lt;")
