"""The commands, their help, how they say no, and what they import."""

import re
import subprocess
import sys

import pytest

from finetune.cli import COMMANDS
from finetune.shipped import shipped

DOCUMENTED = [
    "new",
    "check",
    "schema",
    "preview",
    "plan",
    "doctor",
    "prepare",
    "train",
    "merge",
    "evaluate",
    "release",
    "push",
    "complete",
    "trace",
    "run",
]


def test_the_commands_are_the_documented_ones():
    assert list(COMMANDS) == DOCUMENTED


def test_the_help_lists_every_command(finetune):
    ran = finetune("--help")
    assert (ran.code, ran.err) == (0, [])
    listed = [line.split()[0] for line in ran.out if re.match(r"  [a-z]+  ", line)]
    assert [name for name in listed if name in COMMANDS] == DOCUMENTED


@pytest.mark.parametrize("command", DOCUMENTED)
def test_a_command_explains_itself(finetune, command):
    ran = finetune(command, "--help")
    assert (ran.code, ran.err) == (0, [])
    assert ran.out[0].startswith(f"usage: finetune {command} ")
    assert COMMANDS[command] in ran.out


def test_no_command_shows_the_help_as_a_mistake(finetune):
    ran = finetune()
    assert (ran.code, ran.out) == (2, [])
    assert "commands:" in ran.err


def test_an_unknown_command_is_a_mistake(finetune):
    ran = finetune("chek")
    assert ran.code == 2
    assert "invalid choice: 'chek'" in ran.err[-1]
    assert not any("Traceback" in line for line in ran.err)


def test_an_unknown_option_is_a_mistake(finetune, recipe):
    ran = finetune("check", "r.yaml", "--onlin-e")
    assert ran.code == 2
    assert ran.err[-1] == "finetune check: error: unrecognized arguments: --onlin-e"


def test_traceback_shows_where_a_message_comes_from(finetune, recipe):
    ran = finetune("check", "r.yaml", "train.tokns=1", "--traceback")
    assert ran.code == 2
    assert "Traceback (most recent call last):" in ran.err
    assert ran.err[-1] == "command line: train.tokns: unknown key; did you mean `tokens`?"


def test_overrides_may_follow_options(finetune, recipe):
    ran = finetune("check", "r.yaml", "--runs", "elsewhere", "train.seed=3")
    assert (ran.code, ran.err) == (0, [])


def test_runs_are_looked_for_where_runs_says(finetune, recipe, tmp_path, model_folder):
    merged = tmp_path / "elsewhere" / "X" / "merged"
    merged.parent.mkdir(parents=True)
    model_folder.rename(merged)
    ran = finetune("check", "r.yaml", "base={run: X}", "--runs", "elsewhere")
    assert (ran.code, ran.out[-1]) == (0, "r.yaml: no problems")
    assert not any("has not been made" in line for line in ran.out)


def test_the_schema_goes_to_standard_output(finetune):
    ran = finetune("schema")
    text = shipped("recipes/recipe.schema.json").read_text(encoding="utf-8")
    assert (ran.code, ran.out) == (0, text.splitlines())


def imported(tmp_path, *arguments):
    """Names of top-level modules that the command had imported at its end, and its exit code."""
    code = (
        "import sys\n"
        "from finetune.cli import main\n"
        "try:\n"
        "    code = main(sys.argv[1:])\n"
        "except SystemExit as stop:\n"
        "    code = stop.code\n"
        "print('MODULES', code, *{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    _, exit_code, *names = done.stdout.splitlines()[-1].split()
    return int(exit_code), set(names)


HEAVY = {"torch", "transformers", "peft", "accelerate", "deepspeed", "datasets", "pyarrow", "numpy"}


def test_help_imports_neither_torch_nor_the_schema(tmp_path):
    code, names = imported(tmp_path, "--help")
    assert code == 0
    assert not names & {*HEAVY, "pydantic", "ruamel", "rich"}


@pytest.mark.parametrize("command", DOCUMENTED)
def test_the_help_of_a_command_imports_no_torch(tmp_path, command):
    code, names = imported(tmp_path, command, "--help")
    assert code == 0
    assert not names & HEAVY


def test_check_imports_no_torch(tmp_path, recipe):
    code, names = imported(tmp_path, "check", recipe)
    assert code == 0
    assert "pydantic" in names, "else this test looks at the wrong process"
    assert not names & HEAVY


def test_check_of_a_shipped_recipe_imports_no_torch(tmp_path):
    code, names = imported(tmp_path, "check", shipped("recipes/nano/base.yaml"))
    assert code == 0
    assert not names & HEAVY
