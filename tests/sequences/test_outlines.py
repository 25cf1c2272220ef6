"""Documents with sentinels, with parts that may not be cut, and with parts that are not learned."""

import random

import numpy as np
import pytest

from data_formats.document import Document, Mark, Sentinel, compose
from finetune.corpus.store import write_documents
from finetune.errors import UserError
from finetune.recipe.schema import Fim, Sequences
from finetune.sequences import Encoder, Rule, block_stream, open_corpus, tokenise
from finetune.sequences.block import as_json
from finetune.sequences.outline import Outline, outline_of
from finetune.sequences.preview import described
from finetune.tokenizer import CodeTokenizer

BEFORE, MESSAGE, AFTER = 15, 16, 17
FILENAME, REPO = 5, 18
PREFIX, MIDDLE, SUFFIX, EOD = 1, 2, 3, 0


@pytest.fixture(scope="module")
def encoder(tiny_tokenizer) -> Encoder:
    return Encoder(CodeTokenizer(tiny_tokenizer))


def document(*pieces, **keys) -> Document:
    text, marks = compose(pieces)
    return Document(text=text, path="p", repo="r", language="python", marks=marks, **keys)


COMMIT = document(
    Sentinel("<commit_before>"),
    "a = 1\n",
    Sentinel("<commit_msg>"),
    "Say <commit_after> two",
    Sentinel("<commit_after>"),
    "a = 2\n",
    bodies=(),
)


def repository(*files: tuple[str, str]) -> Document:
    """Names that stay, and files that may be cut."""
    pieces = [Sentinel("<reponame>"), "r"]
    bodies, at = [], 1
    for name, code in files:
        pieces += [Sentinel("<filename>"), f"{name}\n", code]
        at += len(name) + 1
        bodies.append((at, at + len(code)))
        at += len(code)
    return document(*pieces, bodies=tuple(bodies))


REPOSITORY = repository(("one.py", "def f():\n    return 1\n"), ("two.py", "x = f()\ny = x\n"))

PROMPT, ANSWER = "Question: two?\n\nAnswer:", " It is 2.\n"
CHAT = Document(
    text=PROMPT + ANSWER,
    path="p",
    repo="r",
    language="chat",
    marks=(Mark(len(PROMPT), ""),),
    bodies=(),
    learned=((len(PROMPT), len(PROMPT + ANSWER)),),
)


def blocks_of(documents, encoder, *, length=256, rate=0.0, labels="all", spm=0.0):
    rules = [Rule(Fim(rate=rate, spm=spm), labels)]
    corpus = tokenise(documents, encoder)
    stream = block_stream(corpus, rules, Sequences(length=length), seed=0, epochs=1)
    return list(stream), stream


def filled(block):
    return block.input_ids[: block.placed[-1].end].tolist()


def test_a_commit_is_its_parts_encoded_alone_with_the_sentinels_between(encoder):
    encode = encoder.tokenizer.encode
    (block,), _ = blocks_of([COMMIT], encoder, rate=1.0)
    assert filled(block) == [
        BEFORE,
        *encode("a = 1\n"),
        MESSAGE,
        *encode("Say <commit_after> two"),
        AFTER,
        *encode("a = 2\n"),
        EOD,
    ]
    assert block.labels[: len(filled(block))].tolist() == [-100, *filled(block)[1:]]


def test_what_has_no_body_is_never_cut_and_not_counted_in_the_rate(encoder):
    plain = Document(text="a = 1\nb = 2\n", path="q", repo="r", language="python")
    _, stream = blocks_of([COMMIT, plain], encoder, rate=1.0)
    assert (stream.counts.bodies, stream.counts.effective_rate) == (1, 1.0)


def reference(text, outline, start, end, encoder):
    """Run by run: sentinels by name, texts encoded alone."""
    ids, encode = [], encoder.tokenizer.encode
    for low, high in outline.runs(start, end):
        ids += [encoder.tokenizer.special_id(m.token) for m in outline.marks if m.at == low]
        ids += encode(text[low:high])
    if end == len(text) > start:
        ids += [encoder.tokenizer.special_id(m.token) for m in outline.marks if m.at == end]
    return ids


@pytest.mark.parametrize("is_spliced", [True, False])
def test_any_part_equals_its_runs_encoded_again(encoder, is_spliced):
    encoder = Encoder(encoder.tokenizer, is_spliced=is_spliced)
    rng, names = random.Random(0), ["<commit_msg>", "<issue_comment>", "<empty_output>"]
    for _ in range(150):
        words = ["def f(x):\n", "    ", "é日", "12 34", "<commit_msg>", " value", "\n\n", "ab", ""]
        pieces = [
            Sentinel(rng.choice(names)) if rng.random() < 0.3 else rng.choice(words)
            for _ in range(rng.randint(1, 14))
        ]
        one = document(*pieces, bodies=())
        if not one.text:
            continue
        outline = outline_of(one)
        tokens = encoder.tokens(one.text, outline)
        start, end = sorted(rng.choices(range(len(one.text) + 1), k=2))
        if start == end:
            continue
        part = np.concatenate(encoder.part(tokens, start, end)).tolist()
        assert part == reference(one.text, outline, start, end, encoder)


def test_files_of_a_repository_are_cut_each_on_its_own_and_names_never(encoder):
    (block,), stream = blocks_of([REPOSITORY], encoder, rate=1.0)
    names = [encoder.tokenizer.name(id_) for id_ in filled(block)]
    sentinels = [name for name in names if name]
    one_file = ["<filename>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>"]
    assert sentinels == ["<reponame>", *one_file, *one_file, "<|endoftext|>"]
    assert [placed.cut is not None for placed in block.placed] == [False, True, False, True]
    assert stream.counts.bodies == 2
    assert block.position_ids[: len(names)].tolist() == list(range(len(names)))


def test_the_middle_of_a_file_ends_with_the_sentinel_of_the_next(encoder):
    (block,), _ = blocks_of([REPOSITORY], encoder, rate=1.0, labels="middle")
    first, second = (placed for placed in block.placed if placed.cut)
    following, scored = block.placed[2], []
    for placed in (first, second):
        middle = dict(placed.roles)["middle"]
        is_last = placed is second
        scored += range(placed.end - middle - is_last, placed.end)
    scored.insert(dict(first.roles)["middle"], following.start)
    labelled = np.flatnonzero(block.labels != -100).tolist()
    assert labelled == sorted(scored)
    assert block.input_ids[following.start] == FILENAME
    assert block.input_ids[labelled[-1]] == EOD


def test_a_repository_whose_files_are_left_is_one_run_of_text(encoder):
    (block,), _ = blocks_of([REPOSITORY], encoder, rate=0.0)
    assert len(block.placed) == 1
    encode = encoder.tokenizer.encode
    assert filled(block) == [
        REPO,
        *encode("r"),
        FILENAME,
        *encode("one.py\ndef f():\n    return 1\n"),
        FILENAME,
        *encode("two.py\nx = f()\ny = x\n"),
        EOD,
    ]


def test_only_the_answer_and_its_end_are_learned_in_a_packed_block(encoder):
    (block,), _ = blocks_of([CHAT, CHAT, COMMIT], encoder)
    prompt, answer = (encoder.tokenizer.encode(text) for text in (PROMPT, ANSWER))
    for placed in block.placed:
        if placed.end - placed.start != len(prompt) + len(answer) + 1:
            continue
        labels = block.labels[placed.start : placed.end].tolist()
        assert labels == [-100] * len(prompt) + [*answer, EOD]
    assert [placed.turn.document for placed in block.placed].count(2) == 1


def test_the_sentinel_that_ends_a_turn_is_learned_and_the_one_that_opens_it_is_not(encoder):
    user, answer = "hi", "ho"
    text, marks = compose(
        [Sentinel("<issue_start>"), user, Sentinel("<commit_msg>"), answer, Sentinel("<gh_stars>")]
    )
    chat = Document(
        text=text, path="p", repo="r", language="chat", marks=marks, bodies=(), learned=((2, 4),)
    )
    (block,), _ = blocks_of([chat], encoder)
    names = encoder.tokenizer
    learned = [id_ for id_ in block.labels.tolist() if id_ != -100]
    assert learned == [*names.encode(answer), names.special_id("<gh_stars>"), EOD]


def test_a_long_document_with_sentinels_is_split_and_nothing_is_lost(encoder):
    pieces = []
    for number in range(30):
        pieces += [Sentinel("<issue_comment>"), f"username_0: line {number}\nand more\n"]
    one = document(*pieces, Sentinel("<issue_closed>"), bodies=())
    blocks, stream = blocks_of([one], encoder, length=64)
    together = [id_ for block in blocks for id_ in filled(block)]
    whole = encoder.tokens(one.text, outline_of(one)).ids.tolist()
    assert stream.counts.splits > 3
    assert together == [*whole, EOD]


def test_outlines_come_back_from_the_cache(encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))
    documents = [COMMIT, REPOSITORY, CHAT]
    write_documents(tmp_path / "train.parquet", documents)
    cached, memory = (
        open_corpus(tmp_path / "train.parquet", encoder.tokenizer),
        tokenise(documents, encoder),
    )
    for index in range(3):
        one, other = cached.read(index), memory.read(index)
        assert one.outline == other.outline
        assert one.ids.tolist() == other.ids.tolist()


def test_marks_alone_change_the_cache_of_a_corpus(encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))
    plain = Document(text=COMMIT.text, path="p", repo="r", language="python")
    lengths = []
    for number, one in enumerate([plain, COMMIT]):
        file = tmp_path / f"{number}.parquet"
        write_documents(file, [one])
        lengths.append(open_corpus(file, encoder.tokenizer).num_tokens)
    assert plain.id == COMMIT.id
    assert lengths[1] > lengths[0]


def test_a_token_that_the_tokenizer_lacks_is_named(encoder):
    with pytest.raises(UserError, match="no special token <file_sep>"):
        encoder.tokens("a", outline_of(document(Sentinel("<file_sep>"), "a", bodies=())))


NAMELESS = document(
    Sentinel("<filename>"),
    "a = 1\n",
    Sentinel("<filename>"),
    "b = 2\nc\n",
    bodies=((0, 6), (6, 14)),
)
"""Files directly behind their sentinels."""


@pytest.mark.parametrize("spm", [0.0, 1.0])
def test_a_sentinel_directly_before_a_cut_file_stays_before_it(encoder, spm):
    (block,), stream = blocks_of([NAMELESS], encoder, rate=1.0, spm=spm)
    encode, ids = encoder.tokenizer.encode, []
    for placed in block.placed:
        if placed.cut is None:
            ids.append(FILENAME)
            continue
        text = NAMELESS.text[slice(*placed.segment)]
        one, two = placed.cut.prefix_end, placed.cut.middle_end
        prefix, middle, suffix = (encode(p) for p in (text[:one], text[one:two], text[two:]))
        psm = [PREFIX, *prefix, SUFFIX, *suffix, MIDDLE, *middle]
        ids += [PREFIX, SUFFIX, *suffix, MIDDLE, *prefix, *middle] if spm else psm
    assert filled(block) == [*ids, EOD]
    assert ids.count(FILENAME) == 2
    described = as_json(block, stream.corpus)["documents"]
    assert [one.get("marks") for one in described] == [[(0, "<filename>")], None] * 2


def test_a_sentinel_inside_what_may_be_cut_is_refused():
    with pytest.raises(AssertionError, match="inside what may be cut"):
        outline_of(document("a", Sentinel("<filename>"), "b"))


def test_preview_shows_inner_sentinels_as_such_and_json_says_where_they_stand(encoder):
    (block,), stream = blocks_of([COMMIT], encoder)
    (shown,) = described(block, stream.corpus)
    assert [run.text for run in shown.runs if run.role == "sentinel"] == [
        "<commit_before>",
        "<commit_msg>",
        "<commit_after>",
    ]
    (line,) = as_json(block, stream.corpus)["documents"]
    assert line["marks"] == [(0, "<commit_before>"), (6, "<commit_msg>"), (28, "<commit_after>")]
    assert (line["layout"], line["segment"]) == (None, COMMIT.text)


def test_an_outline_survives_json():
    outline = Outline((Mark(3, "<a>"), Mark(3, "")), ((4, 5),), None)
    assert Outline.from_json(outline.to_json()) == outline
