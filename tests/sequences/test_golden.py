"""Written segments against ids worked out elsewhere, and against the rules spelt out by hand."""

import pytest
from tokenizers import Tokenizer

from finetune.recipe.schema import Fim
from finetune.sequences.block import make_block
from finetune.sequences.encoder import Encoder
from finetune.sequences.order import Turn
from finetune.sequences.packing import Rule, Segment
from finetune.sequences.segment import Cut, write_segment
from finetune.tokenizer import CodeTokenizer

DEF = ("def f(x):\n    ret", "urn x", "\n")
GOLDEN = {
    "psm": (DEF, "psm", [1, 589, 296, 26, 106, 711, 284, 2152, 3, 203, 2, 375, 816]),
    "spm": (DEF, "spm", [1, 3, 203, 2, 589, 296, 26, 106, 711, 284, 2152, 375, 816]),
    "spm_v1": (DEF, "spm_v1", [3, 203, 1, 589, 296, 26, 106, 711, 284, 2152, 2, 375, 816]),
    "empty middle": (
        ("a = 1\n", "", "b = 2\n"),
        "psm",
        [1, 83, 280, 225, 35, 203, 3, 84, 280, 225, 36, 203, 2],
    ),
    "empty suffix": (
        ("a = 1\n", "b = 2\n", ""),
        "psm",
        [1, 83, 280, 225, 35, 203, 3, 2, 84, 280, 225, 36, 203],
    ),
    "characters of several bytes": (
        ("s = 'é", "日", "本'\n"),
        "psm",
        [1, 101, 280, 330, 1309, 3, 5192, 25, 203, 2, 6625],
    ),
    "inside tokens": (
        ("print(hel", "lo_wor", "ld)\n"),
        "psm",
        [1, 1216, 26, 2542, 3, 1381, 27, 203, 2, 315, 81, 25856],
    ),
}
MIDDLE = {"psm": 2, "empty middle": 0, "empty suffix": 5, "inside tokens": 3}
"""How many ids at the end of the golden ones are the middle's."""


def laid_out(text, start, end, cut, encoder, labels="all"):
    """Ids and labels of one segment that has a block to itself."""
    written = write_segment(encoder.tokens(text), start, end, cut, encoder)
    segment = Segment(Turn(0, 0), start, end, (written,), Rule(Fim(), labels), written.length)
    block = make_block([segment], length=written.length, isolate=False, pad=4)
    return block.input_ids.tolist(), block.labels.tolist()


def written(parts, layout, encoder, labels="all"):
    prefix, middle, suffix = parts
    cut = Cut(layout, len(prefix), len(prefix) + len(middle))
    text = prefix + middle + suffix
    return laid_out(text, 0, len(text), cut, encoder, labels)


@pytest.fixture(scope="module", params=["spliced", "encoded again"])
def starcoder(shared, request) -> Encoder:
    tokenizer = CodeTokenizer(shared / "data" / "starcoder-tokenizer")
    return Encoder(tokenizer, request.param == "spliced")


@pytest.mark.parametrize(("parts", "layout", "ids"), GOLDEN.values(), ids=GOLDEN)
def test_a_cut_segment_has_the_golden_ids_and_one_end(starcoder, parts, layout, ids):
    assert written(parts, layout, starcoder)[0] == [*ids, 0]


@pytest.mark.parametrize(("parts", "layout", "ids"), GOLDEN.values(), ids=GOLDEN)
def test_every_golden_id_is_its_own_label(starcoder, parts, layout, ids):
    assert written(parts, layout, starcoder)[1] == [*ids, 0]


def test_middle_labels_of_the_golden_function_are_eleven_masks_then_middle_and_end(starcoder):
    assert written(DEF, "psm", starcoder, "middle")[1] == [-100] * 11 + [375, 816, 0]


@pytest.mark.parametrize("layout", ["spm", "spm_v1"])
def test_middle_labels_are_the_same_in_every_layout(starcoder, layout):
    assert written(DEF, layout, starcoder, "middle")[1] == [-100] * 11 + [375, 816, 0]


@pytest.mark.parametrize("name", MIDDLE)
def test_middle_labels_mask_all_before_the_middle(starcoder, name):
    parts, layout, ids = GOLDEN[name]
    kept = MIDDLE[name]
    masked = len(ids) - kept
    expected = [-100] * masked + ids[masked:] + [0]
    assert written(parts, layout, starcoder, "middle")[1] == expected


@pytest.mark.parametrize("labels", ["all", "middle"])
def test_an_uncut_document_keeps_every_label_and_its_end(starcoder, labels):
    text = "".join(DEF)
    ids, own_labels = laid_out(text, 0, len(text), None, starcoder, labels)
    assert ids == own_labels == [589, 296, 26, 106, 711, 284, 442, 816, 203, 0]


def test_an_uncut_segment_that_goes_on_elsewhere_has_no_end(starcoder):
    assert laid_out("a = 1\nb = 2\n", 0, 6, None, starcoder)[0] == [83, 280, 225, 35, 203]


def test_a_cut_segment_that_goes_on_elsewhere_ends_its_middle(starcoder):
    text, cut = "a = 1\nb = 2\nc", Cut("psm", 6, 6)
    ids, _ = laid_out(text, 0, 12, cut, starcoder)
    assert ids == [1, 83, 280, 225, 35, 203, 3, 84, 280, 225, 36, 203, 2, 0]


@pytest.mark.parametrize(
    "parts",
    [
        DEF,
        ("", "", "x"),
        ("", "whole", ""),
        ("é", "日本", "🙂\r\n"),
        ("<fim_prefix>", "<fim_middle>", "<fim_suffix>"),
    ],
)
def test_a_small_tokenizer_follows_the_same_rules(tiny_tokenizer, parts):
    plain = Tokenizer.from_file(str(tiny_tokenizer / "tokenizer.json"))
    plain.encode_special_tokens = True  # names of special tokens are text
    prefix, middle, suffix = (plain.encode(part).ids for part in parts)
    expected = {
        "psm": [1, *prefix, 3, *suffix, 2, *middle, 0],
        "spm": [1, 3, *suffix, 2, *prefix, *middle, 0],
        "spm_v1": [3, *suffix, 1, *prefix, 2, *middle, 0],
    }
    masks = [-100] * (3 + len(prefix) + len(suffix))
    for layout, ids in expected.items():
        found = written(parts, layout, Encoder(CodeTokenizer(tiny_tokenizer)), "middle")
        assert found == (ids, [*masks, *middle, 0])
