"""`finetune evaluate --compare A B`"""

import json

import pytest

from finetune.cli import main


@pytest.fixture
def two_runs(tmp_path):
    """Two runs on the same two problems, one sample each."""
    for name, passed in (("first", 0), ("second", 1)):
        side = {"pass@1": float(passed), "problems": 2, "samples": 1, "settings": {"top_p": 0.95}}
        task = {"base": side | {"pass@1": 0.0}, "tuned": side}
        task["by_problem"] = {"Mbpp/1": [0, passed], "Mbpp/2": [0, passed]}
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "scores.json").write_text(json.dumps({"tasks": {"mbpp": task}}))
    return tmp_path / "runs"


def test_two_runs_are_compared_by_name(two_runs, capsys):
    assert main(["evaluate", "--compare", "first", "second", "--runs", str(two_runs)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "second against first" in printed
    assert "100.0%" in printed


def test_two_runs_are_compared_by_their_folders(two_runs, capsys):
    pair = [str(two_runs / "first"), str(two_runs / "second")]
    assert main(["evaluate", "--compare", *pair]) == 0
    assert "second against first" in capsys.readouterr().out


def test_runs_that_were_not_evaluated_alike_are_a_mistake(two_runs, capsys):
    file = two_runs / "second" / "scores.json"
    file.write_text(file.read_text().replace("0.95", "0.5"))
    assert main(["evaluate", "--compare", "first", "second", "--runs", str(two_runs)]) == 2
    assert "mbpp: top_p is 0.95 in first and 0.5 in second" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["recipe.yaml", "--compare", "a", "b"]])
def test_either_a_recipe_or_two_runs_are_given(arguments, capsys):
    assert main(["evaluate", *arguments]) == 2
    assert (
        "give a RECIPE; or --judge FILE, --compare A B, or --model MODEL" in capsys.readouterr().err
    )


def test_no_other_command_compares(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--compare", "a", "b"])
    assert "unrecognized arguments" in capsys.readouterr().err


def test_a_recipe_is_still_asked_for_by_the_other_stages(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["merge"])
    assert ended.value.code == 2
    assert "RECIPE" in capsys.readouterr().err
