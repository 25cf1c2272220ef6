"""A text may be parted at a boundary whatever stands around it: asked of the tokenizers themselves.

The rule is worked out from a pre-tokenizer's expressions; here `tokenizers` runs them.
"""

import random

import pytest
from tokenizers import Regex, normalizers, pre_tokenizers

from finetune.sequences.boundaries import KNOWN, Boundaries, boundaries_of
from finetune.sequences.pattern import Unknown, parse

QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
DEEPSEEK = [
    r"\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
    " ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
]


def digits(individual):
    return pre_tokenizers.Digits(individual_digits=individual)


def split(expression):
    return pre_tokenizers.Split(Regex(expression), "isolated")


def byte_level(use_regex):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


PRE_TOKENIZERS = {
    "gpt2": byte_level(True),
    "starcoder": pre_tokenizers.Sequence([digits(True), byte_level(True)]),
    "runs of digits": pre_tokenizers.Sequence([digits(False), byte_level(True)]),
    "qwen": pre_tokenizers.Sequence([split(QWEN), byte_level(False)]),
    "deepseek": pre_tokenizers.Sequence([*map(split, DEEPSEEK), byte_level(False)]),
    "possessive": pre_tokenizers.Sequence([split(r" ?+\s{1,3}|[^a]?+x"), byte_level(True)]),
}


def described(pre_tokenizer, normalizer=None, added=()):
    """What tokenizer.json says of a byte-level BPE with this pre-tokenizer."""
    import json

    from tokenizers import Tokenizer, models

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    return {**json.loads(tokenizer.to_str()), "added_tokens": [{"content": a} for a in added]}


FOUND = {name: boundaries_of(described(one)) for name, one in PRE_TOKENIZERS.items()}

ALPHABET = [
    *"aZs'tlLrevemd019 \t\n\r\v\f\x1c\0_(.=!/\"<",
    *"éßſK日本語ñ٣½Ⅷ·…—«»€\u0301\u0338\u00a0\u2003\u2028\u3000\u200b\u180e\ufeff🙂\u200d",
]


def pieces(pre_tokenizer, text):
    return [piece for piece, _ in pre_tokenizer.pre_tokenize_str(text)]


def random_text(rng, longest=9):
    return "".join(rng.choices(ALPHABET, k=rng.randint(0, longest)))


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_pieces_of_both_sides_of_a_boundary_are_the_pieces_of_the_whole(name):
    rng, tried = random.Random(0), 0
    for _ in range(40_000):
        before, after = random_text(rng), random_text(rng)
        text = before + after
        if before and after and FOUND[name].at(text, len(before)):
            tried += 1
            one = PRE_TOKENIZERS[name]
            assert pieces(one, before) + pieces(one, after) == pieces(one, text), (before, after)
    assert tried > 2000


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_every_pair_of_known_characters_that_is_a_boundary_parts_hostile_surroundings(name):
    rng, one = random.Random(1), PRE_TOKENIZERS[name]
    around = ["", "  ", "'s", "\r\n", "12", "éé", "x y", "\n\n  "]
    for left in (*(c.text for c in KNOWN), "é", "日", "٣", "…"):
        for right in (c.text for c in KNOWN):
            if FOUND[name].at(left + right, 1):
                before, after = rng.choice(around) + left, right + rng.choice(around)
                assert pieces(one, before) + pieces(one, after) == pieces(one, before + after)


@pytest.mark.parametrize(
    ("name", "left", "right", "is_one"),
    [
        ("gpt2", "a", " ", True),
        ("gpt2", "a", "(", True),
        ("gpt2", "(", "a", True),
        ("gpt2", "'", "s", False),  # a contraction
        ("gpt2", " ", "a", False),  # the space belongs to the word
        ("gpt2", " ", "4", False),
        ("starcoder", " ", "4", True),  # digits are split off first
        ("gpt2", "1", "2", False),
        ("starcoder", "1", "2", True),
        ("runs of digits", "1", "2", False),
        ("gpt2", ".", "\n", True),
        ("qwen", ".", "\n", False),  # punctuation takes line ends with it
        ("qwen", "a", "\n", True),
        ("qwen", "(", "a", False),  # one character before a word belongs to it
        ("gpt2", "日", "\n", True),
        ("gpt2", "日", "x", False),
        ("gpt2", "x", "日", False),
        ("gpt2", "\u00a0", " ", False),  # white space beyond ASCII
        ("deepseek", "1", "2", False),
        ("possessive", " ", "x", False),  # the space is kept from what follows it
    ],
)
def test_a_pair_is_a_boundary_or_is_not(name, left, right, is_one):
    assert FOUND[name].at(left + right, 1) is is_one


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_all_ways_to_find_boundaries_agree(name):
    rng, found = random.Random(2), FOUND[name]
    for _ in range(300):
        text = random_text(rng, 80)
        places = [i for i in range(1, len(text)) if found.at(text, i)]
        parts = found.pieces(text)
        ends = [sum(map(len, parts[: k + 1])) for k in range(len(parts) - 1)]
        assert "".join(parts) == text
        assert ends == places
        start, end = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        inside = [place for place in places if start < place < end]
        assert found.first(text, start, end) == (inside[0] if inside else None)
        assert found.last(text, start, end) == (inside[-1] if inside else None)


def test_a_boundary_is_found_far_back():
    text = "x " + "日" * 5000
    assert FOUND["gpt2"].last(text, 0, len(text)) == 1


def test_both_ends_of_a_text_are_boundaries():
    assert FOUND["gpt2"].at("aa", 0)
    assert FOUND["gpt2"].at("aa", 2)
    assert not FOUND["gpt2"].at("aa", 1)


@pytest.mark.parametrize(
    ("tokenizer", "reason"),
    [
        (described(pre_tokenizers.Metaspace()), "no ByteLevel at its end"),
        (described(pre_tokenizers.ByteLevel(add_prefix_space=True)), "ByteLevel"),
        (
            described(pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), byte_level(True)])),
            "Whitespace",
        ),
        (described(pre_tokenizers.Sequence([split(r"(?<=a)b"), byte_level(True)])), "(?<=a)b"),
        (
            described(
                pre_tokenizers.Sequence(
                    [pre_tokenizers.Split(" ", "merged_with_next"), byte_level(True)]
                )
            ),
            "Split",
        ),
        (described(byte_level(False)), "leaves text unsplit"),
        (
            described(pre_tokenizers.Sequence([byte_level(False), split(r"\s+")])),
            "no ByteLevel at its end",
        ),
        (
            described(pre_tokenizers.Sequence([byte_level(False), byte_level(True)])),
            "no ByteLevel at its end",
        ),
        (described(byte_level(True), normalizers.NFKC()), "its normaliser changes texts (NFKC)"),
        (described(byte_level(True), added=["    "]), 'added tokens such as "    " are content'),
        ({**described(byte_level(True)), "model": {"type": "Unigram"}}, "its model is Unigram"),
        ({**described(byte_level(True)), "model": {"type": "BPE", "dropout": 0.1}}, "dropout"),
    ],
)
def test_a_tokenizer_that_is_not_proven_says_why(tokenizer, reason):
    found = boundaries_of(tokenizer)
    assert isinstance(found, str)
    assert reason in found


def test_normalisation_to_nfc_is_accepted():
    assert isinstance(boundaries_of(described(byte_level(True), normalizers.NFC())), Boundaries)


@pytest.mark.parametrize(
    "expression",
    [
        *("^a", "a$", r"\bx", r"(?<!a)b", "(?P<n>a)", "(a", "a*", "a|", "a.b", r"(a)\1", "(?!ab)c"),
        *("[a[b]]", "[a&&b]", "[]a]", "[[:alpha:]]", r"\p{Lu}", r"\P{L}", r"\p{^L}", r"\d", r"\w"),
        *(r"\x41", r"\u0041", r"\h", r"\R", "a{2}?", "a{0}", "a{0,3}", "a{,3}", "a+*", "a++?"),
        *(r"[!-\~]+", r"[\!-/]+", r"[\t-\r]+", "[a-z&&b]", r"[\p{L}&&a-f]", "[]a]+", "[^]a]+"),
        *("(?i:ß)", "(?i:[Þ-ÿ])", "(?i:ﬀ)", "px{1}?y"),
    ],
)
def test_an_expression_that_is_not_understood_is_refused(expression):
    with pytest.raises(Unknown):
        parse(expression)


ATOMS = [
    *(r"\p{L}", r"\p{N}", r"\s", r"\S", "[^\\s\\p{L}]", "[a-c]", "[^a]", " ", "'", "x", r"\n"),
    *("(?i:s)", "(?:ab|c)", "(?:a|bc)+", "[\r\n]", r"\p{P}", "日", "[一-龥]", "(?i:'s|ß)"),
]
QUANTIFIERS = ["", "", "?", "+", "*", "{1,3}", "{2}", "{2,}", "?+", "++", "+?", "*?"]


def random_expression(rng):
    def sequence():
        parts = [rng.choice(ATOMS) + rng.choice(QUANTIFIERS) for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.2:
            parts.insert(rng.randint(0, len(parts)), rng.choice([r"(?!\S)", "(?=a)", r"(?!\p{L})"]))
        return "".join(parts)

    return "|".join(sequence() for _ in range(rng.randint(1, 4)))


def test_boundaries_hold_for_random_expressions():
    rng, tried = random.Random(3), 0
    for _ in range(700):
        one = pre_tokenizers.Sequence(
            [split(random_expression(rng)) for _ in range(rng.randint(1, 2))] + [byte_level(True)]
        )
        found = boundaries_of(described(one))
        if isinstance(found, str):
            continue
        for _ in range(60):
            before, after = random_text(rng, 6), random_text(rng, 6)
            text = before + after
            if before and after and found.at(text, len(before)):
                tried += 1
                whole = pieces(one, text)
                assert pieces(one, before) + pieces(one, after) == whole, (one, before, after)
    assert tried > 1000
