"""Which files import which, and the order that follows."""

import itertools

import pytest

from data_formats.dependencies import MOST_FOLDERS, by_dependency, by_path, imports
from data_formats.repository import RepositoryFile
from data_formats.source_code import language_of


def source(path, text=""):
    return RepositoryFile(path, text, language_of(path))


def imported(path, text, *others):
    return imports(source(path, text), {path, *others})


def ordered(**texts):
    """Paths in order of dependency; `a` stands for a.py, whose text imports what is named."""
    files = [
        source(f"{name}.py", "".join(f"import {other}\n" for other in others.split()))
        for name, others in texts.items()
    ]
    return "".join(file.path[0] for file in by_dependency(files))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import lib.a", ["lib/a.py"]),
        ("import lib.a as x, lib.b", ["lib/a.py", "lib/b.py"]),
        ("import lib", ["lib/__init__.py"]),
        ("from lib import a", ["lib/a.py"]),
        ("from lib import a, thing", ["lib/__init__.py", "lib/a.py"]),
        ("from lib.a import thing", ["lib/a.py"]),
        ("from lib.a import *", ["lib/a.py"]),
        ("from lib import (\n    a,\n    b,\n)", ["lib/a.py", "lib/b.py"]),
        ("try:\n    import lib.a\nexcept ImportError:\n    import lib.b", ["lib/a.py", "lib/b.py"]),
        ("if x:\n    import lib.a", ["lib/a.py"]),
        ("def f():\n    import lib.a", []),
        ("if TYPE_CHECKING:\n    import lib.a\nelse:\n    import lib.b", ["lib/b.py"]),
        ("import typing as t\nif t.TYPE_CHECKING:\n    import lib.a", []),
        ("'''\nimport lib.a\n'''\n# import lib.b", []),
        ("import os, numpy.lib.a", []),
        ("import main", []),
    ],
)
def test_python_imports_are_found_in_the_syntax(text, found):
    assert imported("main.py", text, "lib/__init__.py", "lib/a.py", "lib/b.py") == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from . import a", ["p/q/a.py"]),
        ("from . import thing", ["p/q/__init__.py"]),
        ("from .a import thing", ["p/q/a.py"]),
        ("from .. import b", ["p/b.py"]),
        ("from ..b import thing", ["p/b.py"]),
        ("from .... import b", []),
        ("from p import b", ["p/b.py"]),
        ("import b", []),
    ],
)
def test_python_names_are_resolved_from_the_package_or_from_outside_it(text, found):
    paths = ("p/__init__.py", "p/b.py", "p/q/__init__.py", "p/q/a.py", "p/q.py")
    assert imported("p/q/m.py", text, *paths) == found


@pytest.mark.parametrize(
    ("path", "paths", "found"),
    [
        ("tests/test_a.py", ["src/lib/a.py"], ["src/lib/a.py"]),
        ("tests/test_a.py", ["lib/a.py", "src/lib/a.py"], ["lib/a.py"]),
        ("x/src/m.py", ["y/src/lib/a.py"], []),
        ("x/tests/m.py", ["x/src/lib/a.py", "src/lib/a.py"], ["x/src/lib/a.py"]),
        ("scripts/m.py", ["scripts/lib/a.py"], ["scripts/lib/a.py"]),
        ("m.py", ["lib/a.pyi"], ["lib/a.pyi"]),
    ],
)
def test_python_modules_are_sought_where_a_project_keeps_them(path, paths, found):
    assert imported(path, "import lib.a", *paths) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import lib.a", ["lib/a.py"]),
        ("from lib import a, b as c", ["lib/a.py", "lib/b.py"]),
        ("    from lib import (a,", ["lib/a.py"]),
        ("from .lib.a import x", ["lib/a.py"]),
        ("import lib.a as x, lib.b", ["lib/a.py", "lib/b.py"]),
    ],
)
def test_python_2_and_broken_code_are_searched_line_by_line(line, found):
    assert imported("m.py", f"{line}\nprint 'hello'\n", "lib/a.py", "lib/b.py") == found


@pytest.mark.parametrize("text", ["(" * 5000, "\0import lib.a", "-" * 100_000 + "1", "'\\d'"])
def test_no_text_stops_the_search(text, recwarn):
    assert imported("m.py", text, "lib/a.py") == []
    assert not recwarn.list


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('#include "a.h"', ["src/x/a.h"]),
        ('  #  include "b.h"', ["include/b.h"]),
        ('#include "../c.h"', ["src/c.h"]),
        ('#include "lib/d.h"', ["include/lib/d.h"]),
        ("#include <a.h>", []),
        ('// see "a.h"\n#include "none.h"', []),
    ],
)
def test_c_includes_are_found_beside_the_file_then_above(text, found):
    paths = ("src/x/a.h", "a.h", "include/b.h", "src/c.h", "include/lib/d.h")
    assert imported("src/x/m.c", text, *paths) == found
    assert imported("src/x/m.cpp", text, *paths) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import a from './a'", ["x/a.ts"]),
        ('import {b, c} from "../b.js";', ["b.js"]),
        ("import './a.js'", ["x/a.ts"]),
        ("export * from './folder'", ["x/folder/index.ts"]),
        ("const a = require( './a' )", ["x/a.ts"]),
        ("const a = await import('./a')", ["x/a.ts"]),
        ("import {\n  a,\n} from './a'", ["x/a.ts"]),
        ("import main from '.'", ["x/index.js"]),
        ("import up from '..'", []),
        ("import react from 'react'", []),
        ("transform './a'", []),
    ],
)
def test_scripts_are_found_by_relative_paths(text, found):
    paths = ("x/a.ts", "b.js", "x/folder/index.ts", "x/index.js")
    assert imported("x/m.ts", text, *paths) == found
    assert imported("x/m.jsx", text, *paths) == found


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", f"from x import {', '.join(f'a{n}' for n in range(100_000))}\n"),
        ("a.py", "".join(f"import a{n}\n" for n in range(100_000))),
        ("a.c", "".join(f'#include "a{n}.h"\n' for n in range(100_000))),
        ("a.c", f'#include "{"x/" * 5_000_000}a.h"\n'),
        ("a.js", "".join(f'import "./a{n}"\n' for n in range(500_000))),
    ],
    ids=["names", "modules", "includes", "a long include", "scripts"],
)
def test_a_file_deep_down_that_imports_without_end_costs_no_more_than_the_limit(path, text):
    assert imported("d/" * 300 + path, text) == []


def test_the_nearest_folders_above_and_the_topmost_are_looked_into():
    folders = [f"d{n}/" for n in range(MOST_FOLDERS + 5)]
    here = "".join(folders)
    far, near = "".join(folders[:3]), "".join(folders[:9])
    assert imported(f"{here}m.py", "import b", f"{near}b.py") == [f"{near}b.py"]
    assert imported(f"{here}m.py", "import b", f"{far}b.py", "b.py") == ["b.py"]
    assert imported(f"{here}m.c", '#include "b.h"', f"{far}b.h", "b.h") == ["b.h"]
    above = "." * (MOST_FOLDERS + 1)
    assert imported(f"{here}m.py", f"from {above} import b", "b.py") == []


def test_a_byte_order_mark_does_not_keep_python_from_being_parsed():
    assert imported("m.py", "\ufeffdef f():\n    import lib.a", "lib/a.py") == []


def test_other_languages_import_nothing():
    assert imported("m.go", 'import "./a.go"', "a.go") == []


def test_a_file_stands_behind_those_that_it_imports_else_by_path():
    assert ordered(a="c", b="", c="d", d="") == "dcab"
    assert ordered(c="", b="", a="") == "abc"
    assert ordered(a="c", b="", c="b") == "bca"
    assert ordered(a="b c", b="d", c="d", d="") == "dbca"


def test_a_cycle_is_cut_where_it_is_entered():
    assert ordered(a="b", b="c", c="a") == "cba"
    assert ordered(a="b", b="a", c="a") == "bac"
    assert ordered(a="a") == "a"


def test_only_imports_within_a_cycle_are_ever_out_of_order():
    """b and c import each other, d imports itself through e: all else is kept."""
    graph = {"a": "b", "b": "c f", "c": "b", "d": "e", "e": "d a", "f": ""}
    order = ordered(**graph)
    broken = {(x, y) for x in graph for y in graph[x].split() if order.index(x) < order.index(y)}
    assert broken == {("c", "b"), ("e", "d")}


def test_the_order_does_not_depend_on_the_order_given():
    files = [source("a.py", "import c"), source("b.py"), source("c.py", "import a"), source("d.py")]
    orders = {tuple(by_dependency(one)) for one in itertools.permutations(files)}
    assert len(orders) == 1


def test_a_long_chain_is_followed_to_its_end():
    files = [source(f"m{number:04}.py", f"import m{number + 1:04}\n") for number in range(3000)]
    assert by_dependency(files) == files[::-1]


def test_two_files_of_one_path_are_refused():
    with pytest.raises(ValueError, match=r"a\.py: two files of one path"):
        by_dependency([source("a.py"), source("a.py", "x")])


def test_without_imports_the_order_is_that_of_the_paths():
    files = [source("b.py"), source("a/c.py"), source("B.py")]
    assert [one.path for one in by_path(files)] == ["B.py", "a/c.py", "b.py"]
    assert by_dependency(files) == by_path(files)
