"""Every example of the formats' README runs, on the files that it says are there."""

import doctest
from pathlib import Path

from git_samples import commit, history, put

import data_formats

SQUARE = "def area(side):\n    return side * side\n"
ROWS = (
    '{"instruction": "Give the area of a square.", "input": "side = 3", "output": "9\\n"}\n'
    '{"instruction": "Give the area of a cir\n'
)


def test_the_examples_run(tmp_path, monkeypatch):
    readme = Path(data_formats.__file__).with_name("README.md").read_text()
    assert SQUARE in readme
    assert ROWS in readme
    (tmp_path / "shapes").mkdir()
    (tmp_path / "shapes" / "square.py").write_text(SQUARE)
    (tmp_path / "shapes.jsonl").write_text(ROWS)
    history(
        tmp_path / "counter",
        commit(
            b"Count\n",
            put("app.py", b"import counter\nprint(counter.start + counter.step)\n"),
            put("counter.py", b"start = 0\nstep = 1\n"),
        ),
        commit(b"Count in twos\n", put("counter.py", b"start = 0\nstep = 2\n")),
    )
    monkeypatch.chdir(tmp_path)
    text = readme.replace("\n```\n", "\n\n")  # a fence would count as output
    example = doctest.DocTestParser().get_doctest(text, {}, "README", None, 0)
    failed, attempted = doctest.DocTestRunner().run(example)
    assert failed == 0
    assert attempted > 60
