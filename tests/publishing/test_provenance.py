"""provenance.json: how a release was made, and what its files come to."""

import json

import pytest

from finetune.errors import UserError
from finetune.publishing import check_release, verify
from finetune.publishing.artefacts import PROVENANCE, entries
from finetune.run_folder import sha256_of


def test_every_file_of_the_release_is_stated_but_itself(release):
    stated = json.loads((release / PROVENANCE).read_text())["files"]
    assert sorted([*stated, PROVENANCE]) == entries(release)
    for name, facts in stated.items():
        file = release / name
        assert facts == {"sha256": sha256_of(file), "size": file.stat().st_size}
    assert verify(release) == []


def test_a_changed_byte_is_found(release):
    file = release / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.unlink()  # it is a second name of a file in merged/
    file.write_bytes(data)
    (found,) = verify(release)
    assert found.startswith("model.safetensors: its bytes are not those")
    with pytest.raises(UserError, match=r"model\.safetensors: its bytes"):
        check_release(release, "merged")


def test_a_missing_and_a_new_file_are_found(release):
    (release / "merge.json").unlink()
    (release / "generation_config.json").write_text("{}")
    (release / "NOTICE").symlink_to("/etc/hosts")
    assert [one.partition(",")[0] for one in verify(release)] == [
        "NOTICE: a symlink",
        "generation_config.json: is not among the files that provenance.json states",
        "merge.json: missing",
    ]


def test_what_the_hub_and_its_client_add_to_a_download_is_passed_over(release):
    (release / ".gitattributes").write_text("*.safetensors filter=lfs\n")
    (release / ".cache" / "huggingface").mkdir(parents=True)
    (release / ".cache" / "huggingface" / "x.lock").write_text("")
    assert verify(release) == []


def test_a_card_edited_by_hand_is_told_and_may_still_be_pushed(release):
    card = release / "README.md"
    card.write_text(card.read_text() + "\nA word more.\n")
    assert [one.partition(":")[0] for one in verify(release)] == ["README.md"]
    check_release(release, "merged")


def test_it_says_how_the_release_was_made(run, release):
    made = json.loads((release / PROVENANCE).read_text())
    assert made["base"] == {"model": "bigcode/starcoderbase-1b", "licence": "bigcode-openrail-m"}
    assert made["toolkit"]["versions"]["torch"] == "2.13.0"
    assert made["recipe"]["train"] == {"tokens": 65536, "learning_rate": 5e-05}
    assert made["data"] == {
        "manifest_sha256": sha256_of(run.manifest),
        "documents": {"holdout": 1, "train": 3},
    }
    assert made["seconds"] == {"train": 12.345678}


def test_what_was_not_measured_is_said_so(release):
    made = json.loads((release / PROVENANCE).read_text())
    assert [made[key] for key in ("hardware", "ranks", "energy")] == ["not measured"] * 3


def test_it_names_no_machine(release):
    text = (release / PROVENANCE).read_text()
    for private in ("/home", "ann/hub", str(release.parent)):
        assert private not in text


def test_a_folder_without_it_cannot_be_verified(release):
    (release / PROVENANCE).unlink()
    with pytest.raises(UserError, match=r"provenance\.json: missing"):
        verify(release)
    with pytest.raises(UserError, match=r"provenance\.json: missing"):
        check_release(release, "merged")
