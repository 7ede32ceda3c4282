"""Models by name, by path, by URL, and from installed packages, with their options."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_server import chatting
from command import call
from packages import install
from pages import blocks
from runs import records

from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.harness.core.schema import Prompt, Sample
from dtbench.models import registry as model_registry
from dtbench.models.backends import open_model
from dtbench.models.checkpoints import families
from dtbench.tasks import registry as task_registry

README = (Path(__file__).parents[2] / "models" / "README.md").read_text(encoding="utf-8")
SAMPLES = [Sample("a", "Which bird?", ("Crow", "Jay"), "Jay", Path("clip"))]
GOOD = """
from __future__ import annotations
from pathlib import Path
from typing import Literal
from dtbench.harness.core.schema import Prompt, Response

class Mine:
    listens, rate, limit_seconds = True, 16000, 30.0

    def __init__(self, *, size: int, warm: float | None = None, quick: bool = False, style: Literal["a", "b"] = "a",
                 file: Path | None = None, more: dict[str, int] | None = None, name="x") -> None:
        self.got = (size, warm, quick, style, file, more, name)

    async def generate(self, prompt: Prompt) -> Response:
        return Response("A")

    def describe(self):
        return {"got": self.got}

    async def aclose(self): ...
"""


@pytest.fixture(autouse=True)
def _forget_what_was_imported() -> Iterator[None]:
    modules, folders = set(sys.modules), list(sys.path)
    yield
    for name in sys.modules.keys() - modules:
        del sys.modules[name]
    sys.path[:] = folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder on the path of imports."""
    sys.path.insert(0, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", sorted(model_registry.MODELS))
def test_a_built_in_model_is_found_by_its_name_and_says_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text('{"id": "a", "text": "(A) Crow"}')
    file = {"replay": "file", "scripted": "script"}.get(name)
    model = open_model(name, {file: str(tmp_path / "lines")} if file else {}, SAMPLES)
    assert model.describe()["name"] == name
    told = asyncio.run(model.generate(Prompt("?", Path("clip"), choices=("Crow", "Jay"), id="a")))
    assert told.text in {"(A) Crow", "(B) Jay"}


def test_right_answers_reach_only_those_that_say_so(folder: Path) -> None:
    (folder / "nosy.py").write_text(GOOD.replace("size: int", "samples: str = ''").replace("(size", "(samples"))
    assert open_model("nosy:Mine", {}, SAMPLES).describe()["got"][0] == ""


def test_a_url_is_an_endpoint() -> None:
    with chatting(models=("a", "b")) as chat:
        model = open_model(chat.url, {"model": "b", "temperature": "0", "extra": '{"best_of": 1}'})
        described = model.describe()
    assert (described["model"], described["sampling"]) == ("b", {"temperature": 0.0, "best_of": 1})


def test_options_come_in_the_types_of_the_constructor(folder: Path) -> None:
    (folder / "mine.py").write_text(GOOD)
    given = {"size": "3", "warm": "0.5", "quick": "yes", "style": "b", "file": "x/y", "more": '{"a": 1}', "name": "1"}
    got = vars(open_model("mine:Mine", given))["got"]
    assert got == (3, 0.5, True, "b", Path("x/y"), {"a": 1}, "1")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "the model mine:Mine needs -M size=N."),
        (
            {"sise": "3"},
            "-M sise=3: the model mine:Mine has no option 'sise'. Did you mean size or file? Known: size, warm, ",
        ),
        ({"size": "big"}, "-M size=big: a whole number is expected."),
        ({"size": "1.5"}, "-M size=1.5: a whole number is expected."),
        ({"size": ""}, "-M size=: a whole number is expected."),
        ({"size": "1", "warm": "nan"}, "-M warm=nan: a number is expected."),
        ({"size": "1", "quick": "perhaps"}, "-M quick=perhaps: true or false is expected."),
        ({"size": "1", "style": "c"}, "-M style=c: unknown. Known: a, b."),
        ({"size": "1", "more": "[1]"}, '-M more=[1]: a JSON object, such as {"top_k": 20}, is expected.'),
    ],
)
def test_an_option_that_does_not_fit_is_the_users_to_correct(
    folder: Path, given: dict[str, str], complaint: str
) -> None:
    (folder / "mine.py").write_text(GOOD)
    with pytest.raises(UserError) as raised:
        open_model("mine:Mine", given)
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"temprature": "1"}, "-M temprature=1: an endpoint has no option 'temprature'. Did you mean temperature"),
        (
            {"absence": "9"},
            "-M absence=9: an endpoint has no option 'absence'. It is called reconnect_timeout now.",
        ),
        ({"temperature": "-1"}, "-M temperature=-1: at least 0 is expected."),
        ({"top_p": "1.5"}, "-M top_p=1.5: 0 to 1 is expected."),
        ({"max_tokens": "0"}, "-M max_tokens=0: at least 1 is expected."),
        ({"timeout": "0"}, "-M timeout=0: at least 0.001 is expected."),
        ({"n": "4"}, "-M n=4: one answer per request is allowed; for several per question use --samples."),
        ({"extra": '{"stream": true}'}, "-M extra: the field 'stream' is not allowed here"),
        ({"api_key": "sk-1"}, "an endpoint has no option 'api_key'"),
    ],
)
def test_what_no_endpoint_takes_is_refused_before_it_is_asked(given: dict[str, str], complaint: str) -> None:
    with pytest.raises(UserError) as raised:
        open_model("http://127.0.0.1:1/v1", given)
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("frist", "unknown model 'frist'. Did you mean first? `dtbench models` lists all families; random, first, "),
        ("gpt", "An endpoint is named by its URL, such as http://127.0.0.1:8000/v1."),
        ("no_such_module:Model", "no module named 'no_such_module' to load a model from."),
        ("a b:Model", "model 'a b:Model' is not a path to a class"),
        ("dtbench.models.plain.replay:Nothing", "the module dtbench.models.plain.replay has no Nothing."),
        ("ftp://host/v1", "--model 'ftp://host/v1': not the URL of an endpoint"),
    ],
)
def test_a_name_that_leads_nowhere_is_the_users_to_correct(name: str, complaint: str) -> None:
    with pytest.raises(UserError) as raised:
        open_model(name, {})
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1 / 0", "broken: importing it failed with ZeroDivisionError: division by zero (broken.py, line 1)."),
        ("Mine = 3", "model broken:Mine is int, not a class."),
        ("class Mine: ...", "model broken:Mine lacks generate(), describe(), aclose()."),
        ("def Mine(size: int): return size", "model broken:Mine lacks generate(), describe(), aclose()."),
        (GOOD.replace("    listens, rate, limit_seconds =", "    x ="), "lacks listens, rate, limit_seconds: see"),
        (GOOD.replace("self.got =", "1 / 0 #"), "creating the model broken:Mine failed with ZeroDivisionError: "),
        (GOOD.replace("size: int", "size: Absent"), "the types of its arguments cannot be read (name 'Absent' is"),
    ],
    ids=["import", "no class", "no methods", "no model of a function", "no fields", "constructor", "types"],
)
def test_a_class_that_breaks_the_contract_is_told_in_one_line(folder: Path, text: str, complaint: str) -> None:
    (folder / "broken.py").write_text(text)
    with pytest.raises(MachineryError) as raised:
        open_model("broken:Mine", {"size": "1"})
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_class_of_the_readme_answers_the_command_beside_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,), command = blocks(README, "python"), blocks(README, "bash")[-1]
    (folder / "mine.py").write_text(code)
    monkeypatch.chdir(folder)
    done = call(*shlex.split(command)[2:])  # after PYTHONPATH=. and dtbench
    assert done.code == 0, done
    answers = [record["response"]["text"] for record in records(folder / "runs" / "longest", "mini")]
    assert len(answers) == 10
    assert all(answer.startswith("I hear: ") for answer in answers)


def test_an_installed_package_offers_its_model_by_entry_point(folder: Path) -> None:
    install(folder, "dtbench-own", {"own": "dtbench_own:Mine"}, GOOD, group="dtbench.models")
    assert model_registry.model_names() == [*model_registry.MODELS, "own", *families.built_in_families()]
    assert open_model("own", {"size": "2"}).describe()["got"][0] == 2
    with pytest.raises(UserError, match=r"unknown model 'onw'. Did you mean own"):
        open_model("onw", {})
    assert task_registry.task_names() == list(task_registry.TASKS)
