"""A checkpoint of any engine is one of every engine, with any number of ranks."""

import subprocess

import pytest

from tests.training.conftest import FINETUNE
from tests.training.launched import (
    assert_close_weights,
    assert_same_curve,
    by_hand,
    cut_back,
    ended,
    same_weights,
)

pytestmark = pytest.mark.slow

ENGINES = ("ddp", "zero1", "zero2", "zero3", "zero3_offload")
KEEP = "train.keep_checkpoints=9"


def test_one_process_goes_on_as_two_zero3_ranks(stopped, train, unbroken):
    output = train("engine=zero3")
    assert "resumed from step-8" in output
    assert_same_curve(stopped, unbroken())
    assert_close_weights(stopped, unbroken())


@pytest.fixture(scope="module")
def finished(recipe, prepared, tmp_path_factory):
    """`finished(engine)`: a whole run on two ranks that kept all checkpoints, made once."""
    import shutil

    made = {}

    def run(engine):
        if engine not in made:
            folder = tmp_path_factory.mktemp(engine)
            shutil.copytree(prepared, folder / "tiny")
            command = [*FINETUNE, "train", str(recipe), f"engine={engine}", KEEP]
            subprocess.run([*command, "--runs", str(folder)], check=True, timeout=560)
            made[engine] = folder / "tiny"
        return made[engine]

    return run


@pytest.fixture
def go_on(finished, runs, train):
    """Resume the run of one engine behind its fourth step with another."""
    import shutil

    def gone_on(before, after, *overrides):
        shutil.rmtree(runs / "tiny")
        cut_back(finished(before), 4, runs / "tiny")
        assert "resumed from step-4" in train(f"engine={after}", *overrides)
        return runs / "tiny"

    return gone_on


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_engine_goes_on_bit_for_bit(engine, go_on, finished):
    run = go_on(engine, engine)
    assert same_weights(run, finished(engine))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ddp", "single"),
        ("zero3", "single"),
        ("zero3", "ddp"),
        ("ddp", "zero1"),
        ("zero1", "zero2"),
        ("zero2", "zero3"),
        ("zero1", "zero3_offload"),
        ("zero3_offload", "zero2"),
    ],
)
def test_another_engine_goes_on_along_the_same_curve(before, after, go_on, unbroken):
    run = go_on(before, after)
    assert_same_curve(run, unbroken())
    assert_close_weights(run, unbroken())


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "ranks"), [("zero3", 1), ("zero3", 4), ("zero2", 4)])
def test_another_number_of_ranks_goes_on_along_the_same_curve(
    engine, ranks, finished, recipe, runs, unbroken
):
    import shutil

    shutil.rmtree(runs / "tiny")
    cut_back(finished(engine), 4, runs / "tiny")
    options = ("--num_processes", str(ranks), "--main_process_port", "0")
    override = f"engine={engine}"
    said = ended(by_hand(f"cpu_{engine}", recipe, runs, override, options=options), 0)
    assert "resumed from step-4" in said
    assert_same_curve(runs / "tiny", unbroken())


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["zero2", "zero3"])
def test_weights_that_ranks_cannot_share_evenly_go_on(engine, recipe, tmp_path):
    """63 wide: of a bias the first rank has 32 values, the second 31."""
    import shutil

    width = (
        "base={scratch: {layers: 1, width: 63, heads: 1, positions: 128, vocabulary: 512, "
        "licence: mit}}"
    )

    def finetune(command, runs, *overrides):
        subprocess.run(
            [*FINETUNE, command, str(recipe), width, *overrides, "--runs", str(runs)],
            check=True,
            timeout=560,
        )

    finetune("prepare", tmp_path / "prepared")
    for name in ("one", "two"):
        shutil.copytree(tmp_path / "prepared", tmp_path / name)
    finetune("train", tmp_path / "one", KEEP)
    finetune("train", tmp_path / "two", KEEP, f"engine={engine}")
    cut_back(tmp_path / "one" / "tiny", 4, tmp_path / "three" / "tiny")
    finetune("train", tmp_path / "three", KEEP, f"engine={engine}")
    cut_back(tmp_path / "two" / "tiny", 4, tmp_path / "four" / "tiny")
    finetune("train", tmp_path / "four", KEEP)
    for name in ("two", "three", "four"):
        assert_same_curve(tmp_path / name / "tiny", tmp_path / "one" / "tiny")
        assert_close_weights(tmp_path / name / "tiny", tmp_path / "one" / "tiny")
