"""The shipped configurations: what the recipe owns is left to it, JSON, YAML and recipe agree."""

import json
from typing import get_args

import pytest
from ruamel.yaml import YAML

from finetune.recipe.schema import Recipe
from finetune.training.batches import BatchPlan
from finetune.training.engine import ZERO_STAGES, configure, owned_by_recipe
from tests.training.launched import ROOT

CONFIGS = ROOT / "deepspeed_configs"
ENGINES = get_args(Recipe.model_fields["engine"].annotation)
PLAN = BatchPlan(blocks=48, micro_batch=3, accumulation=4, steps=10)


def recipe_of(engine, precision="bf16"):
    return Recipe.model_validate(
        {
            "name": "x",
            "base": "a/b",
            "data": {"sources": [{"format": "source_code", "path": "x"}]},
            "train": {"tokens": 1000, "clip": 0.5, "precision": precision},
            "engine": engine,
        }
    )


def json_of(engine):
    return json.loads((CONFIGS / f"{engine}.json").read_text())


def yaml_of(name):
    return YAML(typ="safe").load((CONFIGS / f"{name}.yaml").read_text())


def value_at(config, dotted):
    for name in dotted.split("."):
        config = config[name]
    return config


def test_each_engine_has_its_files_and_no_file_is_without_an_engine():
    wanted = {f"{cpu}{engine}.yaml" for engine in ENGINES for cpu in ("", "cpu_")}
    wanted |= {f"{engine}.json" for engine in ZERO_STAGES} | {"README.md"}
    assert {path.name for path in CONFIGS.iterdir()} == wanted
    assert set(ZERO_STAGES) < set(ENGINES)


@pytest.mark.parametrize("engine", ZERO_STAGES)
def test_what_the_recipe_owns_is_auto(engine):
    for key in owned_by_recipe(recipe_of(engine), PLAN):
        assert value_at(json_of(engine), key) == "auto", key


@pytest.mark.parametrize("engine", ZERO_STAGES)
def test_no_value_is_auto_that_the_recipe_does_not_own(engine):
    """Accelerate would fill it in from its own defaults."""

    def autos(config, prefix=""):
        for name, value in config.items():
            if isinstance(value, dict):
                yield from autos(value, f"{prefix}{name}.")
            elif value == "auto":
                yield prefix + name

    assert set(autos(json_of(engine))) == set(owned_by_recipe(recipe_of(engine), PLAN))


@pytest.mark.parametrize("engine", ZERO_STAGES)
@pytest.mark.parametrize("precision", ["bf16", "fp16", "fp32"])
def test_the_engine_is_told_what_the_recipe_says(engine, precision):
    """48 blocks a step are 3 at a time, 4 times, on 4 ranks."""

    class Accelerator:
        gradient_accumulation_steps = 1

        class state:
            class deepspeed_plugin:
                deepspeed_config = json_of(engine)

    configure(Accelerator, recipe_of(engine, precision), PLAN)
    config = Accelerator.state.deepspeed_plugin.deepspeed_config
    assert Accelerator.gradient_accumulation_steps == 4
    assert config["gradient_accumulation_steps"] == 4
    assert config["train_micro_batch_size_per_gpu"] == 3
    assert config["train_batch_size"] == 48
    assert config["gradient_clipping"] == 0.5
    assert config["bf16"]["enabled"] is (precision == "bf16")
    assert config["fp16"]["enabled"] is (precision == "fp16")
    assert config["fp16"]["loss_scale"] == 0  # dynamic
    assert "auto" not in json.dumps(config)


@pytest.mark.parametrize("engine", ZERO_STAGES)
def test_gradients_add_up_in_fp32_and_the_stage_is_that_of_the_name(engine):
    config = json_of(engine)
    assert config["data_types"]["grad_accum_dtype"] == "fp32"
    assert config["zero_optimization"]["stage"] == int(engine.removeprefix("zero")[0])
    is_offloaded = "offload_optimizer" in config["zero_optimization"]
    assert is_offloaded is engine.endswith("_offload")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("cpu", ["", "cpu_"])
def test_the_yaml_names_its_engine_and_nothing_that_the_recipe_owns(engine, cpu):
    config = yaml_of(cpu + engine)
    assert config["use_cpu"] is bool(cpu)
    assert config["num_processes"] == (1 if engine == "single" else 2 if cpu else 8)
    is_sharded = engine in ZERO_STAGES
    assert (config["distributed_type"] == "DEEPSPEED") is is_sharded
    if is_sharded:
        zero = config["deepspeed_config"]
        assert zero == {
            "deepspeed_config_file": f"deepspeed_configs/{engine}.json",
            "zero3_init_flag": engine.startswith("zero3"),
        }
        assert "mixed_precision" not in config
    else:
        assert config["mixed_precision"] == "no"
    assert "gradient_accumulation_steps" not in config
    first = (CONFIGS / f"{cpu}{engine}.yaml").read_text().splitlines()[0]
    assert f"deepspeed_configs/{cpu}{engine}.yaml" in first


@pytest.mark.parametrize("engine", ENGINES)
def test_the_yaml_of_the_cpu_is_a_twin(engine):
    gpu, cpu = yaml_of(engine), yaml_of(f"cpu_{engine}")
    differing = {key for key in gpu.keys() | cpu.keys() if gpu.get(key) != cpu.get(key)}
    assert differing <= {"use_cpu", "num_processes"}
