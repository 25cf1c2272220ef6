"""Grams and similarities counted by hand, signatures against exact similarities."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data_formats.document import Document
from finetune.corpus.minhash import (
    SKETCH,
    UNCOMPARED,
    Sketches,
    grams,
    jaccard,
    signature,
    sketch,
)


def document(text, licence=None):
    return Document(text=text, path="a.py", repo="r", language="python", licence=licence)


def similarity(one, other):
    return jaccard(grams(one), grams(other))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("a b c d", 0),
        ("a b c d e", 1),
        ("a b c d e f", 2),
        ("a b c d e a b c d e", 5),  # abcde twice, bcdea, cdeab, deabc, eabcd
        ("a a a a a a a a", 1),
        ("变量 é 名字 函数 返回 值", 0),  # no ASCII word in it
    ],
)
def test_a_gram_is_counted_once(text, count):
    assert len(grams(text)) == count


def test_similarity_is_what_both_have_over_what_either_has():
    # abcde bcdef cdefg / abcde bcdef cdefh: two of four
    assert similarity("a b c d e f g", "a b c d e f h") == 0.5


def test_the_same_tokens_in_another_order_are_not_the_same():
    assert similarity("a b c d e", "e d c b a") == 0


def test_layout_and_punctuation_do_not_count():
    assert similarity("if f(x, y) == 1:\n    return x_1", "if f( x,y )==1: { return x_1; }") == 1


def test_case_and_underscores_count():
    assert similarity("return first_name of a b", "return firstName of a b") == 0


def test_grams_are_those_of_a_set_of_tuples():
    words = [f"w{number * number % 97}" for number in range(2000)]
    expected = {tuple(words[at : at + 5]) for at in range(len(words) - 4)}
    assert len(grams(" ".join(words))) == len(expected)


@pytest.mark.parametrize("size", [8, 40, 200, 3000])
@pytest.mark.parametrize("exact", [0.25, 0.5, 0.75])
def test_signatures_estimate_similarity_without_bias(size, exact):
    """The mean of 200 estimates, each of standard deviation up to 0.0313: 4.5 of its own."""
    generator = np.random.default_rng(size)
    shared, estimates = round(size * exact), []
    for _ in range(200):
        union = np.unique(generator.integers(0, 2**32, size, dtype=np.uint32))
        generator.shuffle(union)
        half = shared + (size - shared) // 2
        one, other = union[:half], np.concatenate([union[:shared], union[half:]])
        estimates.append((signature(one) == signature(other)).mean())
    assert np.mean(estimates) == pytest.approx(exact, abs=0.01)
    assert np.std(estimates) < 0.036


def test_a_signature_does_not_depend_on_the_order_of_grams():
    found = grams("the same grams in whatever order they may come to be read")
    assert (signature(found) == signature(found[::-1].copy())).all()


def test_sketches_are_the_same_in_every_process():
    """Under another seed of Python's own hashes, and after other texts."""
    text = "def total(values): return sum(value for value in values if value)"
    code = (
        "import sys; from data_formats.document import Document; "
        "from finetune.corpus.minhash import sketch; "
        "made = [sketch(Document(text=t, path='a.py', repo='r', language='python'), 'source_code')"
        " for t in ('other words were here before these', sys.argv[1])]; "
        "sys.stdout.write(made[1].row.tobytes().hex())"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code, text],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    here = sketch(document(text), "source_code").row.tobytes().hex()
    assert outputs == [here, here]


def test_hashes_are_those_of_every_machine():
    """A change here means that sketches on disk no longer compare: see `sketch_version`."""
    found = grams("one two three four five six")
    assert found.tolist() == [1877832735, 3371864387]
    assert signature(found)[:3].tolist() == [3978675934, 3497556746, 3504738515]


def test_a_sketch_says_what_preference_needs():
    row = sketch(document("# Adds one.\ndef f(x): return x + 1\n", "MIT"), "source_code").row
    assert row["documentation"] == len("Addsone")
    assert row["length"] == 35
    assert row["is_licensed"]
    assert row["grams"] == 4  # Adds one def f x return x 1


def test_sketches_come_back_as_they_were_saved(tmp_path):
    texts = ("a b c d e f", "too short", "one two three four five")
    made = Sketches.of([*(sketch(document(text), "k") for text in texts), UNCOMPARED])
    made.save(tmp_path / "00007")
    read = Sketches.open(tmp_path / "00007")
    assert isinstance(read.rows, np.memmap)
    assert read.rows["grams"].tolist() == [2, 0, 1, 0]
    assert read.rows.tobytes() == made.rows.tobytes()
    assert read.grams.tolist() == [*grams(texts[0]), *grams(texts[2])]


def test_no_document_makes_an_empty_array():
    made = Sketches.of([])
    assert made.rows.dtype == SKETCH
    assert len(made.rows) == len(made.grams) == 0
