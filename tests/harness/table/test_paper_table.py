"""`dtbench table`: the same runs as Markdown, LaTeX, CSV, HTML and JSON, with what each sign rests on."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from command import call
from made_up_run import number_of, write_run
from small_data import mmar_items, mmsu_items, write_json

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Sample
from dtbench.harness.stats.paired_tests import holm, mcnemar
from dtbench.harness.table.formats import escape_csv, escape_markdown
from dtbench.harness.table.latex import escape_latex
from dtbench.harness.table.paper_table import paper_table

QUESTIONS = 60
HOSTILE = '=HYPERLINK("http://evil.test") | [a](b) <b>x</b> \\\\ $&#_%^~{} @all `c` www.evil.test\x1b[31m\nnext'


def says_gold(sample: Sample, repeat: int) -> str:
    return str(sample.answer)


def says_gold_in_two_thirds(sample: Sample, repeat: int) -> str:
    return str(sample.answer) if number_of(sample) % 3 else "I cannot tell."


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    write_json(folder / "data" / "MMAR-meta.jsonl", mmar_items(QUESTIONS))
    for name, says in (("base", says_gold_in_two_thirds), ("tuned", says_gold)):
        write_run(folder / name, {"mmar": folder / "data"}, says)
    return folder / "base", folder / "tuned"


MARKDOWN = """\
| MMAR: deep reasoning in speech, audio, music and their mix | Avg | Content Analysis | Music Theory |
| --- | ---: | ---: | ---: |
| n | 60 | 30 | 30 |
| Guessing | 36.1 | 36.1 | 36.1 |
| base | <u>66.7</u>° | <u>66.7</u>° | <u>66.7</u>° |
| tuned | **100.0**°† | **100.0**°† | **100.0**°† |

Official accuracy in %, by the benchmark's own script.<br>
°: the whole 95 % interval lies above what guessing gives.<br>
†: differs from base (paired test on the same questions, p &lt; 0.05 after Holm's correction for 3 cells).<br>
Bold: best of a column; underlined: second best.
"""
LATEX = r"""
\toprule
 & Avg & Content Analysis & Music Theory \\
$n$ & 60 & 30 & 30 \\
\midrule
Guessing & 36.1 & 36.1 & 36.1 \\
\midrule
base & \underline{66.7}$^{\circ}$ & \underline{66.7}$^{\circ}$ & \underline{66.7}$^{\circ}$ \\
 & {\scriptsize(54.1--77.3)} & {\scriptsize(48.8--80.8)} & {\scriptsize(48.8--80.8)} \\
tuned & \textbf{100.0}$^{\circ\dagger}$ & \textbf{100.0}$^{\circ\dagger}$ & \textbf{100.0}$^{\circ\dagger}$ \\
 & {\scriptsize(94.0--100.0)} & {\scriptsize(88.6--100.0)} & {\scriptsize(88.6--100.0)} \\
\bottomrule
\end{tabular}
\end{table}
"""


def table(runs: tuple[Path, Path], *options: str | Path) -> str:
    """What `dtbench table` prints of both runs, by sub-category."""
    done = call("table", *runs, "--label", "base", "--label", "tuned", "--by", "sub-category", *options)
    assert done.code == 0, done
    return done.out


def test_markdown_is_exactly_this(runs: tuple[Path, Path]) -> None:
    assert table(runs, "--md") == MARKDOWN


def test_latex_is_exactly_this_with_intervals_below(runs: tuple[Path, Path]) -> None:
    text = table(runs, "--latex", "--interval", "below")
    assert text.endswith(LATEX)
    assert text.startswith("% needs \\usepackage{booktabs}\n\\begin{table}\n\\centering\n\\caption{MMAR: deep")
    assert_sound_latex(text)


def test_csv_has_every_figure_with_interval_count_and_adjusted_p(runs: tuple[Path, Path]) -> None:
    rows = {row["row"]: row for row in csv.DictReader(io.StringIO(table(runs, "--csv", "--decimals", "2")))}
    assert [*rows] == ["Guessing", "base", "tuned"]
    names = ("Music Theory", "Music Theory low", "Music Theory high", "Music Theory n", "Music Theory adjusted p")
    assert [rows["base"][name] for name in names] == ["66.67", "48.78", "80.77", "30", ""]
    assert [rows["tuned"][name] for name in names] == ["100.00", "88.65", "100.00", "30", "0.0039"]
    assert [rows["Guessing"][name] for name in names] == ["36.11", "", "", "", ""]
    assert [rows["base"][name] for name in ("kind", "source", "score")] == ["run", str(runs[0]), "official"]


class Cells(HTMLParser):
    """The rows of an HTML table as lists of texts, and the tags that were opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip("\n")


def test_html_has_the_same_cells(runs: tuple[Path, Path]) -> None:
    found = Cells(table(runs, "--html", "--interval", "brackets"))
    assert found.rows[1] == ["n", "60", "30", "30"]
    assert found.rows[3] == ["base", "66.7° (54.1-77.3)", "66.7° (48.8-80.8)", "66.7° (48.8-80.8)"]
    assert (found.tags.count("b"), found.tags.count("u"), found.tags.count("script")) == (3, 3, 0)


def test_json_says_what_the_signs_rest_on(runs: tuple[Path, Path]) -> None:
    from jsonschema import Draft202012Validator

    (found,) = json.loads(table(runs, "--json"))
    schema = Path(__file__).parents[3] / "harness" / "store" / "schemas" / "table.schema.json"
    Draft202012Validator(json.loads(schema.read_text())).validate([found])
    tuned = found["rows"][-1]["cells"]
    expected = holm([mcnemar(20, 0), mcnemar(10, 0), mcnemar(10, 0)])
    assert [cell["p_adjusted"] for cell in tuned] == pytest.approx(expected)
    assert [cell["difference"] for cell in tuned] == pytest.approx([1 / 3] * 3)
    assert [cell["beyond_chance"] for cell in tuned] == [True] * 3
    assert [cell["chance"] for cell in tuned] == pytest.approx([(1 / 2 + 1 / 3 + 1 / 4) / 3] * 3)


def test_a_difference_that_may_be_chance_gets_no_sign(tmp_path: Path, runs: tuple[Path, Path]) -> None:
    def says(sample: Sample, repeat: int) -> str:
        return str(sample.answer) if number_of(sample) % 3 or number_of(sample) < 7 else "I cannot tell."

    write_run(tmp_path / "close", {"mmar": runs[0].parent / "data"}, says)
    made = paper_table([runs[0], tmp_path / "close"], by="sub-category")
    cell = made.tables[0]["rows"][-1]["cells"][0]
    assert cell is not None
    assert cell["difference"] == pytest.approx(3 / 60)
    assert cell["p_adjusted"] == pytest.approx(3 * mcnemar(3, 0))
    assert "†: differs from" in made.to_markdown()
    assert "none does" in made.to_markdown()


def test_the_official_columns_are_the_default_and_the_word_group_means_them(runs: tuple[Path, Path]) -> None:
    plain = paper_table(runs)
    assert [column["title"] for column in plain.tables[0]["columns"]][:4] == ["Avg", "sound", "music", "speech"]
    assert paper_table(runs, by="group").tables[0]["columns"] == plain.tables[0]["columns"]
    assert [column["title"] for column in paper_table(runs, by="task").tables[0]["columns"]] == ["mmar"]


def test_published_rows_are_marked_have_a_source_and_no_test(runs: tuple[Path, Path]) -> None:
    made = paper_table(runs, reports=["Gemini 2.5 Pro", "VISA"])
    gemini = next(row for row in made.tables[0]["rows"] if row["label"] == "Gemini 2.5 Pro")
    assert gemini["kind"] == "published"
    assert gemini["cells"][0] is not None
    assert gemini["cells"][0]["value"] == pytest.approx(0.747)
    assert [cell and round(100 * cell["value"], 1) for cell in gemini["cells"][1:4]] == [67.3, 56.8, 82.0]
    assert all(cell is None or "p_adjusted" not in cell for cell in gemini["cells"])
    shown = made.to_markdown()
    assert "| *Published, not paired* |" in shown
    assert re.search(r"^\| Gemini 2\.5 Pro <sup>(\w)</sup> \| <u>74\.7</u> \|", shown, re.MULTILINE)
    assert "not comparable: agent" in shown
    visa = next(row for row in made.tables[0]["rows"] if row["label"] == "VISA")
    assert all(cell is None or "rank" not in cell for cell in visa["cells"])


def test_all_published_reports_that_can_be_compared_come_with_one_switch(runs: tuple[Path, Path]) -> None:
    rows = paper_table(runs, published=True).tables[0]["rows"]
    published = [row for row in rows if row["kind"] == "published"]
    assert len(published) > 20
    assert {row["not_comparable"] for row in published} == {""}
    values = [row["cells"][0]["value"] for row in published if row["cells"][0] is not None]
    assert values == sorted(values, reverse=True)


def test_of_several_benchmarks_a_note_says_which_has_no_such_report(tmp_path: Path) -> None:
    write_json(tmp_path / "mmar" / "MMAR-meta.jsonl", mmar_items(6))
    write_json(tmp_path / "mmsu" / "question" / "mmsu.jsonl", mmsu_items(6))
    write_run(tmp_path / "run", {"mmar": tmp_path / "mmar", "mmsu": tmp_path / "mmsu"}, says_gold)
    mmar, mmsu = paper_table(tmp_path / "run", reports=["VISA"]).tables
    assert [row["label"] for row in mmar["rows"] if row["kind"] == "published"] == ["VISA"]
    assert [row["label"] for row in mmsu["rows"] if row["kind"] == "published"] == []
    assert mmsu["notes"][-1] == "mmsu: no published report of VISA"
    by_task = paper_table(tmp_path / "run", by="task")
    assert [column["title"] for column in by_task.tables[0]["columns"]] == ["mmar", "mmsu"]
    assert paper_table(tmp_path / "run").to_markdown().count("### ") == 2
    assert len(list(csv.DictReader(io.StringIO(paper_table(tmp_path / "run").to_csv())))) == 4


def test_the_strict_score_counts_every_question(runs: tuple[Path, Path]) -> None:
    (found,) = json.loads(table(runs, "--json", "--score", "strict"))
    assert [cell["n"] for cell in found["rows"][1]["cells"]] == [60, 30, 30]
    assert found["caption"][0].startswith("Strict accuracy in %: every question counts")


def judged(run: Path, rubrics: float) -> None:
    """Put the summary of a judge beside a run."""
    figures = {"rubrics": rubrics, "low": rubrics - 5, "high": rubrics + 5, "accuracy": 66.67}
    summary: dict[str, Any] = {
        "run": str(run),
        "judge": "the judge",
        "status": "done",
        "tokens": {},
        "task": "mmar",
        "n": 60,
        "right": 40,
        "calls": 5,
        "unscored": 0,
        "unscored_ids": [],
        "unscored_why": {},
        "without_chain": 0,
        "agreement": None,
        **figures,
        "groups": {"sub-category": {"Music Theory": {"n": 30, **figures, "rubrics": rubrics + 1}}},
    }
    (run / "judge-the-judge").mkdir()
    (run / "judge-the-judge" / "summary.json").write_text(json.dumps(summary))


def test_marks_of_a_judge_stand_in_a_column_and_by_group(tmp_path: Path, runs: tuple[Path, Path]) -> None:
    data = {"mmar": runs[0].parent / "data"}
    for name, rubrics in (("one", 40.0), ("other", 50.0)):
        write_run(tmp_path / name, data, lambda sample, _: f"<think>{'a' * 8}</think>{sample.answer}")
        judged(tmp_path / name, rubrics)
    both = [tmp_path / "one", tmp_path / "other"]
    (found,) = paper_table(both, rubric=True).tables
    assert [column["title"] for column in found["columns"][-2:]] == ["Rubrics", "Reasoning"]
    assert [row["cells"][-2]["value"] for row in found["rows"] if row["kind"] == "run" and row["cells"][-2]] == [
        0.4,
        0.5,
    ]
    assert {row["cells"][-1]["value"] for row in found["rows"] if row["kind"] == "run" and row["cells"][-1]} == {8.0}
    (by_group,) = paper_table(both, score="rubric", by="sub-category").tables
    assert [cell and cell["value"] for cell in by_group["rows"][1]["cells"]] == [0.5, None, 0.51]
    assert "judged by the judge" in " ".join(found["caption"])


def test_marks_of_several_judges_stand_side_by_side_and_are_never_mixed(
    tmp_path: Path, runs: tuple[Path, Path]
) -> None:
    for name in ("one", "other"):
        write_run(tmp_path / name, {"mmar": runs[0].parent / "data"}, says_gold)
        judged(tmp_path / name, 40.0)
    summary = tmp_path / "other" / "judge-the-judge" / "summary.json"
    summary.write_text(summary.read_text().replace('"the judge"', '"a stricter one"'))
    both = [tmp_path / "one", tmp_path / "other"]
    (found,) = paper_table(both).tables
    assert [column["title"] for column in found["columns"][-2:]] == [
        "Rubrics by the judge",
        "Rubrics by a stricter one",
    ]
    assert [[cell and cell["value"] for cell in row["cells"][-2:]] for row in found["rows"][-2:]] == [
        [0.4, None],
        [None, 0.4],
    ]
    with pytest.raises(UserError, match="several judges scored these runs"):
        paper_table(both, score="rubric")


def test_columns_of_two_headings_know_what_guessing_gives(tmp_path: Path) -> None:
    write_json(tmp_path / "data" / "question" / "mmsu.jsonl", mmsu_items(12))
    write_run(tmp_path / "run", {"mmsu": tmp_path / "data"}, says_gold)
    (found,) = paper_table(tmp_path / "run").tables
    guessing, run = found["rows"]
    known = [one and one["value"] for one in guessing["cells"]]
    assert [one is None for one in known] == [one is None for one in run["cells"]]
    assert 0.25 in known
    assert sum(one is not None for one in known) > 3


def test_rubrics_without_a_judge_are_one_clear_error(runs: tuple[Path, Path]) -> None:
    assert "no judge has scored" in call("table", runs[0], "--rubric").refusal()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "table: one run folder or more is expected"),
        (("--by", "catgory"), "--by catgory: mmar has no such heading. Did you mean category or sub-category?"),
        (("--score", "both"), "--score both: unknown."),
        (("--md", "--csv"), "only one of these is allowed"),
        (("--out", "table.docx"), "--out table.docx: the extension sets the format"),
        (("--label", "a", "--label", "b"), "--label b: there is no run for it; 1 run is named."),
        (("--with", "Gemini 9"), "--with Gemini 9: no published report of it on mmar. Did you mean Gemini"),
        (("--published", "--score", "strict"), "published scores are official ones"),
        (("--task", "mmsu"), "--task mmsu: none of the runs has it."),
    ],
)
def test_what_cannot_be_is_one_clear_error(options: tuple[str, ...], expected: str, runs: tuple[Path, Path]) -> None:
    assert expected in call("table", *(runs[:1] if options else ()), *options).refusal()


def test_a_file_is_written_in_the_format_of_its_ending(tmp_path: Path, runs: tuple[Path, Path]) -> None:
    out = tmp_path / "table.md"
    assert table(runs, "--out", out) == f"table {out}\n"
    assert out.read_text() == MARKDOWN


def test_settings_that_differ_are_said_beside_the_table(tmp_path: Path, runs: tuple[Path, Path]) -> None:
    other = tmp_path / "warm"
    write_run(other, {"mmar": runs[0].parent / "data"}, says_gold)
    info = json.loads((other / "run.json").read_text())
    (other / "run.json").write_text(json.dumps({**info, "long_clips": "windows"}))
    done = call("table", runs[0], other, "--label", "base", "--label", "warm", "--md")
    assert "note: warm: long-clips differs from base: cut vs windows" in done.err
    assert "Note: warm: long-clips differs from base" in done.out


SPECIALS = re.compile(r"\\(?:[{}$&#_%\\]|[a-zA-Z]+)")


def assert_sound_latex(text: str) -> None:
    """Braces and dollars are balanced, nothing special stands bare, and every row has as many cells as columns."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    plain = SPECIALS.sub(lambda found: "" if len(found[0]) > 2 or found[0] == "\\\\" else "x", body)
    depth = 0
    for sign in plain:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0
    math = re.sub(r"\$[^$]*\$", "", plain)
    assert not set(math) & set('$#%~^_\\`<>|"')
    columns = len(body.split(r"\begin{tabular}{")[1].split("}")[0])
    rows = [line for line in body.splitlines() if line.endswith("\\\\") and "\\multicolumn" not in line]
    assert rows
    assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {columns}


def test_hostile_labels_are_words_in_every_format(runs: tuple[Path, Path]) -> None:
    made = paper_table(runs, labels=[HOSTILE, "[0.5em] *"])
    assert_sound_latex(made.to_latex())
    assert "\n{[}0.5em{]} {*} &" in made.to_latex()
    assert "lualatex" not in made.to_latex()
    assert "lualatex" in paper_table(runs, labels=["雨の音"]).to_latex()
    found = Cells(made.to_html())
    assert {"script", "img", "a"} & {*found.tags} == set()
    assert found.rows[-2][0].startswith('=HYPERLINK("http://evil.test") | [a](b) <b>x</b>')
    rows = list(csv.DictReader(io.StringIO(made.to_csv())))
    assert rows[-2]["row"].startswith("'=HYPERLINK(")
    lines = [line for line in made.to_markdown().splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {len(made.tables[0]["columns"]) + 2}
    done = call("table", *runs, "--label", HOSTILE)
    assert (done.code, "\x1b[31m" in done.out) == (0, False)


@pytest.mark.parametrize(
    ("text", "latex", "markdown", "field"),
    [
        ("a_b & 50%", r"a\_b \& 50\%", r"a\_b &amp; 50%", "a_b & 50%"),
        ("-1+1", "-1+1", "-1+1", "'-1+1"),
        (" @x", " @x", " &#64;<!-- -->x", "' @x"),
        ("~^\\", r"\textasciitilde{}\textasciicircum{}\textbackslash{}", "\\~^\\\\", "~^\\"),
        ("a\nb\x00", r"a b\textbackslash{}x00", "a b\\\\x00", "a b\\x00"),
    ],
)
def test_each_format_has_its_own_signs_escaped(text: str, latex: str, markdown: str, field: str) -> None:
    assert (escape_latex(text), escape_markdown(text), escape_csv(text)) == (latex, markdown, field)


def test_runs_of_one_model_are_told_apart_by_their_folders(runs: tuple[Path, Path]) -> None:
    rows = [row["label"] for row in paper_table(runs).tables[0]["rows"] if row["kind"] == "run"]
    assert rows == ["made up (base)", "made up (tuned)"]
    with pytest.raises(UserError, match="given to two runs"):
        paper_table(runs, labels=["same", "same"])


def test_a_notebook_shows_the_table_itself(runs: tuple[Path, Path]) -> None:
    assert Cells(paper_table(runs)._repr_html_()).rows[0][0].startswith("MMAR: deep reasoning")
