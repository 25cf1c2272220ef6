"""What a model is shown for each kind of task, and the program that its answer makes."""

import subprocess
import sys

import pytest

from finetune.errors import UserError
from finetune.generation.completion import cut
from finetune.generation.infill import Gap, infill_prompt
from finetune.generation.prompts import answer_of, first_block, requests_for
from finetune.generation.sampling import Sampling
from finetune.generation.task_settings import TASK_SETTINGS, settings_of, stops_of
from finetune.tasks import TASKS, Problem, load
from finetune.tokenizer import CodeTokenizer

EOD, PREFIX, MIDDLE, SUFFIX = range(4)


def problem(**how):
    return Problem(
        **{
            "task": "own",
            "id": "1",
            "origin": "own/1",
            "language": "python",
            "prompt": "\ndef f(x):\n    \"\"\"Twice x.\"\"\"\n",
            "solution": "    return 2 * x\n",
            "tests": "assert f(2) == 4\n",
            **how,
        }
    )  # fmt: skip


def program_of(task, asked, completion):
    """The whole program, its tests included."""
    head, answer = answer_of(task, asked, completion)
    return f"{asked.setup}{head}{answer}{asked.suffix or ''}\n{asked.tests}"


def passes(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


def test_every_task_with_problems_has_settings():
    assert set(TASKS) <= set(TASK_SETTINGS)
    assert {settings.problems or name for name, settings in TASK_SETTINGS.items()} == set(TASKS)


@pytest.mark.parametrize("task", ["humaneval", "humaneval_plus", "mbpp", "multipl_e"])
def test_published_settings(task):
    settings = settings_of(task).sampling.settings
    assert settings | {"seed": 0} == {
        "temperature": 0.2,
        "top_p": 0.95,
        "max_new_tokens": None,
        "max_length": 512,
        "seed": 0,
    }
    assert settings_of(task).sampling.samples == 50


def test_santacoders_gaps_take_25_tokens():
    sampling = settings_of("santacoder_fim").sampling
    limits = (sampling.temperature, sampling.top_p, sampling.max_new_tokens, sampling.max_length)
    assert limits == (0.2, 0.95, 25, None)


def test_humaneval_is_shown_stripped_and_its_program_goes_on_from_there():
    (request,) = requests_for("humaneval", [problem()], Sampling(max_length=9), None, 64)
    assert request.prompt == 'def f(x):\n    """Twice x."""'
    assert (request.task, request.id, request.sample) == ("humaneval", "1", 0)
    assert passes(program_of("humaneval", problem(), "\n    return 2 * x"))
    assert not passes(program_of("humaneval", problem(), "\n    return 3 * x"))


def test_samples_are_numbered():
    made = requests_for("own", [problem(), problem(id="2")], Sampling(samples=3), None, 64)
    assert [(one.id, one.sample) for one in made] == [(i, n) for i in "12" for n in range(3)]


def test_a_problems_own_stops_stand_beside_the_tasks():
    assert stops_of("multipl_e", problem(stops=("\n}",))) == ("\n}", "<file_sep>")
    assert stops_of("own", problem(stops=("\n}",))) == ("\n}",)
    assert stops_of("own", problem()) == ()


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("\n    x\n\nclass A", "\n    x\n"),
        ("\n    x\n# a\ndef b", "\n    x"),
        ("\n    x\nprint(1)", "\n    x"),
        ("\n    x\n```", "\n    x"),
        ("\n    x\n    if a:\n        # b", "\n    x\n    if a:\n        # b"),
    ],
)
def test_humanevals_answers_end_at_their_earliest_stop(text, rest):
    assert cut(text, stops_of("humaneval", problem())) == (rest, rest != text)


@pytest.mark.parametrize(
    ("layout", "prompt"),
    [
        ("psm", [PREFIX, "a", "b", SUFFIX, "c", MIDDLE]),
        ("spm", [PREFIX, SUFFIX, "c", MIDDLE, "a", "b"]),
        ("spm_v1", [SUFFIX, "c", PREFIX, "a", "b", MIDDLE]),
    ],
)
def test_gaps_are_shown_in_the_layout_that_is_asked_for(code_tokenizer, layout, prompt):
    wanted = [one if isinstance(one, int) else code_tokenizer.encode(one)[0] for one in prompt]
    gap = problem(prompt="ab", suffix="c")
    sampling = Sampling(max_new_tokens=25)
    (request,) = requests_for("santacoder_fim", [gap], sampling, code_tokenizer, 64, layout)
    assert request.prompt == tuple(wanted)


def test_a_gaps_context_is_cut_to_what_its_answer_leaves(code_tokenizer):
    gap = problem(prompt="q" * 90, suffix="z" * 90)
    for positions, length, left in [(64, None, 39), (64, 50, 25), (64, 99, 39)]:
        sampling = Sampling(max_new_tokens=25, max_length=length)
        (request,) = requests_for("santacoder_fim", [gap], sampling, code_tokenizer, positions)
        assert len(request.prompt) == left


def test_a_gap_needs_a_tokenizer_a_length_and_room(code_tokenizer):
    gap = [problem(suffix="c")]
    with pytest.raises(
        UserError, match=r"own: 1 has a gap to fill.*name the model's own tokenizer"
    ):
        requests_for("own", gap, Sampling(max_new_tokens=9), None, 64)
    with pytest.raises(UserError, match="positions: own fills gaps"):
        requests_for("own", gap, Sampling(max_new_tokens=9), code_tokenizer, None)
    with pytest.raises(UserError, match="max_new_tokens: own fills gaps"):
        requests_for("own", gap, Sampling(max_length=9), code_tokenizer, 64)
    with pytest.raises(UserError, match="max_new_tokens: 61 leave no room for a prompt in 64"):
        requests_for("own", gap, Sampling(max_new_tokens=61), code_tokenizer, 64)


def test_a_tokenizer_without_sentinels_is_refused(tmp_path, tiny_tokenizer):
    text = (tiny_tokenizer / "tokenizer.json").read_text().replace("<fim_", "<other_")
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(UserError, match="no fill-in-the-middle sentinels"):
        infill_prompt(Gap("a", "b"), CodeTokenizer(tmp_path), 64, "psm")


def test_a_filled_gap_is_a_program():
    gap = problem(prompt="def f(x):\n    return ", suffix=" * x\n", setup="import os\n")
    assert program_of("own", gap, "2") == (
        "import os\ndef f(x):\n    return 2 * x\n\nassert f(2) == 4\n"
    )


PACK = {
    "task": "humanevalpack",
    "declaration": "def f(x):\n",
    "buggy": "    return 3 * x\n",
    "entry_point": "f",
}


def test_a_repair_is_asked_for_with_the_fault_the_tests_and_the_head():
    sampling = Sampling(max_length=64)
    (request,) = requests_for("humanevalpack_fix", [problem(**PACK)], sampling, None, 64)
    assert request.prompt == (
        "def f(x):\n    return 3 * x\n\nassert f(2) == 4\n\nFix bugs in f.\n\ndef f(x):"
    )
    assert request.task == "humanevalpack_fix"
    program = program_of("humanevalpack_fix", problem(**PACK), "\n    return 2 * x\nprint(oops)")
    assert program == "def f(x):\n    return 2 * x\nassert f(2) == 4\n"


@pytest.mark.parametrize(
    ("language", "text", "block"),
    [
        ("python", "\n    a\n\n    b\nc\n", "\n    a\n\n    b"),
        ("python", "\n    a", "\n    a"),
        ("cpp", "  if (a) { b; }\n}\nint main() {}", "  if (a) { b; }\n}"),
        ("java", "  a; }\n  int g() { }\n}\n}", "  a; }\n  int g() { }\n}"),
        ("go", " if a { b } else {", " if a { b }"),
        ("rust", " a", " a"),
    ],
)
def test_an_answer_ends_with_the_function_that_was_begun(language, text, block):
    assert first_block(text, language) == block


BROKEN_BY_THE_PUBLISHED_STOPS = {
    "mbpp": {"Mbpp/342"},
    "humanevalpack": {"Go/72", "Go/90", "Go/158", "CPP/94", "Rust/137", "Rust/145"},
}
"""Right answers with a class, a `struct`, a second function: published settings cut them, too."""


@pytest.mark.parametrize(
    "task", ["humaneval", "humaneval_plus", "mbpp", "mbpp_sanitized", "mbpp_plus", "humanevalpack"]
)
def test_published_stops_cut_no_right_answer_but_these(shared, task):
    broken = set()
    for one in load(task, shared / "data" / "benchmarks"):
        head = settings_of(task).shown(one)
        whole = (one.prompt + one.solution).lstrip() if head != one.prompt else one.whole
        assert whole.startswith(head)
        text, _ = cut(whole[len(head) :], stops_of(task, one))
        if settings_of(task).ends_with_block:
            text = first_block(text.rstrip(), one.language)
        if text.strip() != one.solution.strip():
            broken.add(one.id)
    assert broken == BROKEN_BY_THE_PUBLISHED_STOPS.get(task, set())
