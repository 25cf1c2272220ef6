"""A corpus with one of everything that must not be learned: all of it is caught, the rest kept."""

import gzip
import json
import re
import textwrap

import pytest

from finetune.corpus import read_documents
from finetune.corpus.minhash import grams, jaccard
from finetune.corpus.prepare import prepare_corpus, what_to_avoid
from finetune.recipe.schema import Data
from finetune.run_folder import RunFolder, read_lines
from tests.corpus.secret_samples import PEM, PEM_BODY, SECRETS

MIT = """MIT License

Copyright (c) 2020 Jane Doe

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""
GPL_NOTICE = """\
# This program is free software: you can redistribute it and/or modify
# it under the terms of the GNU General Public License as published by
# the Free Software Foundation, either version 3 of the License, or
# (at your option) any later version.
"""


def long_module(name):
    """Two hundred lines, all different."""
    return "".join(
        f"def {name}_{number}(first, second):\n    return first * {number} + second - {number}7\n"
        for number in range(100)
    )


ORIGINAL = "# Sums of products, one for each number.\n" + long_module("sum")
# A name in every ninth line: each changes five grams, so that about eight in ten stay.
RENAMED = "\n".join(
    line.replace("first", "alpha", 1) if number % 11 == 0 else line
    for number, line in enumerate(long_module("sum").split("\n"))
)
LEAKY = "".join(f"# {kind}\nvalue_{i} = '{SECRETS[kind]}'\n" for i, kind in enumerate(SECRETS))
PERSONAL = (
    "# Author: Jane Doe <jane.doe@acme.org>\nHOST = '93.184.215.14'\npassword = 'k9mPq2wX'\n"
    f'KEY = """{PEM}"""\n'
)
GOOD = {f"good_{number}.py": f"def good_{number}():\n    return {number}\n" for number in range(20)}
FILES = {
    "LICENSE": MIT,
    "original.py": ORIGINAL,
    "renamed.py": RENAMED,
    "copy_of_good_3.py": GOOD["good_3.py"],
    "leaky.py": LEAKY,
    "personal.py": PERSONAL,
    "gpl.py": GPL_NOTICE + "def taken():\n    return 1\n",
    "vendor/closed/LICENSE": "All rights reserved. Ask us.\n",
    "vendor/closed/closed.py": "def closed():\n    return 2\n",
    **GOOD,
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The run, and what it printed."""
    root = tmp_path_factory.mktemp("planted")
    for owner, files in (("lib", FILES), ("out", {"a.py": "def a():\n    return 'a'\n"})):
        for name, text in files.items():
            (root / owner / name).parent.mkdir(parents=True, exist_ok=True)
            (root / owner / name).write_text(text)
    (root / "out" / "LICENSE").write_text(MIT)
    (root / "opt_out.txt").write_text("# asked in March\nowner: Leave-Me\n")
    data = Data(
        sources=[
            {"format": "source_code", "path": str(root / "lib"), "repo": "jane/lib"},
            {"format": "source_code", "path": str(root / "out"), "repo": "leave-me/out"},
        ],
        holdout=0.1,
        curate={"licences": "permissive", "opt_out": str(root / "opt_out.txt")},
        workers=1,
    )
    run = RunFolder(root / "run")
    summary = prepare_corpus(data, run, what_to_avoid(data.curate, None))
    return run, summary


def texts_of(planted):
    run, _ = planted
    found = read_documents(run.train_corpus) + read_documents(run.holdout_corpus)
    return {one.path: one.text for one in found}


def test_the_renamed_copy_is_as_similar_as_stated():
    assert 0.78 < jaccard(grams(ORIGINAL), grams(RENAMED)) < 0.84


def test_everything_planted_is_dropped_for_its_reason(planted):
    assert {line["path"]: line["reason"] for line in read_lines(planted[0].drops)} == {
        "renamed.py": "near-duplicate of one that is kept",
        "good_3.py": "exact duplicate of one that is kept",
        "gpl.py": "licence GPL-3.0-or-later is not permitted",
        "vendor/closed/closed.py": "a licence is stated that is not recognised",
        "a.py": "opted out: owner",
    }


def test_what_is_good_is_kept(planted):
    kept = texts_of(planted)
    assert {*GOOD, "original.py", "copy_of_good_3.py"} - {"good_3.py"} <= {*kept}
    assert all(kept[name] == GOOD[name] for name in GOOD if name in kept)


def test_a_duplicate_says_what_stands_for_it(planted):
    run, _ = planted
    (line,) = (line for line in read_lines(run.drops) if line["path"] == "renamed.py")
    (kept,) = (line for line in read_lines(run.manifest) if line["path"] == "original.py")
    assert line["duplicate_of"] == kept["id"]


def test_no_secret_is_left_in_any_file_of_the_run(planted):
    run, _ = planted
    hidden = [max(re.findall(r"[A-Za-z0-9+/_-]+", one), key=len) for one in SECRETS.values()]
    hidden += [*PEM_BODY.split("\n"), "jane.doe@acme.org", "93.184.215.14", "k9mPq2wX"]
    everything = "".join(texts_of(planted).values())
    everything += run.manifest.read_text() + run.drops.read_text()
    for file in run.path.rglob("*"):
        if file.is_file() and file.suffix != ".parquet":
            everything += file.read_bytes().decode(errors="replace")
    assert [one for one in hidden if one in everything] == []


def test_what_was_replaced_is_counted(planted):
    assert planted[1].redacted == {
        "key": len(SECRETS) + 1,
        "name": 1,
        "email": 1,
        "ip": 1,
        "password": 1,
    }


def test_everything_read_is_accounted_for(planted):
    _, summary = planted
    assert summary.documents_in == len(FILES) - 2 + 1
    assert summary.licences["train"].keys() == {"MIT"}


@pytest.fixture(scope="module")
def humaneval(shared):
    return what_to_avoid(
        Data(sources=[{"format": "source_code"}], curate={"decontaminate": ["humaneval"]}).curate,
        str(shared / "data" / "benchmarks"),
    )


def reformatted(code):
    """Other indentation, blank lines and line ends; the words are the same."""
    lines = textwrap.dedent(code).replace("    ", "\t").split("\n")
    return "if True:\n" + "\r\n\r\n".join(f"  {line}  " for line in lines)


@pytest.mark.parametrize("change", [str, reformatted])
def test_solutions_of_a_benchmark_do_not_enter(shared, humaneval, tmp_path, change):
    with gzip.open(shared / "data/benchmarks/humaneval/HumanEval.jsonl.gz", "rt") as rows:
        problems = [json.loads(line) for line in rows]
    (tmp_path / "lib").mkdir()
    for number, one in enumerate(problems):
        answer = textwrap.dedent(one["canonical_solution"])
        is_short = len(re.findall(r"\w+", answer)) < 13
        head = one["prompt"][one["prompt"].rindex("def ") :].split("\n")[0] if is_short else ""
        body = one["canonical_solution"] if is_short else change(one["canonical_solution"])
        (tmp_path / "lib" / f"p{number}.py").write_bytes(f"{head}\n{body}\n".encode())
    for name, text in GOOD.items():
        (tmp_path / "lib" / name).write_text(text)
    data = Data(sources=[{"format": "source_code", "path": str(tmp_path / "lib")}], workers=1)
    run = RunFolder(tmp_path / "run")
    summary = prepare_corpus(data, run, humaneval)
    missed = [line["path"] for line in read_lines(run.manifest) if line["path"].startswith("p")]
    assert missed == []
    assert summary.benchmark_drops["humaneval"] >= 160


def test_of_the_standard_library_less_than_half_a_percent_is_dropped_without_a_reason(
    tmp_path, shared
):
    """A drop is without a reason where its document is not what the reason says."""
    benchmarks = str(shared / "data" / "benchmarks")
    data = Data(
        sources=[{"format": "source_code", "package": "stdlib", "language": "python"}],
        curate={"decontaminate": ["humaneval", "mbpp"]},
    )
    run = RunFolder(tmp_path / "run")
    summary = prepare_corpus(data, run, what_to_avoid(data.curate, benchmarks))
    reasons = summary.drops
    assert summary.documents_in > 600
    assert summary.benchmark_drops == {}
    others = {"near-duplicate of one that is kept", "exact duplicate of one that is kept"}
    others |= {"empty or only whitespace", "generated file"}
    unexplained = sum(count for reason, count in reasons.items() if reason not in others)
    assert unexplained < 0.005 * summary.documents_in
