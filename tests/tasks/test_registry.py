"""Tasks by name, by path, by file, and from installed packages."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packages import install

from dtbench.harness.core.errors import TaskError, UserError
from dtbench.tasks import registry as task_registry
from dtbench.tasks.mini import Mini

OWN_TASK = Path(__file__).resolve().parents[1] / "support" / "own_task.py"
HEAD = "from dtbench.harness.core.task import Task\n"
GOOD = HEAD + "class {name}(Task):\n    name = '{task}'\n    def samples(self, data_dir):\n        return []\n"


@pytest.fixture(autouse=True)
def _forget_what_was_imported() -> Iterator[None]:
    """Modules and folders that a test made are not there for the next."""
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


def file_of(folder: Path, text: str, name: str = "own.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", list(task_registry.TASKS))
def test_a_built_in_task_answers_to_its_own_name(name: str) -> None:
    assert task_registry.get_task(name).name == name


def test_the_smallest_task_of_ones_own_has_at_most_fifteen_lines_of_code() -> None:
    lines = [line for line in OWN_TASK.read_text().splitlines() if line.strip()]
    assert len(lines) <= 15
    assert task_registry.task_from_file(OWN_TASK).name == "birds"


def test_a_task_is_found_by_its_path(folder: Path) -> None:
    file_of(folder, GOOD.format(name="Mine", task="mine"), "my_tasks.py")
    assert task_registry.get_task("my_tasks:Mine").name == "mine"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("mmau", "unknown task 'mmau'. Did you mean mmau-mini or mmau-test or mmau-pro? `dtbench tasks` lists all. "),
        ("MMSU", "unknown task 'MMSU'. Did you mean mmsu"),
        ("", "unknown task ''. Known: mmar"),
        (":", "task ':' is not a path to a class: `package.module:Class` is expected."),
        (".relative:Task", "task '.relative:Task' is not a path to a class"),
        ("a b:Task", "is not a path to a class"),
        ("no_such_module:Task", "no module named 'no_such_module' to load a task from."),
        ("dtbench.no_such:Task", "no module named 'dtbench.no_such' to load a task from."),
        ("dtbench.harness.core.task:Nothing", "the module dtbench.harness.core.task has no Nothing."),
    ],
)
def test_a_name_that_leads_nowhere_is_the_users_to_correct(name: str, complaint: str) -> None:
    with pytest.raises(UserError) as raised:
        task_registry.get_task(name)
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("import no_such_package", "importing it failed with ModuleNotFoundError: No module named 'no_such_package'"),
        ("1 / 0", "importing it failed with ZeroDivisionError: division by zero (broken.py, line 1)."),
        ("Mine = 3", "broken:Mine is int, not a dtbench.Task."),
        (HEAD + "class Mine(Task):\n    name = 'x'", "the task Mine lacks samples()."),
        (GOOD.format(name="Mine", task=""), "the task Mine has no name; add one, such as name = 'my-task'."),
    ],
    ids=["import", "error", "no task", "no samples", "no name"],
)
def test_a_module_that_breaks_the_contract_is_named_with_its_line(folder: Path, text: str, complaint: str) -> None:
    file_of(folder, text, "broken.py")
    with pytest.raises(TaskError) as raised:
        task_registry.get_task("broken:Mine")
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("def (", "running it failed with SyntaxError: "),
        ("x = 1\nraise ValueError('not\\ntoday')", "failed with ValueError: not today (own.py, line 2)."),
        (
            "import no_such_package",
            "failed with ModuleNotFoundError: No module named 'no_such_package' (own.py, line 1)",
        ),
        ("import sys\nsys.exit('bye')", "failed with SystemExit: bye (own.py, line 2)."),
        ("", "one subclass of dtbench.Task is expected, found none."),
        (HEAD, "one subclass of dtbench.Task is expected, found none."),
        (
            GOOD.format(name="One", task="one") + GOOD.format(name="Two", task="two"),
            "one subclass of dtbench.Task is expected, found One, Two.",
        ),
        (HEAD + "class Mine(Task):\n    name = 'x'", "own.py: the task Mine lacks samples()."),
        (GOOD.format(name="Mine", task=""), "own.py: the task Mine has no name; add one, such as name = 'my-task'."),
        (
            GOOD.format(name="Mine", task="x") + "    def __init__(self, size):\n        pass\n",
            "creating the task Mine failed with TypeError: Mine.__init__() missing 1 required positional argument",
        ),
    ],
    ids=["syntax", "raises", "import", "exits", "empty", "no task", "two", "no samples", "no name", "arguments"],
)
def test_a_task_file_that_cannot_be_used_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = file_of(tmp_path, text)
    with pytest.raises(UserError) as raised:
        task_registry.task_from_file(path)
    line = str(raised.value)
    assert line.startswith(f"--task-file{'' if 'the task' in line else f' {path}'}: ")
    assert complaint in line
    assert "\n" not in line


def test_a_base_class_that_tasks_of_a_file_share_is_not_counted(tmp_path: Path) -> None:
    text = (
        HEAD + "class Base(Task):\n    licence = 'mit'\n" + GOOD.format(name="Mine", task="x").replace("Task)", "Base)")
    )
    mine = task_registry.task_from_file(file_of(tmp_path, text))
    assert (mine.name, mine.licence) == ("x", "mit")


def test_a_task_that_a_file_only_imports_is_not_its_own(tmp_path: Path) -> None:
    text = "from dtbench.tasks.mmar import Mmar\nclass Mine(Mmar):\n    name = 'mine'\n"
    assert task_registry.task_from_file(file_of(tmp_path, text)).name == "mine"


def test_a_path_that_is_no_python_file_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "task.txt").write_text("")
    for path, complaint in (
        (tmp_path / "gone.py", "there is no such file."),
        (tmp_path, "this is a folder; a file that defines a task is expected."),
        (tmp_path / "task.txt", "neither a task file nor Python; its name must end in .toml or .py."),
    ):
        with pytest.raises(UserError, match=r"^--task-file ") as raised:
            task_registry.task_from_file(path)
        assert str(raised.value) == f"--task-file {path}: {complaint}"


def test_an_edit_in_the_same_second_and_of_the_same_size_is_seen(tmp_path: Path) -> None:
    path = file_of(tmp_path, GOOD.format(name="Mine", task="one"))
    written = path.stat()
    assert task_registry.task_from_file(path).name == "one"
    path.write_text(path.read_text().replace("one", "two"))
    os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert task_registry.task_from_file(path).name == "two"
    assert [one.name for one in tmp_path.iterdir()] == [path.name], "nothing is left beside a user's file"


def test_an_installed_package_offers_its_task_by_entry_point(folder: Path) -> None:
    install(folder, "dtbench-birds", {"birds": "dtbench_birds:Mine"}, GOOD.format(name="Mine", task="birds"))
    assert task_registry.task_names() == [*task_registry.TASKS, "birds"]
    assert task_registry.get_task("birds").name == "birds"
    with pytest.raises(UserError, match=r"unknown task 'brids'. Did you mean birds"):
        task_registry.get_task("brids")


def test_an_installed_package_cannot_take_the_name_of_a_built_in_task(folder: Path) -> None:
    install(folder, "dtbench-bold", {"mmar": "dtbench_bold:Mine"}, GOOD.format(name="Mine", task="mmar"))
    assert task_registry.task_names() == list(task_registry.TASKS)
    assert type(task_registry.get_task("mmar")).__module__ == "dtbench.tasks.mmar"


def test_two_packages_with_a_task_of_one_name_are_told_apart_by_their_paths(folder: Path) -> None:
    for module in ("dtbench_one", "dtbench_two"):
        install(folder, module, {"birds": f"{module}:Mine"}, GOOD.format(name="Mine", task=module))
    with pytest.raises(UserError, match=r"name one of dtbench_one:Mine or dtbench_two:Mine instead\.$"):
        task_registry.get_task("birds")
    assert task_registry.get_task("dtbench_two:Mine").name == "dtbench_two"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("groupings = ('category',)", "holds 'category'; write (Grouping('Category', ('category',)),)."),
        (
            "groupings = Grouping('Kind', ('kind',)), Grouping('Room', 'room')",
            "absent=None); write (Grouping(",
        ),
        ("groupings = Grouping('Kind', 'kind')", "write (Grouping("),
        ("columns = ('music',)", "holds 'music'; write (Column('Music', {'category': 'music'}),)."),
    ],
)
def test_a_table_that_is_none_is_refused_before_a_question_is_asked(folder: Path, line: str, complaint: str) -> None:
    text = GOOD.format(name="Mine", task="mine") + f"    {line}\n"
    with pytest.raises(UserError) as raised:
        task_registry.task_from_file(file_of(folder, "from dtbench import Grouping\n" + text))
    assert complaint in str(raised.value)


def test_scorers_of_a_task_may_be_named_and_an_unknown_one_is_the_authors_to_correct() -> None:
    class Open(Mini):
        name = "open"
        scorers: Any = ("exact", "contains")

    task = task_registry.as_task(Open, "here")
    assert [one.name for one in task.scorers] == ["exact", "contains"]
    Open.scorers = ("exakt",)
    with pytest.raises(TaskError, match="here: scorers of the task Open: unknown scorer 'exakt'"):
        task_registry.as_task(Open, "here")
