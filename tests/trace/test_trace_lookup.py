"""From a text to the training documents that hold its code."""

import pytest

from finetune.errors import UserError
from finetune.trace import find, index, lookup
from finetune.trace.units import characters_of
from finetune.trace.winnow import winnow
from tests.trace.made_up import code, document


def shown(trace):
    return [(match.kind, match.path) for match in trace.matches]


@pytest.fixture
def library(indexed):
    """Forty documents of made-up code."""
    texts = {f"src/m{number}.py": code(number, 60) for number in range(40)}
    return indexed([document(path, text) for path, text in texts.items()]), texts


def test_every_planted_snippet_is_found_in_its_document(library):
    corpus, texts = library
    for number, (path, text) in enumerate(texts.items()):
        start, size = 37 * number, 60 + 7 * number
        trace = find(corpus.index, corpus.file, text[start : start + size])
        assert shown(trace) == [("exact", path)]
        (span,) = trace.matches[0].spans
        assert (span.document.start, span.document.end) == (start, start + size)


def test_nothing_is_found_for_code_that_is_not_there(library):
    corpus, _ = library
    for seed in range(100, 200):
        trace = find(corpus.index, corpus.file, code(seed, 20))
        assert (trace.matches, trace.num_found, trace.frequent) == ((), 0, ())


@pytest.mark.parametrize(("size", "found"), [(60, 1), (59, 0)])
def test_sixty_characters_are_a_passage_and_fifty_nine_are_not(library, size, found):
    corpus, texts = library
    snippet = "A" * 40 + texts["src/m3.py"][500 : 500 + size] + "B" * 40
    trace = find(corpus.index, corpus.file, snippet)
    assert len(trace.matches) == found
    assert trace.num_exact == found * 60


def test_a_match_says_where_it_stands_on_both_sides(indexed):
    theirs = code(1, 10)
    corpus = indexed([document("a.py", theirs, revision="c0ffee")])
    lines = theirs.splitlines(keepends=True)
    ours = "import one\n\n" + "".join(lines[4:7]) + "end\n"
    (match,) = find(corpus.index, corpus.file, ours).matches
    assert (match.repo, match.path, match.licence) == ("someone/lib", "a.py", "MIT")
    assert match.revision == "c0ffee"
    assert match.id == document("a.py", theirs, revision="c0ffee").id
    (span,) = match.spans
    assert ours[span.file.start : span.file.end] == "\n" + "".join(lines[4:7])
    assert theirs[span.document.start : span.document.end] == "\n" + "".join(lines[4:7])
    assert (span.file.first_line, span.file.last_line) == (2, 5)
    assert (span.document.first_line, span.document.last_line) == (4, 7)
    assert match.share == (span.file.end - span.file.start) / len(ours)


@pytest.mark.parametrize("windows_side", ["ours", "theirs"])
def test_line_ends_do_not_matter_and_places_are_those_of_each_text(indexed, windows_side):
    plain = code(1, 12)
    windows = plain.replace("\n", "\r\n")
    ours, theirs = (windows, plain) if windows_side == "ours" else (plain, windows)
    corpus = indexed([document("a.py", theirs)])
    for text in (ours, ours + "unlike = 1"):
        (match,) = find(corpus.index, corpus.file, text).matches
        (span,) = match.spans
        assert (match.kind, span.file.start, span.document.start) == ("exact", 0, 0)
        assert (span.file.end, span.document.end) == (len(ours), len(theirs))


def test_code_that_was_reformatted_is_similar(indexed):
    theirs = code(1, 12)
    corpus = indexed([document("a.py", theirs), document("b.py", code(2, 12))])
    ours = theirs.replace("    ", "\t").replace("(", "( ").replace(", ", " ,\n\t\t")
    trace = find(corpus.index, corpus.file, ours)
    assert shown(trace) == [("similar", "a.py")]
    assert trace.num_exact == 0
    assert trace.matches[0].share > 0.97  # all but the blanks before the first word and a bracket


def test_twenty_four_words_are_similar_and_twenty_three_are_not(indexed):
    words = [f"word_{number}" for number in range(40)]
    corpus = indexed([document("a.py", " ".join(words))])
    for size, found in ((24, 1), (23, 0)):
        ours = " x\n" + ",\n".join(words[8 : 8 + size]) + "\ny " + "z" * 60
        assert len(find(corpus.index, corpus.file, ours).matches) == found


def test_a_copy_is_exact_and_not_similar_besides(library):
    corpus, texts = library
    trace = find(corpus.index, corpus.file, texts["src/m7.py"])
    assert shown(trace) == [("exact", "src/m7.py")]
    assert trace.matches[0].share == 1.0


def test_documents_come_with_the_largest_share_first(library):
    corpus, texts = library
    ours = texts["src/m1.py"][:300] + "#" * 50 + texts["src/m2.py"][:800]
    assert shown(find(corpus.index, corpus.file, ours)) == [
        ("exact", "src/m2.py"),
        ("exact", "src/m1.py"),
    ]


def test_a_header_of_many_files_is_counted_and_a_unique_file_still_found(indexed):
    header = code(0, 10)
    documents = [document(f"m{number:03}.py", header + code(number, 9)) for number in range(1, 251)]
    corpus = indexed(documents)
    trace = find(corpus.index, corpus.file, documents[199].text)
    assert (trace.matches[0].path, trace.matches[0].share) == ("m200.py", 1.0)
    assert [one.num_documents for one in trace.frequent] == [250]
    # Runs after the header differ, so what is frequent lies inside it.
    assert trace.frequent[0].file.end <= len(header)
    assert lookup.COMPARED <= len(trace.matches) < 250


def test_of_common_passages_the_documents_with_most_of_them_are_compared(indexed):
    first, second = code(1, 3), code(2, 3)
    documents = [
        document(f"{number}.py", code(number, 9) + (first if number % 2 else second))
        for number in range(10, 310)
    ]
    both = document("both.py", first + code(400, 9) + second)
    corpus = indexed([*documents, both])
    trace = find(corpus.index, corpus.file, first + code(500, 9) + second)
    assert trace.matches[0].path == "both.py"
    assert len(trace.matches[0].spans) == 2


def test_what_is_common_but_too_short_to_be_a_passage_is_not_told(indexed):
    part = code(0, 2)[:45]
    documents = [document(f"{n}.py", code(n, 5) + part + code(1000 + n, 5)) for n in range(1, 151)]
    corpus = indexed(documents)
    trace = find(corpus.index, corpus.file, code(2000, 5) + part + code(2001, 5))
    assert (trace.matches, trace.frequent) == ((), ())


def test_every_document_that_holds_all_of_the_text_is_told(indexed):
    header = code(0, 10)
    corpus = indexed(
        [document(f"{number}.py", header + code(number, 9)) for number in range(1, 251)]
    )
    trace = find(corpus.index, corpus.file, header + "\n\n")
    assert len(trace.matches) == 250
    assert {match.spans[0].file.end for match in trace.matches} == {len(header.rstrip())}


def test_an_index_in_parts_finds_the_same(library, indexed, monkeypatch):
    corpus, texts = library
    snippet = texts["src/m9.py"][100:900] + texts["src/m30.py"][:200]
    expected = find(corpus.index, corpus.file, snippet)
    monkeypatch.setattr(index, "PART", 1000)
    parted = indexed([document(path, text) for path, text in texts.items()], name="parted")
    assert len(list(parted.index.glob("characters.*.hashes.npy"))) > 5
    assert find(parted.index, parted.file, snippet) == expected
    assert len(expected.matches) == 2


def test_without_the_corpus_fingerprints_are_told_as_such(library):
    corpus, texts = library
    trace = find(corpus.index, None, "#" * 70 + texts["src/m5.py"][100:1000])
    assert shown(trace) == [("fingerprints", "src/m5.py")]
    assert not trace.is_proven
    assert trace.num_exact == 0
    (span,) = trace.matches[0].spans
    assert span.document is None
    assert 70 <= span.file.start <= 70 + 30  # the first fingerprint may lie `window` k-grams in
    assert 970 - 30 <= span.file.end <= 970


def test_without_the_corpus_one_short_agreement_is_no_passage(library):
    corpus, texts = library
    shared = 0
    for path, text in texts.items():
        ours = code(500, 3) + text[200:259] + code(501, 3)
        trace = find(corpus.index, None, ours)
        assert trace.matches == (), path
        hashes = winnow(characters_of(ours).values, index.CHARACTERS).hashes
        shared += any(map(len, index.open_index(corpus.index).postings("characters", hashes)))
    assert shared > 20, "else no fingerprint agrees and this test shows nothing"


def test_a_long_text_on_a_boundless_repeat_ends(indexed):
    table = "    (0x1f, 'abc'),\n" * 3000
    corpus = indexed([document("table.py", table + code(1, 5))])
    (match,) = find(corpus.index, corpus.file, "x" * 70 + table).matches
    assert match.spans[0].file.end == 70 + len(table)


@pytest.mark.parametrize("text", ["x" * 59, "ab\r\n" * 19])
def test_a_short_text_is_a_mistake_that_says_the_least_length(library, text):
    corpus, _ = library
    with pytest.raises(UserError, match=r"has 5[79] characters, and no passage of fewer than 60"):
        find(corpus.index, corpus.file, text)


def test_another_corpus_is_not_taken_for_the_indexed_one(library, indexed):
    corpus, texts = library
    other = indexed([document("src/m3.py", code(77, 60))] * 40, name="other")
    with pytest.raises(UserError, match="made from another corpus"):
        find(corpus.index, other.file, texts["src/m3.py"])


def test_a_smaller_corpus_is_not_taken_for_the_indexed_one(library, indexed):
    corpus, texts = library
    other = indexed([document("src/m0.py", texts["src/m0.py"])], name="other")
    with pytest.raises(UserError, match="made from another corpus"):
        find(corpus.index, other.file, texts["src/m39.py"])


def test_a_folder_without_an_index_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match="no index of the training code"):
        find(tmp_path, None, "x" * 60)


def test_an_index_that_lost_a_file_is_a_mistake(library):
    corpus, texts = library
    (corpus.index / "words.0000.hashes.npy").unlink()
    with pytest.raises(UserError, match=r"words.0000.hashes.npy is missing"):
        find(corpus.index, corpus.file, texts["src/m0.py"])


def test_an_index_of_other_schemes_is_not_searched(library, monkeypatch):
    corpus, texts = library
    other = {**index.FAMILIES, "words": (index.words_of, index.Scheme(k=13, window=12))}
    monkeypatch.setattr(index, "FAMILIES", other)
    with pytest.raises(UserError, match="written by another version"):
        find(corpus.index, corpus.file, texts["src/m0.py"])


def test_the_summary_counts_what_lies_on_disk(indexed, tmp_path):
    texts = [code(1, 30), "short\n", code(2, 30)]
    corpus = indexed([document(f"{number}.py", text) for number, text in enumerate(texts)])
    summary = index.build_index(corpus.file, corpus.index)
    assert (summary.documents, summary.characters) == (3, sum(map(len, texts)))
    assert summary.bytes == sum(file.stat().st_size for file in corpus.index.iterdir())


def test_a_corpus_of_nothing_but_short_files_makes_an_index_that_finds_nothing(indexed):
    corpus = indexed([document("a.py", "x = 1\n")])
    assert find(corpus.index, corpus.file, code(1, 5)).matches == ()
