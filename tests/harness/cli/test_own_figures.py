from __future__ import annotations

from dtbench.harness.cli.own_figures import MOST_LINES, own_lines


def test_figures_of_a_tasks_own_are_printed_by_the_keys_above_them() -> None:
    own = {"hops": {"tracks": {"Animal": {"single": 0.51239, "given": None}}, "average": {"single": 1}}}
    assert list(own_lines({"task": "sakura", "official": {}, "lm_eval": {}, **own})) == [
        ("hops", "tracks, Animal: single 0.5124, given none"),
        ("hops", "average: single 1"),
    ]
    assert list(own_lines({"score": 0.25})) == [("score", "0.25")]


def test_a_figure_with_line_breaks_or_of_a_thousand_parts_floods_no_terminal() -> None:
    assert list(own_lines({"odd\nname": {"a\nb": 1}})) == [("odd name", "a b 1")]
    assert len(list(own_lines({"many": {str(number): {"x": 1} for number in range(1000)}}))) == MOST_LINES
