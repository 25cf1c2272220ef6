"""Any part of a document has the ids that encoding its text alone gives, wherever it is cut."""

import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from data_formats.document import Document
from finetune.recipe.schema import Fim, Sequences
from finetune.sequences import Encoder, Rule, block_stream, tokenise
from finetune.tokenizer import CodeTokenizer

HOSTILE = [
    "",
    " ",
    "\n",
    " \t\n\r\n \n",
    "x",
    "👩‍👩‍👧‍👦 family = '👩‍👩‍👧‍👦'\n",
    "e\u0301\u0323 = 'é' # combining\n",
    "a\r\nb\r\n\r\n  c\r",
    "nul\0byte\0\n",
    "\ufeffimport os\n",
    "日本語のコメント。変数を定義する\nx = 1\n全角　空白",
    "<fim_prefix><fim_middle> <fim_suffix>\n<|endoftext|>",
    "x='s't're've'm'll'd 'S'T'Re\n",
    "٣٤٥ ½ Ⅷ 1234567890 12 345\n",
    "\u00a0\u2003\u2028x\u3000 y\u200bz\u180e w",
    "aaaa" * 60 + "    " * 60 + "====" * 60 + "1" * 60,
]


@pytest.fixture(scope="module", params=["tiny", "starcoder", "starcoder2", "nfc and split"])
def encoder(request, tmp_path_factory) -> Encoder:
    if request.param == "tiny":
        return Encoder(CodeTokenizer(request.getfixturevalue("tiny_tokenizer")))
    if request.param == "nfc and split":
        return Encoder(CodeTokenizer(nfc_tokenizer(tmp_path_factory.mktemp("nfc"))))
    shared = request.getfixturevalue("shared")
    return Encoder(CodeTokenizer(shared / "data" / f"{request.param}-tokenizer"))


def nfc_tokenizer(folder: Path) -> Path:
    """A byte-level BPE built as Qwen2.5's is, with few merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    expression = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
        r"\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(expression), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([Path(random.__file__).read_text(), *HOSTILE], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def part(encoder, tokens, start, end):
    return [int(id_) for piece in encoder.part(tokens, start, end) for id_ in piece]


def test_the_tokenizers_of_these_tests_are_spliced(encoder):
    assert encoder.reason is None


@pytest.mark.parametrize("text", HOSTILE)
def test_a_document_has_the_ids_and_starts_that_the_tokenizer_gives(encoder, text):
    tokens = encoder.tokens(text)
    ids, starts = encoder.tokenizer.encode_with_starts(text)
    assert tokens.ids.tolist() == ids
    assert tokens.starts.tolist() == starts


@pytest.mark.parametrize("text", HOSTILE)
def test_every_part_of_a_hostile_text_is_encoded_as_if_alone(encoder, text):
    tokens, rng = encoder.tokens(text), random.Random(0)
    bounds = [(a, b) for a in range(len(text) + 1) for b in range(a, len(text) + 1)]
    for start, end in rng.sample(bounds, min(len(bounds), 150)):
        assert part(encoder, tokens, start, end) == encoder.tokenizer.encode(text[start:end])


characters = st.characters(exclude_categories=["Cs"])
fragments = st.sampled_from([" ", "  ", "\n", "\r\n", "'s", "12", "é", "日本", "e\u0301", "(", "x"])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(fragments | st.text(characters, max_size=4), max_size=20).map("".join), st.data())
def test_a_part_of_any_text_is_encoded_as_if_alone(encoder, text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    tokens = encoder.tokens(text)
    assert part(encoder, tokens, start, end) == encoder.tokenizer.encode(text[start:end])


def test_a_cut_in_a_line_of_a_megabyte_is_encoded_as_if_alone(encoder):
    text = "var a=[" + "0x1f,'日本',foo(bar)," * 50_000 + "]"
    tokens = encoder.tokens(text)
    for place in (7, 500_001, len(text) - 3):
        end = min(len(text), place + 40_000)
        assert part(encoder, tokens, place, end) == encoder.tokenizer.encode(text[place:end])


def test_little_of_a_document_is_encoded_at_a_cut(encoder, monkeypatch):
    """Else splicing would be right and no faster."""
    text = "".join(f"value_{i} = compute(total, {i})  # line {i}\n" for i in range(500))
    tokens, encoded = encoder.tokens(text), []
    encode = CodeTokenizer.encode
    monkeypatch.setattr(
        CodeTokenizer, "encode", lambda self, text: encoded.append(text) or encode(self, text)
    )
    encoder._pieces.clear()
    for place in range(1000, 9000, 997):
        encoder.part(tokens, 0, place), encoder.part(tokens, place, len(text))
    assert sum(map(len, encoded)) < 9 * 2 * 20
    assert encoded != []


def test_a_text_that_the_tokenizer_changes_is_encoded_again(tmp_path):
    encoder = Encoder(CodeTokenizer(nfc_tokenizer(tmp_path)))
    changed, kept = "x = 'e\u0301' + y\n", "x = 'é' + y\n"
    assert not encoder.tokens(changed).is_exact
    assert encoder.tokens(kept).is_exact
    documents = [
        Document(text=text, path=f"{i}.py", repo="r", language="python")
        for i, text in enumerate([changed, kept])
    ]
    assert tokenise(documents, encoder).num_inexact == 1
    tokens = encoder.tokens(changed)
    assert part(encoder, tokens, 3, 6) == encoder.tokenizer.encode(changed[3:6])


def test_what_was_encoded_at_a_cut_is_no_proof_of_a_document(tmp_path):
    """The Kelvin sign is a K after normalisation: its ids do not spell the text."""
    encoder, text = Encoder(CodeTokenizer(nfc_tokenizer(tmp_path))), "x \u212a = 1; " * 3
    encoder.ids(" \u212a")
    tokens = encoder.tokens(text)
    assert not tokens.is_exact
    assert part(encoder, tokens, 0, 9) == encoder.tokenizer.encode(text[:9])


def test_a_tokenizer_without_a_rule_gives_the_same_blocks_by_encoding_again(tiny_tokenizer):
    spliced = Encoder(CodeTokenizer(tiny_tokenizer))
    plain = Encoder(CodeTokenizer(tiny_tokenizer), is_spliced=False)
    assert plain.reason == "splicing is turned off"
    documents = [
        Document(text=text * 3, path=f"{i}.py", repo="r", language="python")
        for i, text in enumerate(HOSTILE)
    ]
    blocks = [
        list(
            block_stream(
                tokenise(documents, encoder), [Rule(Fim())], Sequences(length=64), seed=1, epochs=2
            )
        )
        for encoder in (spliced, plain)
    ]
    assert len(blocks[0]) == len(blocks[1]) > 20
    for one, other in zip(*blocks, strict=True):
        assert one.input_ids.tolist() == other.input_ids.tolist()
        assert one.placed == other.placed


def test_more_pieces_than_are_kept_change_nothing(encoder, monkeypatch):
    monkeypatch.setattr("finetune.sequences.encoder.PIECES_KEPT", 5)
    text = "".join(f"name_{i} = {i}\n" for i in range(50))
    assert encoder.tokens(text).ids.tolist() == encoder.tokenizer.encode(text)


def test_a_lone_surrogate_is_refused_with_its_place(encoder):
    with pytest.raises(ValueError, match=r"lone surrogate U\+D83D at character 5"):
        encoder.tokens("a = '\ud83d'\n")


CORPORA = {
    "standard library": lambda: _files(Path(random.__file__).parent, "*.py", 150),
    "C++ headers": lambda: _torch_headers(),
    "CJK": lambda: [_cjk(seed) for seed in range(40)],
    "minified JavaScript": lambda: [_minified(text) for text in _files_of_javascript()],
    "random Unicode": lambda: [_random_unicode(seed) for seed in range(60)],
}
CUTS = 20_000
"""Per corpus: 100,000 in all."""


def _files(folder, pattern, most):
    found = []
    for file in sorted(folder.rglob(pattern)):
        try:
            found.append(file.read_text(encoding="utf-8")[:20_000])
        except UnicodeDecodeError:
            continue
        if len(found) == most:
            break
    return found


def _torch_headers():
    import torch

    return _files(Path(torch.__file__).parent / "include" / "c10", "*.h", 150)


def _cjk(seed):
    rng = random.Random(seed)
    words = [*"変数を定義。、ー x\n", "函数", "返回", "함수", "정의", "「値」"]
    return "".join(rng.choices(words, k=1500))


def _files_of_javascript():
    folder = Path(sys.prefix)
    found = _files(folder, "*.js", 40)
    return found or ["function f(a, b) {\n  return a + b * 2;\n}\n" * 200]


def _minified(text):
    """Comments and white space gone, as far as it goes without a parser."""
    return "".join(line.strip() for line in text.splitlines() if not line.strip().startswith("//"))


def _random_unicode(seed):
    rng = random.Random(seed)
    planes = [(32, 127), (160, 0x250), (0x300, 0x370), (0x3040, 0xA000), (0xAC00, 0xD7A4), (9, 14)]
    planes += [(0x1F300, 0x1FAFF), (0x2000, 0x2070), (0x10000, 0x10FFF), (0x600, 0x700)]
    return "".join(chr(rng.randrange(*rng.choice(planes))) for _ in range(1500))


@pytest.mark.slow
@pytest.mark.parametrize("corpus", CORPORA)
def test_splicing_equals_encoding_again_in_100_000_cuts(shared, corpus):
    encoder = Encoder(CodeTokenizer(shared / "data" / "starcoder-tokenizer"))
    assert differences(encoder, CORPORA[corpus](), CUTS) == 0


@pytest.mark.parametrize("corpus", CORPORA)
def test_splicing_equals_encoding_again(encoder, corpus):
    assert differences(encoder, CORPORA[corpus](), CUTS // 100) == 0


def differences(encoder, texts, cuts):
    """Parts on either side of a random cut whose ids are not those of encoding them alone."""
    rng, found = random.Random(0), 0
    tokens = [encoder.tokens(text) for text in texts if text]
    for _ in range(cuts):
        one = rng.choice(tokens)
        cut = rng.randint(0, len(one.text))
        low, high = max(0, cut - rng.randint(0, 900)), min(len(one.text), cut + rng.randint(0, 900))
        for start, end in ((low, cut), (cut, high)):
            found += part(encoder, one, start, end) != encoder.tokenizer.encode(one.text[start:end])
    return found
