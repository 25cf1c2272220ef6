"""Licences: ids, what contradicts what, and the texts that go out."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from finetune import licences
from finetune.errors import UserError
from finetune.licences import (
    OPENRAIL,
    TEXTS,
    check_licence_id,
    derivative_licence,
    known_licences,
    licence_of_folder,
    licence_text,
    obligations,
    trademark_warning,
)

ROOT = Path(__file__).parent.parent


def folder_with(folder, card=None, text=None):
    if card is not None:
        (folder / "README.md").write_text(card, encoding="utf-8")
    if text is not None:
        (folder / "LICENSE").write_text(text, encoding="utf-8")
    return folder


def carried(licence):
    return (TEXTS / f"{licence}.txt").read_text(encoding="utf-8")


def test_a_derivative_keeps_the_licence_of_its_base_when_none_is_stated():
    assert derivative_licence(OPENRAIL, None) == OPENRAIL
    assert derivative_licence("llama2", None) == "llama2"


def test_wizardcoders_mistake_is_refused_with_what_to_write_instead():
    with pytest.raises(UserError, match=r"bigscience-openrail-m.*contradicts") as caught:
        derivative_licence(OPENRAIL, "bigscience-openrail-m")
    assert "Attachment A" in str(caught.value)
    assert f"Write `licence: {OPENRAIL}`" in str(caught.value)


@pytest.mark.parametrize("stated", ["apache-2.0", "mit", "openrail", "other", "unknown", "gpl-3.0"])
def test_nothing_but_its_own_licence_stands_on_an_openrail_base(stated):
    with pytest.raises(UserError, match=f"`{stated}` contradicts .* paragraph 5.1"):
        derivative_licence(OPENRAIL, stated)


@pytest.mark.parametrize(
    ("base", "stated"),
    [("apache-2.0", OPENRAIL), ("mit", "apache-2.0"), ("cc0-1.0", "mit"), ("mit", "bsd-3-clause")],
)
def test_a_permissive_base_may_be_narrowed(base, stated):
    assert derivative_licence(base, stated) == stated


@pytest.mark.parametrize(
    ("base", "stated"),
    [
        ("apache-2.0", "mit"),
        ("mit", "unlicense"),
        ("mit", "other"),
        ("gpl-3.0", "mit"),
        ("llama2", "apache-2.0"),
        ("cc-by-nc-4.0", "mit"),
    ],
)
def test_a_licence_is_never_widened(base, stated):
    with pytest.raises(UserError, match=f"`{stated}` contradicts the base's `{base}`"):
        derivative_licence(base, stated)


@pytest.mark.parametrize("base", ["unknown", "cc-by-nd-4.0", "nonsense"])
def test_a_base_that_grants_no_derivatives_is_refused_whatever_is_stated(base):
    with pytest.raises(UserError):
        derivative_licence(base, None)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("apache2", "apache-2.0"),
        ("MIT", "mit"),
        ("bigcode-open-rail-m-v1", OPENRAIL),
        ("license", OPENRAIL),
    ],
)
def test_an_unknown_id_is_refused_with_a_suggestion(wrong, near):
    with pytest.raises(UserError, match=f"`{wrong}` is no licence id of the Hub") as caught:
        check_licence_id(wrong)
    assert f"`{near}`" in str(caught.value)


def test_every_known_licence_has_obligations():
    assert len(known_licences()) > 70
    assert {licence.terms for licence in known_licences().values()} == set(licences.OBLIGATIONS)
    assert all(obligations(id) is not None for id in known_licences())


def test_openrail_asks_for_paragraph_4_attachment_a_and_documentation():
    wanted = " ".join(obligations(OPENRAIL).must_include)
    for piece in ("paragraph 4", "Attachment A", "5.1", "5.2a", "5.2b", "5.2c"):
        assert piece in wanted
    assert "trademarks" in obligations(OPENRAIL).must_not_claim[0]


def test_the_licence_is_read_from_the_front_matter(tmp_path):
    card = "---\nlicense: bigcode-openrail-m\ntags: [code]\n---\n# A model\nlicense: mit\n"
    assert licence_of_folder(folder_with(tmp_path, card)) == OPENRAIL


@pytest.mark.parametrize(
    "card",
    [None, "# No metadata\n", "---\nlicence: license\n---\n", "---\ntags: []\n---\n", "---\n---\n"],
)
def test_a_folder_that_states_no_licence_has_none(tmp_path, card):
    assert licence_of_folder(folder_with(tmp_path, card)) is None


def test_a_licence_text_that_we_carry_is_recognised_without_a_card(tmp_path):
    for licence in licences.CARRIED:
        assert licence_of_folder(folder_with(tmp_path, text=carried(licence))) == licence
    own = carried("mit").replace("the copyright holders of this model", "2023 Ann").split()
    assert licence_of_folder(folder_with(tmp_path, text=" ".join(own))) == "mit"
    assert licence_of_folder(folder_with(tmp_path, text="All rights reserved.")) is None


def test_a_card_that_contradicts_its_licence_file_is_a_question(tmp_path):
    folder_with(tmp_path, "---\nlicense: bigcode-openrail-m\n---\n", carried("apache-2.0"))
    with pytest.raises(UserError, match=r"README.md says .* LICENSE is the text of `apache-2.0`"):
        licence_of_folder(tmp_path)


def test_several_licences_in_a_card_are_a_question(tmp_path):
    with pytest.raises(UserError, match="several licences"):
        licence_of_folder(folder_with(tmp_path, "---\nlicense: [mit, apache-2.0]\n---\n"))
    assert licence_of_folder(folder_with(tmp_path, "---\nlicense: [mit]\n---\n")) == "mit"


def test_metadata_that_is_no_yaml_is_reported_with_its_file(tmp_path):
    with pytest.raises(UserError, match=r"README.md: its metadata is not valid YAML"):
        licence_of_folder(folder_with(tmp_path, "---\nlicense: [mit\n---\n"))


def test_the_bases_own_licence_file_goes_out_when_the_licence_is_unchanged(tmp_path):
    own = "Copyright 2023 Ann\n\n" + carried("mit")
    assert licence_text("mit", folder_with(tmp_path, text=own)) == own
    assert licence_text("apache-2.0", tmp_path) == carried("apache-2.0")


def test_a_stub_that_links_to_openrail_is_replaced_by_the_whole_text(tmp_path):
    stub = folder_with(tmp_path, "---\nlicense: bigcode-openrail-m\n---\n", "See the Space.")
    assert licence_text(OPENRAIL, stub) == carried(OPENRAIL)


def test_a_licence_without_a_text_at_hand_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(UserError, match=r"no text of `llama2` at hand.*LICENSE"):
        licence_text("llama2", tmp_path)
    folder_with(tmp_path, text="LLAMA 2 COMMUNITY LICENSE AGREEMENT")
    assert licence_text("llama2", tmp_path, "llama2").startswith("LLAMA 2")


def test_the_use_restrictions_are_verbatim_and_whole():
    restrictions = licences.use_restrictions()
    paragraph, _, attachment = restrictions.partition("\n\n")
    assert paragraph in carried(OPENRAIL)
    assert attachment.strip() in carried(OPENRAIL)
    assert paragraph.startswith("4. Use conditions.")
    assert [f"({letter})" in attachment for letter in "abcdefghijklmn"] == [True] * 14


def test_the_carried_texts_are_the_ones_whose_provenance_is_written_down():
    digest = hashlib.sha256((TEXTS / f"{OPENRAIL}.txt").read_bytes()).hexdigest()
    assert digest == "c4bddcdba7e01b0af2d9f1a8206a626ec6cc64d620782e040fa266f406785d66"
    assert carried("apache-2.0") == (ROOT / "LICENSE").read_text(encoding="utf-8")
    provenance = (TEXTS / "PROVENANCE.md").read_text(encoding="utf-8")
    for file in TEXTS.iterdir():
        assert file.name == "PROVENANCE.md" or f"## {file.name}" in provenance


@pytest.mark.parametrize("repo", ["me/starcoder-mylib", "me/StarCoder2-7b", "me/tiny_starcoder_x"])
def test_a_name_that_suggests_starcoder_itself_is_warned_about(repo):
    assert "paragraph 9" in (trademark_warning(repo) or "")


@pytest.mark.parametrize("repo", ["me/mylib-completion", "bigcode/starcoder3", "me/star-chart"])
def test_other_names_are_not(repo):
    assert trademark_warning(repo) is None


def test_the_module_imports_neither_torch_nor_yaml():
    code = "import sys, finetune.licences as l; l.derivative_licence('mit', None);"
    code += "print([m for m in ('torch', 'ruamel.yaml', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr
