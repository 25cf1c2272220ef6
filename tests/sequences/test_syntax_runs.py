"""Middles of syntax against all that might have been chosen, found by parsing on another path."""

import ast
import inspect
import random
import textwrap
from itertools import combinations_with_replacement

import pytest

from finetune.sequences import syntax
from finetune.sequences.cuts import cut_points
from finetune.sequences.draws import below
from tests.sequences.samples import CPP, JAVASCRIPT, TWO_METHODS


def python_families(text):
    """Each node's span and its children's, parents first, on another path: by each line's bytes."""
    lines = text.encode().splitlines(keepends=True)  # bytes: only at \n, \r and \r\n

    def place(line, column):
        return len((b"".join(lines[: line - 1]) + lines[line - 1][:column]).decode())

    def start(node):
        for first in getattr(node, "decorator_list", [])[:1]:
            return text.rindex("@", 0, place(first.lineno, first.col_offset))
        return place(node.lineno, node.col_offset)

    def below_(node):
        for child in ast.iter_child_nodes(node):
            yield from [child] if hasattr(child, "lineno") else below_(child)

    def span(node):
        found = start(node), place(node.end_lineno, node.end_col_offset)
        if not getattr(node, "decorator_list", None):
            assert text[slice(*found)] == ast.get_source_segment(text, node)
        return found

    def groups(node):
        """Children that may be a middle together: those of one field."""
        if isinstance(node, ast.Call):
            return [[node.func], [*node.args, *node.keywords]]
        if isinstance(node, ast.Dict):
            return [[*filter(None, node.keys), *node.values]]
        return [v if isinstance(v, list) else [v] for _, v in ast.iter_fields(node)]

    def members(group):
        for node in group:
            if isinstance(node, ast.AST):
                yield from [node] if hasattr(node, "lineno") else below_(node)

    def families(node, own):
        children = [] if isinstance(node, ast.JoinedStr) else list(below_(node))
        named = [] if isinstance(node, ast.JoinedStr) else map(list, map(members, groups(node)))
        yield node, own, [sorted(map(span, group)) for group in named if group]
        for child in children:
            yield from families(child, span(child))

    return list(families(ast.parse(text), (0, len(text))))


def tree_sitter_families(text, language):
    parser = pytest.importorskip("tree_sitter", reason="the extra `syntax` is not installed")
    data = text.encode()
    tree = parser.Parser(syntax._grammars(language)[0]).parse(data)

    def span(node):
        return len(data[: node.start_byte].decode()), len(data[: node.end_byte].decode())

    def families(node, own):
        children = [child for child in node.children if child.is_named]
        yield node, own, [[span(child) for child in children]]
        for child in children:
            yield from families(child, span(child))

    return list(families(tree.root_node, (0, len(text))))


def within(span, segment):
    return segment[0] <= span[0] and span[1] <= segment[1]


def whole_runs(families, segment):
    """All runs of siblings inside `segment`."""
    for _, _, groups in families:
        for group in groups:
            inside = [span for span in group if within(span, segment)]
            for one, other in combinations_with_replacement(inside, 2):
                yield one[0], other[1]


def random_cuts(text, language, count, segments):
    source = random.Random(0)
    for _ in range(count):
        start, end = sorted(source.sample(range(len(text) + 1), 2)) if segments else (0, len(text))
        first, second = source.getrandbits(64), source.getrandbits(64)
        points = cut_points("syntax", text, start, end, language, first, second)
        span = sorted(start + below(draw, end - start + 1) for draw in (first, second))
        yield (start, end), tuple(span), points and (start + points[0], start + points[1])


PYTHON = textwrap.dedent(inspect.getsource(textwrap.TextWrapper)) + TWO_METHODS + "größe = 'é'; f()"


def families_of(text, language):
    return python_families(text) if language == "python" else tree_sitter_families(text, language)


SOURCES = {"python": PYTHON, "cpp": CPP, "javascript": JAVASCRIPT}


@pytest.mark.parametrize("segments", [False, True], ids=["whole", "segments"])
@pytest.mark.parametrize("language", SOURCES)
def test_a_middle_is_a_run_of_whole_siblings_and_is_there_whenever_one_is(language, segments):
    text = SOURCES[language]
    families = families_of(text, language)
    seen = 0
    for segment, _, found in random_cuts(text, language, 150, segments):
        allowed = set(whole_runs(families, segment))
        allowed |= {own for _, own, _ in families[1:] if within(own, segment)}
        assert found in allowed if allowed else found is None
        seen += found is not None
    assert seen > 75


def agreement(run, span):
    shared = len(set(range(*run)) & set(range(*span)))
    return shared / len(set(range(*run)) | set(range(*span)))


@pytest.mark.parametrize("segments", [False, True], ids=["whole", "segments"])
@pytest.mark.parametrize("language", SOURCES)
def test_no_other_run_agrees_better(language, segments):
    """Nor the smallest node itself; where the segment cuts that node, no run in any cut one."""
    text = SOURCES[language] if language != "python" else TWO_METHODS
    families = families_of(text, language)
    for segment, span, found in random_cuts(text, language, 150, segments):
        if found is None or span[0] == span[1]:
            continue
        smallest = [f for f in families if f[1][0] <= span[0] and span[1] <= f[1][1]][-1]
        cut = [f for f in families if f[1][0] < segment[0] or segment[1] < f[1][1]]
        is_whole = smallest not in cut and smallest is not families[0]
        runs = set(whole_runs([smallest] if is_whole else [*cut, families[0]], segment))
        runs |= {smallest[1]} if is_whole else set()
        assert agreement(found, span) == max(agreement(run, span) for run in runs)
