"""release/: what goes in, what stays out, and what is left when it fails."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from finetune.errors import UserError
from finetune.licences import TEXTS, licence_of_folder
from finetune.publishing import build_release
from finetune.publishing.artefacts import entries


def carried(licence):
    return (TEXTS / f"{licence}.txt").read_text(encoding="utf-8")


def test_a_merged_release_holds_exactly_its_files(run, release):
    assert release == run.release
    assert entries(release) == [
        "ATTRIBUTION.md",
        "LICENSE",
        "README.md",
        "config.json",
        "merge.json",
        "model.safetensors",
        "provenance.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert (release / "LICENSE").read_text() == carried("bigcode-openrail-m")
    assert licence_of_folder(release) == "bigcode-openrail-m"


def test_weights_are_linked_and_not_copied(run, release):
    assert (release / "model.safetensors").samefile(run.merged / "model.safetensors")
    assert not (release / "config.json").samefile(run.merged / "config.json")


def test_unlisted_files_are_named_each_and_nothing_is_released(run, facts):
    for name in ("optimizer.pt", "training_args.bin", ".env"):
        (run.merged / name).write_text("x")
    (run.merged / "hosts").symlink_to("/etc/hosts")
    with pytest.raises(UserError) as caught:
        build_release(run, facts)
    for name in ("optimizer.pt", "training_args.bin", ".env", "hosts"):
        assert f"  {name}: " in str(caught.value)
    assert not run.release.exists()


def test_a_failed_check_leaves_the_earlier_release_and_no_debris(run, release, facts):
    before = {name: (release / name).read_bytes() for name in entries(release)}
    (run.merged / "model.safetensors").unlink()
    save_file({"w": np.array([np.inf])}, run.merged / "model.safetensors")
    with pytest.raises(UserError, match="NaN or infinite"):
        build_release(run, facts)
    assert {name: (release / name).read_bytes() for name in entries(release)} == before
    assert not list(run.path.glob(".release*"))


def test_an_adapter_names_its_base_by_hub_id_and_never_by_path(run, facts):
    folder = build_release(run, replace(facts, artefact="adapter"))
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "bigcode/starcoderbase-1b"
    original = json.loads((run.adapter / "adapter_config.json").read_text())
    assert original["base_model_name_or_path"] == "/home/ann/models/base"


def test_an_adapter_of_a_base_that_is_not_on_the_hub_names_none(run, scratch_facts):
    folder = build_release(run, replace(scratch_facts, artefact="adapter"))
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] is None
    assert "/home" not in (folder / "README.md").read_text()


def test_the_blank_card_of_another_library_is_replaced(run, facts):
    folder = build_release(run, replace(facts, artefact="adapter"))
    assert "More Information Needed" not in (folder / "README.md").read_text()


def test_a_licence_that_contradicts_the_base_is_refused_before_anything_is_written(run, facts):
    with pytest.raises(UserError, match="contradicts"):
        build_release(run, replace(facts, licence="apache-2.0"))
    assert not run.release.exists()


def test_a_narrowed_licence_carries_the_bases_text_too(run, facts):
    folder = build_release(run, replace(facts, base_licence="apache-2.0"))
    text = (folder / "LICENSE").read_text()
    assert text.startswith(carried("bigcode-openrail-m").rstrip())
    assert text.endswith(carried("apache-2.0"))
    assert "The base stands under Apache License 2.0" in (folder / "README.md").read_text()


def test_the_papers_of_the_base_are_passed_on(run, facts, tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    card = "---\nlicense: bigcode-openrail-m\n---\n# The base\n"
    (base / "README.md").write_text(card)
    (base / "NOTICE").write_text("Copyright BigCode\n")
    own = carried("bigcode-openrail-m").replace("v1 License", "v1  License")
    (base / "LICENSE").write_text(own)
    folder = build_release(run, replace(facts, base_folder=base))
    assert (folder / "BASE_CARD.md").read_text() == card
    assert (folder / "NOTICE").read_text() == "Copyright BigCode\n"
    assert (folder / "LICENSE").read_text() == own
    assert "[BASE_CARD.md](BASE_CARD.md)" in (folder / "README.md").read_text()


def test_a_card_of_the_base_that_is_not_utf8_is_passed_on_whole(run, facts, tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    card = "---\nlicense: bigcode-openrail-m\n---\n# Größe\n"
    (base / "README.md").write_bytes(card.encode("latin-1"))
    folder = build_release(run, replace(facts, base_folder=base))
    assert (folder / "BASE_CARD.md").read_text(encoding="utf-8") == card


@pytest.mark.parametrize("text", ["[1]", '["ab"]', "{", "3"])
def test_a_configuration_that_is_no_object_is_told(run, facts, text):
    (run.merged / "config.json").write_text(text)
    with pytest.raises(UserError, match=r"config\.json: (no JSON object|not valid JSON)"):
        build_release(run, facts)


def test_a_local_path_as_base_model_is_refused(run, facts):
    with pytest.raises(UserError, match="`base_model` must be a Hub id"):
        build_release(run, replace(facts, base_model_id="/home/ann/models/base"))


def test_a_stage_that_did_not_run_is_named(run, facts):
    for file in run.merged.iterdir():
        file.unlink()
    run.merged.rmdir()
    with pytest.raises(UserError, match="run `finetune merge` first"):
        build_release(run, facts)


def test_a_card_of_metadata_alone_is_no_documentation_to_pass_on(run, facts, tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    (base / "README.md").write_text("---\nlicense: bigcode-openrail-m\n---\n")
    folder = build_release(run, replace(facts, base_folder=base))
    assert not (folder / "BASE_CARD.md").exists()
    assert "BASE_CARD" not in (folder / "README.md").read_text()


def test_papers_that_the_merge_copied_from_the_base_are_replaced_by_the_releases_own(run, facts):
    for name in ("LICENSE.txt", "COPYING", "README.md"):
        (run.merged / name).write_text("Papers of another.")
    folder = build_release(run, facts)
    assert not {"LICENSE.txt", "COPYING"} & set(entries(folder))
    assert "Papers of another." not in (folder / "README.md").read_text()
