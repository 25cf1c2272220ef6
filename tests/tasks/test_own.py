"""A person's own problems from a file, and what is said of mistakes in it."""

import json

import pytest

from finetune.errors import UserError
from finetune.tasks import Problem, read_own

ADD = {
    "id": "add",
    "language": "python",
    "prompt": "def add(a, b):\n",
    "tests": "assert add(1, 2) == 3",
}


def written(path, *rows):
    file = path / "mine.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_the_least_that_makes_a_problem(tmp_path):
    (problem,) = read_own(written(tmp_path, ADD))
    assert problem == Problem(**ADD, task="own", origin="own/add", solution="")


def test_every_field_has_its_place(tmp_path):
    row = {
        **ADD,
        "suffix": "\n# end\n",
        "solution": "    return a + b",
        "stops": ["\ndef"],
        "entry_point": "add",
    }
    (problem,) = read_own(written(tmp_path, row), task="sums")
    assert problem.whole == "def add(a, b):\n    return a + b\n# end\n"
    assert (problem.task, problem.stops, problem.entry_point) == ("sums", ("\ndef",), "add")
    assert problem.signature == "def add(a, b):"


def test_blank_lines_hold_no_problem_and_order_is_kept(tmp_path):
    rows = [{**ADD, "id": name} for name in "cab"]
    file = written(tmp_path, rows[0], "", rows[1], "  ", rows[2])
    assert [problem.id for problem in read_own(file)] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "line that is not valid JSON"),
        ("[]", "line that is JSON but not an object"),
        ({**ADD, "entrypoint": "add"}, "unknown field `entrypoint`; did you mean `entry_point`?"),
        ({**ADD, "zzz": 1}, "unknown field `zzz`; remove it"),
        ({"id": "x", "language": "python", "tests": "1"}, "has no `prompt`; it needs `id`,"),
        ({**ADD, "id": 3}, "`id` is to be text that is not empty"),
        ({**ADD, "id": " "}, "`id` is to be text that is not empty"),
        ({**ADD, "tests": ""}, "`tests` is to be text that is not empty"),
        ({**ADD, "prompt": None}, "`prompt` is to be text"),
        ({**ADD, "solution": 1}, "`solution` is to be text"),
        ({**ADD, "stops": "\ndef"}, "`stops` is to be a list of texts"),
        ({**ADD, "stops": [""]}, "`stops` is to be a list of texts"),
        ({**ADD, "prompt": ""}, "`prompt` and `suffix` are empty"),
        (
            {**ADD, "language": "go", "tests": "func main() {}"},
            "`tests` have no `func TestX(t *testing.T)`",
        ),
        ({**ADD, "language": "rust", "tests": "fn check() {}"}, "`tests` have no function that is"),
        (
            {**ADD, "language": "javascript", "tests": "import test from 'node:test'"},
            "`tests` use `node:test`",
        ),
        ({**ADD, "language": "Python"}, "unknown language `Python`; did you mean `python`?"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, row, message):
    file = written(tmp_path, {**ADD, "id": "first"}, row)
    with pytest.raises(UserError) as refused:
        read_own(file)
    assert str(refused.value).startswith(f"{file}:2: {message}")
    assert "\n" not in str(refused.value)


def test_an_id_that_stands_twice_names_the_other_line(tmp_path):
    with pytest.raises(UserError, match=r":3: `id` add stands in line 1 already"):
        read_own(written(tmp_path, ADD, {**ADD, "id": "b"}, ADD))


def test_every_mistake_is_reported_at_once(tmp_path):
    with pytest.raises(UserError) as refused:
        read_own(written(tmp_path, "{", ADD, {**ADD, "id": "", "prompt": 1}))
    starts = [line.partition(".jsonl:")[2][:2] for line in str(refused.value).splitlines()]
    assert starts == ["1:", "3:", "3:"]


def test_a_flood_of_mistakes_is_cut_off_and_counted(tmp_path):
    with pytest.raises(UserError) as refused:
        read_own(written(tmp_path, *["{"] * 25))
    lines = str(refused.value).splitlines()
    assert (len(lines), lines[-1]) == (21, "... and 5 more")


def test_a_file_of_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no problems"):
        read_own(written(tmp_path, ""))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.jsonl: cannot be read \(No such file"):
        read_own(tmp_path / "none.jsonl")


def test_a_benchmarks_name_is_not_for_ones_own(tmp_path):
    with pytest.raises(UserError, match="`mbpp` is a benchmark's name"):
        read_own(written(tmp_path, ADD), task="mbpp")
