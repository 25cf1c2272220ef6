"""What must hold before a folder counts as a release."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from finetune.errors import UserError
from finetune.publishing import check_release
from finetune.publishing.release import build_release
from tests.publishing.pushed import restate


def refusal(folder, artefact="merged"):
    with pytest.raises(UserError) as caught:
        check_release(folder, artefact)
    return str(caught.value)


def edit(file, **changes):
    value = json.loads(file.read_text())
    file.write_text(json.dumps(value | changes))


def rewrite(file, old, new):
    file.write_text(file.read_text().replace(old, new, 1))


def test_a_release_as_built_passes(release):
    check_release(release, "merged")


def test_every_finding_is_reported_at_once(release):
    (release / "optimizer.pt").write_text("x")
    (release / "LICENSE").unlink()
    edit(release / "config.json", x="/home/ann/base")
    save_file({"w": np.array([np.nan])}, release / "model.safetensors")
    text = refusal(release)
    for part in ("optimizer.pt: not on", "LICENSE: missing", "absolute path /home/ann", "w: 1 num"):
        assert part in text


def test_nan_is_refused(release):
    save_file({"w": np.array([1.0, np.nan], np.float32)}, release / "model.safetensors")
    assert "model.safetensors: w: 1 numbers are NaN or infinite" in refusal(release)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "merge.json"])
def test_an_absolute_path_in_any_json_is_refused_with_its_key(release, name):
    edit(release / name, where={"file": "/home/ann/x"})
    assert f"{name}: absolute path /home/ann/x under `where.file`" in refusal(release)


def test_a_vocabulary_may_know_paths(release):
    assert "/usr/bin/env" in (release / "tokenizer.json").read_text()
    check_release(release, "merged")


def test_a_symlink_is_refused_and_not_read(release):
    (release / "generation_config.json").symlink_to("/etc/hosts")
    text = refusal(release)
    assert "generation_config.json: a symlink" in text
    assert "not valid JSON" not in text


@pytest.mark.parametrize("data", [b"\x80\x04\x95", b"PK\x03\x04data"])
def test_a_pickle_under_an_allowed_name_is_refused(release, data):
    (release / "tokenizer.model").write_bytes(data)
    assert "tokenizer.model: a pickle or a zip" in refusal(release)


@pytest.mark.parametrize("secret", ["hf_" + "Kq7" * 11 + "z", "AKIA" + "Q7W8E9R1T2Y3U4I5"])
def test_a_key_in_a_text_file_is_refused_without_being_shown(release, secret):
    rewrite(release / "README.md", "## Citation", f"{secret}\n\n## Citation")
    text = refusal(release)
    assert "README.md: holds what looks like a secret" in text
    assert secret not in text


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("license: bigcode-openrail-m", "license: nonsense", "`nonsense` is no licence id"),
        ("license: bigcode-openrail-m", "licence: license", "did you mean `license`"),
        ("library_name: transformers", "library_name: trl", "`library_name` must be"),
        ("pipeline_tag: text-generation", "pipeline_tag: x", "`pipeline_tag` must be"),
        ("base_model: bigcode/", "base_model: /home/ann/", "`base_model` must be a Hub id"),
        ("base_model_relation: finetune", "other: finetune", "come together"),
        ("## Citation", "From /home/ann/x\n\n## Citation", "machine path /home/ann/x"),
    ],
)
def test_a_card_with_bad_metadata_is_refused(release, old, new, finding):
    rewrite(release / "README.md", old, new)
    assert finding in refusal(release)


def test_an_openrail_release_without_attachment_a_is_refused(release):
    text = (release / "LICENSE").read_text()
    (release / "LICENSE").write_text(text[: text.index("Attachment A - ")])
    assert "LICENSE: does not hold Attachment A" in refusal(release)


def test_a_licence_file_that_contradicts_the_card_is_refused(run, scratch_facts):
    folder = build_release(run, scratch_facts)
    rewrite(folder / "README.md", "license: apache-2.0", "license: mit")
    assert "README.md says `mit` but LICENSE is the text of `apache-2.0`" in refusal(folder)


def test_a_merge_out_of_tolerance_is_refused(release):
    edit(release / "merge.json", max_abs_logit_difference=0.5)
    assert "difference of 0.5 is above the tolerance" in refusal(release)
    edit(release / "merge.json", max_abs_logit_difference=float("nan"))
    assert "above the tolerance" in refusal(release)


def test_a_merge_without_its_proof_is_refused(release):
    (release / "merge.json").write_text("{}")
    assert "proves nothing" in refusal(release)


def test_shards_and_index_must_agree(release):
    (release / "model.safetensors").unlink()
    first, second = (f"model-0000{n}-of-00002.safetensors" for n in (1, 2))
    save_file({"a": np.ones(1)}, release / first)
    index = {"metadata": {}, "weight_map": {"a": first, "b": second}}
    (release / "model.safetensors.index.json").write_text(json.dumps(index))
    assert f"{second}: missing, though the index names it" in refusal(release)
    save_file({"c": np.ones(1)}, release / second)
    assert f"{second}: its tensors are not those" in refusal(release)
    save_file({"b": np.ones(1)}, release / second)
    restate(release)
    check_release(release, "merged")


NO_SHARDS = (
    *(3, None, ["x"], "x" * 5000, "/etc/passwd", "../outside.safetensors"),
    "model-1-of-2.safetensors/../../outside.safetensors",
)


@pytest.mark.parametrize("places", [None, [], 3, *({"a": name} for name in NO_SHARDS)])
def test_an_index_names_shards_of_the_folder_and_nothing_else(release, places):
    (release / "model.safetensors").rename(release.parent / "outside.safetensors")
    index = release / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    told = "model.safetensors.index.json: `weight_map` does not say which file of weights"
    assert told in refusal(release)


@pytest.mark.parametrize("name", ["config.json", "provenance.json", "tokenizer.json"])
@pytest.mark.parametrize("levels", [101, 990, 100_000])
def test_json_without_a_bottom_is_told(release, name, levels):
    (release / name).write_text("[" * levels + "]" * levels)
    assert f"{name}: not valid JSON (nested deeper than 100 levels)" in refusal(release)


def test_the_first_of_two_equal_keys_hides_no_path(release):
    (release / "generation_config.json").write_text('{"a": "/home/ann/x", "a": "y"}')
    assert "generation_config.json: absolute path /home/ann/x" in refusal(release)


def test_yaml_without_a_bottom_or_with_odd_tags_is_told(release):
    card = (release / "README.md").read_text()
    for odd in ("x: " + "[" * 3000, "x: !!bool foo", 'x: !!int ""'):
        (release / "README.md").write_text(card.replace("---\n", f"---\n{odd}\n", 1))
        assert "its metadata is not valid YAML" in refusal(release)


def test_a_licence_or_notice_that_is_not_utf8_is_passed_on_and_searched(release):
    (release / "NOTICE").write_bytes("Größe".encode("latin-1"))
    licence = (release / "LICENSE").read_bytes()
    (release / "LICENSE").write_bytes(licence + "é".encode("latin-1"))
    restate(release)
    check_release(release, "merged")
    (release / "NOTICE").write_bytes(b"\xe9 " + ("glpat-" + "a1B2c3D4e5F6g7H8i9J0").encode())
    assert "NOTICE: holds what looks like a secret key" in refusal(release)


def test_a_switched_off_cache_is_refused(release):
    edit(release / "config.json", use_cache=False)
    assert "`use_cache` is false" in refusal(release)


def test_bits_of_a_training_index_that_spell_a_path_are_no_finding(release):
    (release / "training_index.bloom").write_bytes(b"\x00~/\xffab\xfe /home/me/x \x01")
    restate(release)
    check_release(release, "merged")


GITLAB = "glpat-" + "a1B2c3D4e5F6g7H8i9J0"
A_KEY = "holds what looks like a secret key or token"


@pytest.mark.parametrize(
    ("said", "finding"),
    [
        ({"run": "/home/ann/x"}, "absolute path /home/ann/x under `run`"),
        ({"run": '{"path": "/proj/ann/x/y"}'}, "absolute path /proj/ann/x/y under `run.path`"),
        ({"run": GITLAB}, A_KEY),
        ({GITLAB: "x"}, A_KEY),
        ({"api_key": "hunter2horse7"}, A_KEY),
        ({"run": '{"api_key": "hunter2horse7"}'}, A_KEY),
        ({"note": "Zk3vQ9xT1mB7nR5yW2pL8sD4"}, A_KEY),
    ],
)
def test_what_weights_say_of_themselves_is_looked_at(release, said, finding):
    file = release / "model.safetensors"
    save_file(load_file(file), file, metadata={"format": "pt", **said})
    assert f"model.safetensors: {finding}" in refusal(release)


@pytest.mark.parametrize("name", ["/home/ann/x", GITLAB])
def test_names_of_tensors_are_looked_at(release, name):
    file = release / "model.safetensors"
    save_file({**load_file(file), name: np.ones(1)}, file, metadata={"format": "pt"})
    assert f"model.safetensors: {'absolute path' if '/' in name else A_KEY}" in refusal(release)


def test_the_first_of_two_equal_names_in_a_header_is_looked_at(release):
    header = json.dumps({"__metadata__": {"a": GITLAB, "b": "x"}}).replace('"b"', '"a"').encode()
    file = release / "model.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    assert f"model.safetensors: {A_KEY}" in refusal(release)
