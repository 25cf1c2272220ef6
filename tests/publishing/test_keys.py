"""Secrets in the texts of a release. All are made up; none was ever live."""

import json
from pathlib import Path

import pytest

from finetune.licences import BASE_CARD
from finetune.publishing.keys import PIECE, kinds_of_keys
from finetune.tokenizer import FILES
from tests.conftest import ROOT

SOME = "a1B2c3D4e5F6g7H8i9J0"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0."
PLANTED = {
    "GitHub Token": "ghp_" + "a1B2" * 9,
    "GitLab Token": "glpat-" + SOME,
    "AWS Access Key": "AKIA" + "Q7W8E9R1T2Y3U4I5",
    "Slack Token": "xoxb-123456789012-123456789012-abcdefghijklmnopqrstuvwx",
    "JSON Web Token": JWT + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "OpenAI Token": "sk-" + SOME + "T3BlbkFJ" + SOME,
    "Stripe Access Key": "sk_live_" + SOME + "k1L2",
    "NPM tokens": "//registry.npmjs.org/:_authToken=npm_" + SOME + SOME[:16],
    "PyPI Token": "pypi-AgEIcHlwaS5vcmc" + SOME * 5,
    "Basic Auth Credentials": "https://ann:s3cr3tpw@example.org/x",
    "Private Key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "Secret Keyword": 'password = "hunter2horse7"',
    "key of a known issuer": "hf_" + "Kq7" * 11 + "z",
}


@pytest.mark.parametrize("kind", PLANTED)
def test_each_kind_is_found_wherever_it_is_planted(kind):
    secret = PLANTED[kind]
    places = {
        "README.md": f"A card.\n{secret}\n",
        "config.json": json.dumps({"a": [{"note": secret}]}),
        "tokenizer.json": json.dumps({"model": {"vocab": {secret: 1}}}),
        "tokenizer_config.json": json.dumps({"x": secret}),
        "chat_template.jinja": f"{{# {secret} #}}",
        "added_tokens.json": json.dumps({secret: 7}),
    }
    for name, text in places.items():
        assert kind in kinds_of_keys(Path(name), text), name


def test_a_key_across_the_cut_of_a_long_line_is_found():
    for before in range(PIECE - 60, PIECE + 20, 7):
        line = "x " * (before // 2) + PLANTED["GitHub Token"] + " y" * 2000
        assert "GitHub Token" in kinds_of_keys(Path("README.md"), line)


def test_a_password_is_told_by_the_name_of_its_key():
    assert kinds_of_keys(Path("config.json"), '{"api_key": "hunter2horse7"}') == ["Secret Keyword"]


@pytest.mark.parametrize(
    "text",
    ["-----BEGIN ENCRYPTED " + "PRIVATE KEY-----", "PuTTY-User-Key-" + "File-3: ssh-ed25519"],
)
def test_private_keys_of_all_forms_are_found(text):
    assert kinds_of_keys(Path("README.md"), f"{text}\n") == ["Private Key"]


def test_old_keys_of_organisations_on_the_hub_are_found():
    key = "api_org_" + "AbCdE" * 7
    assert "key of a known issuer" in kinds_of_keys(Path("README.md"), key)


@pytest.mark.parametrize("name", ["README.md", BASE_CARD])
@pytest.mark.parametrize(
    "text",
    [
        "https://user:password@host/x",
        "https://USER:TOKEN@huggingface.co/me/mine",
        "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
        *(
            f'api_key="{word}"'
            for word in ("EMPTY", "ollama", "lm-studio", "not-needed", "llama.cpp")
        ),
    ],
)
def test_what_manuals_write_in_place_of_a_key_is_none(name, text):
    assert kinds_of_keys(Path(name), text) == []


def test_a_path_to_a_snapshot_of_the_hub_is_no_key():
    path = "models/models--bigcode--starcoderbase-1b/snapshots/" + DIGESTS[1]
    assert kinds_of_keys(Path("provenance.json"), json.dumps({"model": path})) == []


DIGESTS = ("0123456789abcdef" * 4, "182f0165fdf8da9c9935901eec65c94337f01c11", "b342684425a2f5b4")


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("name", ["provenance.json", "config.json", "gguf.json", "README.md"])
def test_digests_are_no_keys(name, digest):
    text = f"revision '{digest}'" if name == "README.md" else json.dumps({"revision": digest})
    assert kinds_of_keys(Path(name), text) == []


@pytest.mark.parametrize(
    "line",
    [
        'client = OpenAI(api_key="EMPTY", base_url="http://localhost:8000/v1")',
        'password = "changeme"',
        "with cuDNN 9.10.2.21",
        "see 'hugging-face-user/SQLCoder-7B-dbt-Jinja-v2'",
        "see 'WizardLMTeam/WizardLM_evol_instruct_V2_196k'",
        "APACHELICENSE",
    ],
)
def test_what_honest_cards_say_is_no_key(line):
    assert kinds_of_keys(Path("README.md"), line) == []


def test_only_an_issuer_s_own_pattern_is_held_against_the_words_of_others():
    guessed = "api_key = 'Zk3vQ9xT1mB7nR5yW2pL8sD4'"
    assert kinds_of_keys(Path("README.md"), guessed)
    assert kinds_of_keys(Path(BASE_CARD), guessed) == []
    assert kinds_of_keys(Path(BASE_CARD), PLANTED["GitHub Token"])


@pytest.mark.parametrize("value", ["Zk3vQ9xT1mB7nR5yW2pL8sD4", "9f86d081884c7d659a2feaa0c55ad015"])
def test_a_random_word_is_a_key(value):
    assert kinds_of_keys(Path("config.json"), json.dumps({"a": value}))


def test_the_first_of_two_equal_keys_is_looked_at_too():
    secret = PLANTED["GitLab Token"]
    assert "GitLab Token" in kinds_of_keys(Path("config.json"), f'{{"a": "{secret}", "a": "x"}}')


@pytest.mark.parametrize("tokenizer", ["starcoder-tokenizer", "starcoder2-tokenizer"])
def test_a_real_vocabulary_holds_no_key(tokenizer):
    folder = ROOT.parent / "shared" / "data" / tokenizer
    files = [folder / name for name in FILES if (folder / name).is_file()]
    if not files:
        pytest.skip(f"no {folder}")
    for file in files:
        assert kinds_of_keys(file, file.read_text(encoding="utf-8")) == [], file


def test_the_licence_texts_and_a_whole_release_hold_none(release):
    files = [*(ROOT / "finetune" / "licence_texts").glob("*.txt"), *release.glob("*.*")]
    texts = [file for file in files if file.suffix != ".safetensors"]
    assert len(texts) > 7
    for file in texts:
        assert kinds_of_keys(file, file.read_text(encoding="utf-8")) == [], file
