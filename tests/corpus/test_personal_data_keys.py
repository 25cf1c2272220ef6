"""Keys and passwords: what is replaced, and what only looks like one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_formats.document import Document
from finetune.corpus.personal_data import find, redact, tokens
from finetune.corpus.personal_data.strings import LEAST_DISTINCT, LEAST_ENTROPY
from finetune.corpus.personal_data.values import entropy
from tests.corpus.planted_secrets import (
    BASE64,
    BEGIN,
    DIGITS,
    END,
    HEX,
    KEYS,
    NAMED,
    PEM_BODY,
    made_up,
)


def redacted(text):
    return redact(Document(text=text, path="a.py", repo="r", language="python"))[0].text


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("frame", ["x = '{}'\n", "# see {} there\n", '{{"a": "{}"}}', "{}"])
def test_a_key_is_found_whole_wherever_it_stands(kind, frame):
    assert redacted(frame.format(KEYS[kind])) == frame.format("<KEY>")


@pytest.mark.parametrize("kind", NAMED)
def test_a_key_is_told_by_the_line_it_stands_in(kind):
    frame, secret = NAMED[kind]
    assert redacted(frame.format(secret)) == frame.format("<KEY>")


@pytest.mark.parametrize(
    ("frame", "secret"),
    [
        ("password = '{}'\n", "tr0ub4dor&3"),
        ("password = '{}'\n", "correct-horse-battery-staple"),
        ("PASSWORD = '{}'\n", "SuperSecret123!"),
        ("password = '{}'\n", "Pa$word97"),
        ('"db_password": "{}",\n', "k9#mPq2w"),
        ('\\"dbPassword\\": \\"{}\\"', "k9#mPq2w"),
        ("DB_PASSWORD={}\n", "k9mPq2wX"),
        ("  password: {}\n", "k9mPq2!w"),
        ("'Server=x;User Id=sa;Password={};Encrypt=yes'\n", "k9mPq2!w"),
        ("<password>{}</password>\n", "k9mPq2wX"),
        ("url = 'postgres://joe:{}@db/x'\n", "tiger"),
        ("git clone https://joe:{}@acme.org/x.git\n", "k9mPq2w"),
    ],
)
def test_a_password_is_replaced_and_nothing_around_it(frame, secret):
    assert redacted(frame.format(secret)) == frame.format("<PASSWORD>")


@pytest.mark.parametrize(
    "text",
    [
        "password = 'changeme123'\n",
        "password = 'required'\n",
        "password = 'current-password'\n",
        "password = 'test1234'\n",
        "password = '${DB_PASSWORD1}'\n",
        "password = f'{user}1'\n",
        "password = os.environ['DB_PASSWORD1']\n",
        "password = getpass('Password 1: ')\n",
        "password = 'correct horse battery staple 1'\n",
        "password = self.settings1.password\n",
        "login(user=user, password=password2)\n",
        "if password == None: pass\n",
        "password_hash = '$2b$12$" + made_up(53) + "'\n",
        "password_file = '/etc/secret1'\n",
        "passwords = ['label.form2.password']\n",
        "token_type = 'obs-local-part'\n",
        "tokenizer = 'starcoder2-tokenizer-fast'\n",
        "api_key = 'your_api_key_here_please'\n",
        "api_key = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'\n",
        "public_key = '" + made_up(44) + "'\n",
        "url = 'https://user:password@host/'\n",
        "url = 'https://user:{}@host/'.format(password)\n",
        "url = 'http://host:8080/a@b'\n",
        "x = 'AKI" + "AIOSFODNN7EXAMPLE'\n",
        "x = 'gh" + "p_" + "x" * 36 + "'\n",
        "x = 'sk-toggleable__control-arrow-2'\n",
        "from module import APIClientFactory\n",
        "-" * 80 + "\n",
        "alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'\n",
        "name = 'Qwen2_5OmniToken2WavBigVGANModel'\n",
        "slug = 'TheBloke/recent-models-64f9a55bb3115b4f513ec026'\n",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redacted(text) == text


@pytest.mark.parametrize(
    "text",
    [
        f"sha = '{made_up(40, HEX)}'\n",
        f"commit {made_up(40, HEX)}\n",
        f"x = '{made_up(64, HEX)}'\n",
        f"{made_up(32, HEX)}  file.tar.gz\n",
        "id = '123e4567-e89b-42d3-a456-426614174000'\n",
        "token = '123e4567-e89b-42d3-a456-426614174000'\n",
        f"<script integrity='sha384-{made_up(64, BASE64)}'></script>\n",
        f"'sha512': '{made_up(86, BASE64)}=='\n",
        f"src = 'data:image/png;base64,{made_up(80, BASE64)}'\n",
        f"image = '{made_up(400, BASE64)}'\n",
        f"-----BEGIN CERTIFICATE-----\n{PEM_BODY}\n-----END CERTIFICATE-----\n",
        "".join(f"    '{made_up(64, BASE64, seed=line)}'\n" for line in range(4)),
        f"x = {made_up(20)}A" + f"C{made_up(32, HEX)}{made_up(20)}\n",
        f"ssh-rsa AAAA{made_up(300, BASE64)} me\n",
    ],
    ids=range(14),
)
def test_checksums_identifiers_and_public_data_stay(text):
    assert redacted(text) == text


@pytest.mark.parametrize(
    "frame",
    [
        f'KEY = """{BEGIN}\n{{}}\n{END}"""\n',
        f"{BEGIN}\r\n{{}}\r\n{END}\r\n",
        f"k = '{BEGIN}\\n{{}}\\n{END}\\n'\n",
        f'k = ("{BEGIN}\\n"\n     "{{}}\\n"\n     "{END}")\n',
    ],
)
def test_the_body_of_a_private_key_goes_and_its_frame_stays(frame):
    assert redacted(frame.replace("{}", PEM_BODY)) == frame.replace("{}", "<KEY>")


def test_a_private_key_without_an_end_goes_too():
    text = redacted(f"{BEGIN}\n{PEM_BODY}\n\nand more text\n")
    assert text == f"{BEGIN}\n<KEY>\n\nand more text\n"


def test_a_key_of_putty_goes_too():
    text = f"PuTTY-User-Key-File-3: x\nPrivate-Lines: 7\n{PEM_BODY}\nPrivate-MAC: 00\n"
    assert redacted(text) == text.replace(PEM_BODY, "<KEY>")


def test_a_mention_of_private_keys_is_no_key():
    text = f"if line == '{BEGIN}':\n    read()\n"
    assert redacted(text) == text


PIECES = st.sampled_from(
    [
        *KEYS.values(),
        *(frame.format(secret) for frame, secret in NAMED.values()),
        *("\n", "'", '"', " = ", "-us1", "AWS key '", "aWS_KEY = '", made_up(40), "AKC", "APB"),
        *("XOXB-1-a", "HTTPS://HOOKS.SLACK.COM/SERVICES/T1/B1/c", "glcbt-", made_up(64, HEX)),
    ]
)


@given(st.lists(PIECES, max_size=8).map("".join))
def test_looking_for_hints_first_hides_nothing_that_detect_secrets_finds(text):
    folded = text.casefold()
    for rule in tokens.upstream_rules():
        assert rule.can_match(text, folded) or not rule.pattern.search(text)


def test_every_pattern_of_detect_secrets_is_tried_on_a_key_of_its_own():
    text = "\n".join(f'"{key}"' for key in KEYS.values()) + f"\naws_key = '{made_up(40)}'\n"
    patterns = [rule.pattern for rule in tokens.upstream_rules()]
    assert len(patterns) == 24
    assert [one.pattern for one in patterns if not one.search(text)] == []


ORACLES = {
    "OpenAIDetector": ("openai", "OpenAI"),
    "JwtTokenDetector": ("jwt", "JSON Web Token"),
    "NpmDetector": ("npm", "npm of old"),
    "SoftlayerDetector": ("softlayer", "SoftLayer"),
    "CloudantDetector": ("cloudant", "Cloudant"),
    "IbmCloudIamDetector": ("ibm_cloud_iam", "IBM Cloud"),
    "IbmCosHmacDetector": ("ibm_cos_hmac", "IBM COS"),
    "AzureStorageKeyDetector": ("azure_storage_key", "Azure storage"),
}


@pytest.mark.parametrize("name", ORACLES)
def test_keys_of_a_plugin_that_is_not_used_are_found_all_the_same(name):
    module, kind = ORACLES[name]
    frame, secret = NAMED.get(kind) or ('x = "{}"\n', KEYS[kind])
    imported = __import__(f"detect_secrets.plugins.{module}", fromlist=[name])
    line = frame.format(secret)
    assert list(getattr(imported, name)().analyze_string(line))
    assert redacted(line) == frame.format("<KEY>")


def test_the_entropy_is_that_of_detect_secrets():
    from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString

    plugin = Base64HighEntropyString()
    assert plugin.entropy_limit == LEAST_ENTROPY
    for value in (made_up(64, BASE64), "a", "aab", made_up(30, DIGITS)):
        assert entropy(value) == pytest.approx(plugin.calculate_shannon_entropy(value))


def test_no_string_of_fewer_different_characters_has_so_much_entropy():
    assert entropy(BASE64[: LEAST_DISTINCT - 1] * 3) < LEAST_ENTROPY
    assert entropy(BASE64[:LEAST_DISTINCT] * 3) > LEAST_ENTROPY


def test_a_finding_does_not_show_what_it_found():
    (found,) = find(f"x = '{KEYS['GitHub']}'")
    assert KEYS["GitHub"] not in repr(found)


@given(st.lists(st.sampled_from(list(KEYS.values())), max_size=8).map(" ".join))
def test_what_was_redacted_is_not_redacted_again(text):
    once = redacted(text)
    assert redacted(once) == once
    assert not re.search(re.escape(KEYS["GitHub fine-grained"]), once)
