"""Similarities made by hand, and a slow reference that compares all with all."""

import random
import re
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from data_formats.document import Document
from finetune.corpus.minhash import SKETCH, UNCOMPARED, Sketches, sketch
from finetune.corpus.near_duplicates import near_duplicates
from finetune.errors import UserError


def document(text, licence=None):
    return Document(text=text, path="a.py", repo="r", language="python", licence=licence)


def shard(*documents):
    return Sketches.of([sketch(one, "source_code") for one in documents])


def settled(*texts, threshold=0.7):
    return near_duplicates([shard(*map(document, texts))], threshold)


def words(name, start, stop):
    return [f"{name}{number}" for number in range(start, stop)]


def renamed(tokens, at):
    """The same with other names at these places; five grams change for each that stands alone."""
    return [f"other_{token}" if place in at else token for place, token in enumerate(tokens)]


def gram_set(text):
    tokens = [token for token in re.split(r"[^A-Za-z_0-9]", text) if token]
    return {tuple(tokens[at : at + 5]) for at in range(len(tokens) - 4)}


def overlap(one, other):
    return len(one & other) / len(one | other)


def exact(one, other):
    """The definition once more, on tuples."""
    return overlap(gram_set(one), gram_set(other))


def pairs_with(renames, count=100):
    """Texts of 94 tokens, 90 grams, and each with so many identifiers renamed."""
    texts = []
    for number in range(count):
        tokens = words(f"name_{number}_", 0, 94)
        at = range(20, 20 + 10 * renames, 10)
        texts += [" ".join(tokens), " ".join(renamed(tokens, at))]
    return texts


def test_renamed_identifiers_at_similarity_0_8_are_caught_every_time():
    texts = pairs_with(renames=2)  # (90 - 10) / (90 + 10)
    found = settled(*texts)
    assert found.dropped.tolist() == list(range(0, 200, 2))  # the renamed ones are longer
    assert found.kept_for.tolist() == [number | 1 for number in range(200)]
    assert found.similarity[found.dropped].tolist() == [0.8] * 100


def test_similarity_0_5_is_kept_every_time():
    texts = pairs_with(renames=6)  # (90 - 30) / (90 + 30)
    assert exact(*texts[:2]) == 0.5
    assert settled(*texts).dropped.tolist() == []


def test_what_stands_under_the_threshold_by_a_hair_is_kept_every_time():
    """Estimates would take half of them for near-duplicates."""
    texts = []
    for number in range(100):
        shared = words(f"s{number}_", 0, 142)
        texts += [" ".join([*shared, *words(f"{own}{number}_", 0, 31)]) for own in "ab"]
    assert exact(*texts[:2]) == 138 / 200
    assert settled(*texts).dropped.tolist() == []


def test_at_the_threshold_nearly_all_are_caught():
    texts = []
    for number in range(100):
        shared = words(f"s{number}_", 0, 74)
        texts += [" ".join([*shared, *words(f"{own}{number}_", 0, 15)]) for own in "ab"]
    found = settled(*texts)
    assert len(found.dropped) >= 96  # 99.2 are expected
    assert set(found.similarity[found.dropped].tolist()) == {0.7}


CODE = " ".join(words("code", 0, 100))


@pytest.mark.parametrize(
    ("documents", "kept"),
    [
        ([document(CODE), document(f"{CODE}\n# Documented."), document(CODE, "MIT")], 1),
        ([document(f"{CODE} more words"), document(CODE, "MIT"), document(CODE)], 1),
        ([document(CODE), document(f"{CODE} more words"), document(CODE)], 1),
        ([document(CODE + " "), document(" " + CODE), document(CODE)], 0),
    ],
    ids=["the best documented", "of known licence", "the longer", "the earlier"],
)
def test_of_a_cluster_is_kept(documents, kept):
    assert near_duplicates([shard(*documents)], 0.7).kept_for.tolist() == [kept] * 3


def test_likeness_to_one_that_is_dropped_drops_nobody():
    """Each 12 tokens further: neighbours 84/108 = 0.78, the ends of the chain 72/120 = 0.6."""
    one, two, three = (" ".join(words("chain", at, at + 100)) for at in (100, 112, 124))
    assert settled(one, two, three).kept_for.tolist() == [0, 0, 2]
    assert settled(one, f"# documented\n{two}", three).kept_for.tolist() == [1, 1, 1]


def test_documents_of_under_five_tokens_are_kept_and_counted():
    found = settled("", "a b c d", "a b c d", "x y z u v", "x y z u v")
    assert found.kept_for.tolist() == [0, 1, 2, 3, 3]
    assert found.num_too_short == 3


def test_other_kinds_and_the_uncompared_are_kept():
    sketches = [sketch(document(CODE), kind) for kind in ("commit", "source_code", "commit")]
    found = near_duplicates([Sketches.of([UNCOMPARED, *sketches, UNCOMPARED])], 0.7)
    assert found.kept_for.tolist() == [0, 1, 2, 1, 4]


def test_nothing_has_no_near_duplicates():
    assert len(settled().kept_for) == len(near_duplicates([], 0.7).kept_for) == 0
    assert settled("a b").kept_for.tolist() == [0]


def families(seed, count=60, most=6):
    """Texts of 60 to 200 tokens with up to six copies of each, more and less renamed; shuffled."""
    generator = random.Random(seed)
    texts = []
    for number in range(count):
        tokens = words(f"family_{number}_", 0, generator.randint(60, 200))
        for _ in range(generator.randint(1, most)):
            most_renamed = generator.choice([0, len(tokens) // 12])
            at = generator.sample(range(len(tokens)), generator.randint(0, most_renamed))
            comment = "# why\n" if generator.random() < 0.3 else ""
            texts.append(comment + " ".join(renamed(tokens, at)))
    generator.shuffle(texts)
    return texts


def reference(texts, threshold):
    """In order of preference, each with all that are kept."""
    order = sorted(range(len(texts)), key=lambda at: ("#" not in texts[at], -len(texts[at]), at))
    sets = [gram_set(text) for text in texts]
    kept, result = [], list(range(len(texts)))
    for index in order:
        near = (one for one in kept if overlap(sets[one], sets[index]) >= threshold)
        result[index] = next(near, index)
        if result[index] == index:
            kept.append(index)
    return result


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9, 1.0])
def test_the_same_are_kept_as_by_comparing_all_with_all(threshold):
    texts = families(seed=1)
    found = settled(*texts, threshold=threshold)
    assert found.kept_for.tolist() == reference(texts, threshold)
    assert len(found.dropped) > 20


def test_where_a_shard_ends_makes_no_difference(tmp_path):
    documents = [document(text) for text in families(seed=2)]
    whole = near_duplicates([shard(*documents)], 0.7)
    bounds = [0, 1, 1, 30, 77, len(documents)]
    shards = []
    for number, start in enumerate(bounds[:-1]):
        shard(*documents[start : bounds[number + 1]]).save(tmp_path / f"{number}")
        shards.append(Sketches.open(tmp_path / f"{number}"))
    parts = near_duplicates(shards, 0.7)
    assert len(whole.dropped) > 20
    assert parts.kept_for.tolist() == whole.kept_for.tolist()
    assert parts.similarity.tolist() == whole.similarity.tolist()


def test_whoever_is_dropped_is_near_one_that_is_kept():
    texts = families(seed=3)
    found = settled(*texts)
    for index in found.dropped:
        keeper = found.kept_for[index]
        assert found.kept_for[keeper] == keeper
        assert found.similarity[index] == exact(texts[index], texts[keeper]) >= 0.7


def test_copies_beyond_number_are_not_compared_with_one_another():
    """All pairs of 20,000 would take minutes; one sketch stands for all."""
    rows = np.repeat(sketch(document(CODE), "source_code").row, 20_000)
    grams = np.tile(sketch(document(CODE), "source_code").grams, 20_000)
    found = near_duplicates([Sketches(rows, grams)], 0.7)
    assert found.kept_for.tolist() == [0] * 20_000
    assert found.num_pairs_skipped == 0


def test_a_thousand_that_differ_in_a_word_leave_one():
    licence = words("licence", 0, 200)
    texts = [" ".join([*licence[:99], f"year{number}", *licence[99:]]) for number in range(1000)]
    found = settled(*texts)
    assert set(found.kept_for.tolist()) == {100}  # the first of the longest
    assert found.num_pairs_skipped > 0


def test_a_thousand_with_the_same_head_and_bodies_of_their_own_are_kept():
    licence = " ".join(words("licence", 0, 100))
    texts = [f"{licence} {' '.join(words(f'own{number}_', 0, 30))}" for number in range(1000)]
    assert exact(*texts[:2]) == pytest.approx(96 / 156)
    assert settled(*texts).dropped.tolist() == []


def test_tables_of_the_standard_library_are_dropped_for_true_near_duplicates_only():
    folder = Path(sysconfig.get_paths()["stdlib"]) / "encodings"
    texts = [file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.py"))]
    found = settled(*texts)
    sets = [gram_set(text) for text in texts]
    assert len(found.dropped) > 20
    for index in found.dropped:
        assert overlap(sets[index], sets[found.kept_for[index]]) >= 0.7
    kept = [sets[at] for at in range(len(texts)) if found.kept_for[at] == at and sets[at]]
    assert max(overlap(a, b) for at, a in enumerate(kept) for b in kept[:at]) < 0.8


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01])
def test_a_threshold_that_is_no_similarity_is_refused(threshold):
    with pytest.raises(UserError, match="up to 1"):
        settled("a b c d e", threshold=threshold)


@pytest.mark.parametrize(
    "broken",
    [
        Sketches(np.zeros((2, 256), np.uint32), np.zeros(0, np.uint32)),
        Sketches(np.ones(1, SKETCH), np.zeros(2, np.uint32)),
    ],
    ids=["of another form", "without its grams"],
)
def test_a_shard_that_holds_something_else_is_refused(broken):
    with pytest.raises(UserError, match="shard 1: these are no sketches"):
        near_duplicates([shard(), broken], 0.7)
