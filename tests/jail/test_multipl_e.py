"""Answers written by hand to MultiPL-E's own problems pass in every language that is run.

The benchmark gives no answers. Each stops where the benchmark's own stops would have cut it.
"""

import pytest

from finetune.jail import judge, program
from finetune.jail.languages import not_run
from finetune.tasks import load

NAMES = {
    "sum_product": "HumanEval_8_sum_product",
    "strlen": "HumanEval_23_strlen",
    "incr_list": "HumanEval_42_incr_list",
}
RIGHT = {
    "go": {
        "strlen": "\treturn len(myString)\n}\n",
        "incr_list": "\tfor i := range l {\n\t\tl[i] += 1\n\t}\n\treturn l\n}\n",
    },
    "rust": {
        "strlen": "    string.len() as isize",
        "incr_list": "    l.iter().map(|x| x + 1).collect()",
    },
    "ruby": {"strlen": "\n  string.length\nend\n", "incr_list": "\n  l.map { |x| x + 1 }\nend\n"},
    "lua": {
        "strlen": "\n  return #string\nend\n",
        "incr_list": (
            "\n  local m = {}\n  for i, x in ipairs(l) do m[i] = x + 1 end\n  return m\nend\n"
        ),
    },
    "r": {"strlen": "\n  nchar(string)\n}\n", "incr_list": "\n  if (is.null(l)) l else l + 1\n}\n"},
    "perl": {
        "strlen": "    return length($string);\n}\n",
        "incr_list": "    return [map { $_ + 1 } @$l];\n}\n",
    },
    "php": {
        # `strlen` is PHP's own: no answer to that problem compiles.
        "incr_list": "    return array_map(fn($x) => $x + 1, $l);\n}\n",
    },
    "shell": {
        "strlen": '  echo "${#1}"',
        "incr_list": '  local o=()\n  for x in $1; do o+=($((x + 1))); done\n  echo "${o[*]}"',
    },
    "cpp": {
        "strlen": "  return string.length();",
        "incr_list": "  for (auto &x : l) x += 1;\n  return l;",
    },
    "java": {
        "sum_product": (
            "        long sum = 0, product = 1;\n"
            "        for (Long x : numbers) { sum += x; product *= x; }\n"
            "        return Pair.with(sum, product);"
        ),
        "strlen": "        return (long) string.length();",
        "incr_list": (
            "        ArrayList<Long> m = new ArrayList<>();\n"
            "        for (Long x : l) m.add(x + 1);\n        return m;"
        ),
    },
    "typescript": {
        "strlen": "\n  return string.length;\n}\n",
        "incr_list": "\n  return l.map((x) => x + 1);\n}\n",
    },
    "javascript": {
        "strlen": "\n  return string.length;\n}\n",
        "incr_list": "\n  return l.map((x) => x + 1);\n}\n",
    },
}


WRONG_LENGTH = {
    "go": "\treturn 7\n}\n",
    "rust": "    7",
    "ruby": "\n  7\nend\n",
    "lua": "\n  return 7\nend\n",
    "r": "\n  7\n}\n",
    "perl": "    return 7;\n}\n",
    "shell": "  echo 7",
    "cpp": "  return 7;",
    "java": "        return 7L;",
    "typescript": "\n  return 7;\n}\n",
    "javascript": "\n  return 7;\n}\n",
}
"""Each compiles: it fails for what it returns."""


@pytest.fixture(scope="module")
def problems(shared):
    found = load("multipl_e", shared / "data" / "benchmarks")
    return {(one.language, one.id.partition("/")[2]): one for one in found}


@pytest.mark.parametrize(
    ("language", "name"), [(language, name) for language in RIGHT for name in RIGHT[language]]
)
def test_a_right_answer_passes_and_a_changed_one_does_not(backend, problems, language, name):
    if reason := not_run(language):
        pytest.skip(reason)
    problem, right = problems[language, NAMES[name]], RIGHT[language][name]
    wrong = WRONG_LENGTH[language] if name == "strlen" else right.replace("1", "2")
    assert wrong != right
    verdicts = judge([program(problem, text) for text in (right, wrong)], backend, workers=1)
    assert [one.outcome for one in verdicts] == ["passed", "failed"], verdicts
