"""FLOPs by the published formula, the speeds that it was published with, and what a run costs."""

import json

import pytest

from finetune.planning import flops_per_token, parse_gpus, tuning_of
from finetune.planning.effort import effort_of, utilisation
from finetune.planning.lengths import Lengths, lengths_of, mean_attended
from finetune.recipe.schema import Full, Lora
from finetune.run_folder import RunFolder

FULL, LORA = Full(method="full"), Lora(method="lora")


@pytest.mark.parametrize(
    ("name", "layers", "width"),
    [
        ("starcoderbase-1b", 24, 2048),
        ("starcoderbase-3b", 36, 2816),
        ("starcoderbase-7b", 42, 4096),
        ("starcoderbase", 40, 6144),
    ],
)
def test_full_tuning_takes_the_published_number_of_operations(name, layers, width, known):
    """6 (L (10 d^2 + 256 d) + V d) + 12 L d S, the last term halved for a causal model."""
    length = 8192
    matrices = layers * (10 * width**2 + 256 * width) + 49152 * width
    published = 6 * matrices + 12 * layers * width * length / 2
    architecture = known(name)
    found = flops_per_token(architecture, tuning_of(FULL, architecture), length / 2)
    assert found == pytest.approx(published, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "tune", "speed", "share"),
    [
        ("starcoderbase-1b", FULL, 48_700, 0.45),
        ("starcoderbase-7b", LORA, 13_100, 0.50),
        ("starcoderbase", LORA, 6_000, 0.45),
    ],
)
def test_a_speed_on_one_h200_is_the_share_of_its_peak_that_goes_with_it(
    name, tune, speed, share, known
):
    """Tokens a second at 8192 tokens, and the utilisation of 989 TFLOP/s stated beside them."""
    architecture = known(name)
    found = flops_per_token(architecture, tuning_of(tune, architecture), 4096) * speed / 989e12
    assert found == pytest.approx(share, abs=0.005)


def test_frozen_weights_save_a_third_and_frozen_blocks_more(known):
    architecture = known("starcoderbase-1b")
    whole, adapters, top = (
        flops_per_token(architecture, tuning_of(tune, architecture), 0)
        for tune in (FULL, LORA, Full(method="full", trainable=("*.h.23.*",)))
    )
    assert adapters / whole == pytest.approx(2 / 3)
    # Forwards all 24 blocks and the head; backwards one block, twice, and the head once.
    block, head = 10 * 2048**2 + 256 * 2048, 49152 * 2048
    assert top == 2 * (24 * block + head) + 4 * block + 2 * head


def test_attended_tokens_of_a_packed_corpus_worked_out_by_hand():
    """Documents of 2, 4 and 10 tokens in blocks of 8: parts of 2, 4, 8 and 2. Half the squares: 2 +
    8 + 32 + 2 = 44 pairs for 16 tokens."""
    assert mean_attended([2, 4, 10], 8, None) == 44 / 16


def test_attended_tokens_under_a_window():
    """8 tokens that look back 4: 8 x 4 - 4^2 / 2 = 24 pairs."""
    assert mean_attended([8], 8, 4) == 24 / 8


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "run")


def test_a_prepared_corpus_is_told_by_its_manifest(run):
    run.path.mkdir()
    lines = [{"id": str(size), "path": "a.py", "characters": size} for size in (300, 600)]
    run.manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = lengths_of(run, 8192, None, isolated=True)
    assert found.attended == (100**2 / 2 + 200**2 / 2) / 300
    assert found.words.startswith("2 documents of the manifest")


def test_an_unprepared_corpus_is_taken_for_one_document_a_block(run):
    found = lengths_of(run, 8192, None, isolated=True)
    assert (found.attended, "not prepared yet" in found.words) == (4096, True)


def test_blocks_that_are_not_isolated_are_attended_to_as_a_whole(run):
    run.path.mkdir()
    run.manifest.write_text('{"characters": 3}\n')
    assert lengths_of(run, 8192, None, isolated=False).attended == 4096


def test_hours_energy_and_price_worked_out_by_hand(known):
    """10^9 tokens in steps of 3 x 10^8 are 4 steps, 1.2 x 10^9 tokens. 2 A100s at half of 312
    TFLOP/s, a quarter of it lost to recomputing."""
    architecture = known("starcoderbase-1b")
    tuning, machine = tuning_of(FULL, architecture), parse_gpus("2xA100-80GB")
    used = utilisation(tuning.base, "full", 2048, machine)
    found = effort_of(
        architecture,
        tuning,
        tokens=10**9,
        batch_tokens=3 * 10**8,
        lengths=Lengths(attended=1024, words=""),
        machine=machine,
        used=type(used)(share=0.5, source="", checkpointed=False),
        recomputation=4 / 3,
        price_per_hour=2.5,
    )
    per_token = 6 * 1_119_879_168 + 12 * 24 * 2048 * 1024
    seconds = 1.2e9 * per_token / (2 * 312e12 * 0.5 * 3 / 4)
    assert (found.steps, found.tokens) == (4, 1_200_000_000)
    assert found.flops_per_token == per_token
    assert found.hours == pytest.approx(seconds / 3600)
    assert found.gpu_hours == pytest.approx(2 * seconds / 3600)
    assert found.kilowatt_hours == pytest.approx(2 * seconds / 3600 * 0.4)
    assert found.price == pytest.approx(2 * seconds / 3600 * 2.5)


@pytest.mark.parametrize(
    ("parameters", "method", "length", "share", "source"),
    [
        (1.1e9, "full", 2048, 0.599, "MPT-1B"),
        (1.1e9, "full", 8192, 0.567, "MPT-1B"),
        (7.3e9, "full", 2048, 0.642, "MPT-7B"),
        (7.3e9, "full", 8192, 0.545, "MPT-7B"),
        (15.5e9, "full", 8192, 0.33, "StarCoderBase"),
        (7.3e9, "lora", 2048, 0.303, "Qwen-7B"),
        (7.3e9, "qlora", 8192, 0.344, "none is published for qlora"),
    ],
)
def test_the_utilisation_is_that_of_the_nearest_published_run(
    parameters, method, length, share, source
):
    found = utilisation(parameters, method, length, parse_gpus("A100-80GB"))
    assert (found.share, source in found.source) == (share, True)


def test_the_share_of_qwen_is_its_published_speed(known):
    """3151 tokens a second at 2048: M = 32 (4 x 4096^2 + 3 x 4096 x 11008) + 151936 x 4096, 4 M for
    LoRA and 6 x 32 x 4096 x 2048 for attention, of 312 TFLOP/s."""
    matrices = 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 151936 * 4096
    flops = 4 * matrices + 6 * 32 * 4096 * 2048
    found = utilisation(7e9, "lora", 2048, parse_gpus("A100-80GB"))
    assert found.share == pytest.approx(3151 * flops / 312e12, abs=0.001)


def test_another_gpu_reaches_a_share_of_its_own(known):
    """794.5 of 989 TFLOP/s where an A100 reaches 271.2 of 312."""
    found = utilisation(1e9, "full", 2048, parse_gpus("H100-80GB"))
    assert found.share == pytest.approx(0.599 * (794.5 / 989) / (271.2 / 312))
    assert "times 0.92 for the H100-80GB" in found.source
