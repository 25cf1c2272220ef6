"""stages.json: what ran, on what, and whether that still holds."""

import pytest

from finetune.errors import UserError
from finetune.ledger import SECTIONS, Basis, Ledger, basis_of
from finetune.recipe.schema import Recipe
from finetune.run_folder import RunFolder, read_json, write_json

VALUES = {
    "name": "mine",
    "base": {"scratch": {"licence": "mit"}},
    "data": {"sources": [{"format": "source_code", "path": "src"}]},
    "train": {"tokens": 16384, "batch_tokens": 8192},
}


def recipe(**sections):
    return Recipe.model_validate({**VALUES, **sections})


@pytest.fixture
def ledger(tmp_path):
    return Ledger(RunFolder(tmp_path / "mine"))


def record(ledger, stage, basis=None, output="made"):
    with ledger.recording(stage, basis or Basis({}, {})) as outcome:
        outcome.summary, outcome.output = f"{stage} was done", output


def changes(stage, before, now):
    return basis_of(stage, now, {}).changes(basis_of(stage, before, {}))


def test_the_same_recipe_is_no_change():
    assert changes("train", recipe(), recipe()) == []


def test_a_change_is_named_by_its_key():
    now = recipe(train={**VALUES["train"], "seed": 1}, fim={"rate": 0.9})
    assert changes("train", recipe(), now) == ["fim.rate", "train.seed"]


def test_a_key_that_is_gone_is_a_change():
    before = recipe(tune={"method": "lora"})
    gone = {"tune.alpha", "tune.dropout", "tune.method", "tune.rank"}
    assert gone <= set(changes("train", before, recipe(tune={"method": "full"})))


def test_a_change_of_a_section_that_a_stage_does_not_read_is_none():
    assert changes("merge", recipe(), recipe(fim={"rate": 0.9})) == []


def with_source(**keys):
    return recipe(data={"sources": [{**VALUES["data"]["sources"][0], **keys}]})


@pytest.mark.parametrize("keys", [{"fim": {"rate": 0.9}}, {"labels": "middle"}])
def test_how_a_source_is_written_matters_to_training_and_not_to_prepare(keys):
    (key,) = keys
    assert changes("prepare", recipe(), with_source(**keys)) == []
    assert changes("train", recipe(), with_source(**keys)) == [f"data.sources.{key}"]


def test_what_a_source_reads_matters_to_prepare_and_not_to_training():
    assert changes("prepare", recipe(), with_source(language="cpp")) == ["data.sources"]
    assert changes("train", recipe(), with_source(language="cpp")) == []


@pytest.mark.parametrize("key", ["workers", "micro_batch", "checkpoint_every", "keep_checkpoints"])
def test_how_training_divides_its_work_may_change_under_a_run(key):
    assert changes("train", recipe(), recipe(train={**VALUES["train"], key: 3})) == []


def test_the_recipes_name_and_place_are_no_part_of_any_basis():
    assert not any("name" in sections for sections in SECTIONS.values())


def test_an_input_that_differs_is_a_change():
    before, now = Basis({}, {"prepare": "1"}), Basis({}, {"prepare": "2"})
    assert now.changes(before) == ["prepare"]


def test_a_basis_is_the_same_after_it_was_written_and_read(ledger):
    basis = basis_of("prepare", recipe(), {"prepare": "1"})
    record(ledger, "prepare", basis)
    ledger.refuse_changes("prepare", basis)


def test_a_changed_basis_is_refused_with_the_keys_and_the_remedy(ledger):
    record(ledger, "train", basis_of("train", recipe(), {"prepare": "1"}))
    now = basis_of("train", recipe(fim={"rate": 0.9}), {"prepare": "2"})
    with pytest.raises(UserError) as caught:
        ledger.refuse_changes("train", now)
    assert str(caught.value) == (
        f"{ledger.run.path}: fim.rate, prepare changed since `train` ran; "
        "give the recipe another name, or do it again: `finetune run RECIPE --redo train`"
    )


def test_a_stage_that_has_not_run_refuses_nothing(ledger):
    ledger.refuse_changes("train", basis_of("train", recipe(), {}))


def test_a_new_run_has_no_records(ledger):
    assert ledger.records() == {}
    assert not ledger.is_done("prepare")


def test_a_stage_is_recorded_with_what_it_says_of_itself(ledger):
    with ledger.recording("prepare", Basis({"a": 1}, {"b": "2"})) as outcome:
        outcome.summary, outcome.output, outcome.facts = "3 files", "digest", {"files": 3}
    written = read_json(ledger.run.stages)["prepare"]
    assert written.pop("seconds") >= 0
    assert written.pop("finished").endswith("Z")
    assert written == {
        "keys": {"a": 1},
        "inputs": {"b": "2"},
        "output": "digest",
        "summary": "3 files",
        "files": 3,
    }


def test_a_stage_that_fails_is_not_recorded(ledger):
    def fail():
        with ledger.recording("train", Basis({}, {})) as outcome:
            outcome.summary = "nearly"
            raise RuntimeError

    record(ledger, "prepare")
    with pytest.raises(RuntimeError):
        fail()
    assert list(ledger.records()) == ["prepare"]


def test_a_process_that_does_not_write_leaves_no_record(ledger):
    with ledger.recording("train", Basis({}, {}), write=False):
        pass
    assert not ledger.run.stages.exists()


def test_the_output_of_a_stage_is_the_input_of_the_next(ledger):
    record(ledger, "prepare", output="abc")
    assert ledger.output("prepare") == "abc"


def test_a_stage_without_a_digest_of_its_own_has_one_of_its_summary(ledger):
    with ledger.recording("prepare", Basis({}, {})) as outcome:
        outcome.summary = "3 files"
    first = ledger.output("prepare")
    with ledger.recording("prepare", Basis({}, {})) as outcome:
        outcome.summary = "4 files"
    assert first != ledger.output("prepare")


def test_forgetting_a_stage_forgets_those_after_it_and_no_other(ledger):
    for stage in SECTIONS:
        record(ledger, stage)
    ledger.forget("merge")
    assert list(ledger.records()) == ["prepare", "train"]


def test_forgetting_in_a_new_run_does_no_harm(ledger):
    write_json(ledger.run.stages, {})
    ledger.forget("prepare")
    assert ledger.records() == {}


def test_the_sections_stand_in_the_order_of_the_stages():
    assert list(SECTIONS) == ["prepare", "train", "merge", "evaluate", "release"]


def test_every_section_of_a_recipe_is_some_stages_business():
    read = {section for sections in SECTIONS.values() for section in sections}
    assert read == set(Recipe.model_fields) - {"name"}
