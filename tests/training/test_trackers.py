"""The log as a tracker has it."""

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from finetune.errors import UserError
from finetune.recipe import Recipe
from finetune.training.trackers import flat, refuse_missing_packages, start_trackers


def recipe_of(*trackers):
    values = {
        "name": "one",
        "base": {"scratch": {"licence": "mit"}},
        "data": {"sources": [{"format": "source_code", "path": "/home/ann/secret-project"}]},
        "train": {"tokens": 1e6, "trackers": trackers},
    }
    return Recipe.model_validate(values)


def test_nested_values_have_names_like_folders():
    line = {"loss": 1.0, "losses": {"psm": 2.0}, "targets": ["a", "b"], "mfu": None}
    assert dict(flat(line)) == {"loss": 1.0, "losses/psm": 2.0, "targets": "['a', 'b']"}


def test_tensorboard_reads_what_was_logged(tmp_path):
    send = start_trackers(recipe_of("tensorboard"), tmp_path)
    send({"step": 1, "loss": 3.5, "losses": {"psm": 4.0}, "mfu": None})
    send({"step": 2, "loss": 3.0})
    read = EventAccumulator(str(tmp_path / "tensorboard" / "one"))
    read.Reload()
    assert [(one.step, one.value) for one in read.Scalars("loss")] == [(1, 3.5), (2, 3.0)]
    assert [one.value for one in read.Scalars("losses/psm")] == [4.0]


def test_a_tracker_is_told_nothing_of_where_the_data_lies(tmp_path):
    start_trackers(recipe_of("tensorboard"), tmp_path)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) > 1
    assert not [file for file in files if b"secret-project" in file.read_bytes()]


def test_without_trackers_nothing_is_written(tmp_path):
    start_trackers(recipe_of(), tmp_path)({"step": 1, "loss": 1.0})
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(UserError, match="no_such_tracker is not installed: pip install no_such"):
        refuse_missing_packages(("no_such_tracker",))
