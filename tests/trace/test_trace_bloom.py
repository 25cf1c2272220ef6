"""The filter that travels with a model: what it finds, how often it errs, what it needs."""

import json
import subprocess
import sys

import pytest

from finetune.errors import UserError
from finetune.trace import check_bloom, write_bloom
from tests.trace.made_up import code, document


@pytest.fixture
def released(indexed, tmp_path):
    """A filter of fifty documents at a rate of 1 in 100, alone in a folder; and the texts."""
    texts = [code(seed, 100) for seed in range(50)]
    corpus = indexed([document(f"{number}.py", text) for number, text in enumerate(texts)])
    file = tmp_path / "release" / "training_index.bloom"
    file.parent.mkdir()
    write_bloom(corpus.file, file, rate=0.01)
    return file, texts


def test_a_hundred_characters_of_the_training_code_are_always_found(released):
    file, texts = released
    for number, text in enumerate(texts):
        start = 31 * number
        found = check_bloom(file, "A" * 50 + text[start : start + 100] + "B" * 50)
        # A neighbour that seems present by chance makes a span longer, never shorter.
        assert any(min(b, 150) - max(a, 50) >= 50 for a, b in found.spans), number


def test_a_whole_file_is_told_but_for_its_edges(released):
    file, texts = released
    (span,) = check_bloom(file, texts[3]).spans
    assert span[0] <= 50
    assert span[1] >= len(texts[3]) - 50


def test_absent_code_is_found_as_often_as_stated(released):
    file, _ = released
    asked = hits = 0
    for seed in range(1000, 1400):
        found = check_bloom(file, code(seed, 100))
        asked += found.num_fingerprints
        hits += sum((end - start) // 50 for start, end in found.spans)
    assert asked > 50_000
    # 0.01 +- 0.0004 (one standard deviation) on 60,000 independent questions
    assert hits / asked == pytest.approx(0.01, abs=0.002)


def test_the_size_is_the_textbook_optimum(released):
    file, _ = released
    line, _, bits = file.read_bytes().partition(b"\n")
    header = json.loads(line)
    assert len(bits) * 8 / header["items"] == pytest.approx(9.585, abs=0.01)  # -ln(p) / ln(2)^2
    assert header["hashes"] == 7


def test_line_ends_do_not_matter(released):
    file, texts = released
    text = texts[0].replace("\n", "\r\n")
    (start, end), *_ = check_bloom(file, text).spans
    assert text[start:end].replace("\r\n", "\n") in texts[0]
    assert end - start > 0.9 * len(text)


def test_the_file_alone_is_enough_and_equal_on_every_run(released, tmp_path):
    file, texts = released
    (tmp_path / "query.py").write_text(texts[1])
    program = (
        "import sys; from pathlib import Path; from finetune.trace import check_bloom\n"
        "print(check_bloom(Path(sys.argv[1]), Path(sys.argv[2]).read_text()).spans)\n"
    )
    command = [sys.executable, "-c", program, str(file), str(tmp_path / "query.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == str(check_bloom(file, texts[1]).spans)


def test_a_text_of_fewer_than_a_hundred_characters_is_a_mistake(released):
    with pytest.raises(UserError, match="99 characters, and no passage of fewer than 100"):
        check_bloom(released[0], "x" * 99)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda whole: whole[:-1], "cut off or altered"),
        (lambda whole: b"not a filter", "no training index"),
        (lambda whole: b"[]\n", "no training index"),
        (lambda whole: whole.replace(b'"k": 50', b'"k": 51'), "one of another version"),
    ],
)
def test_a_damaged_file_is_a_mistake(released, content, message):
    file, texts = released
    file.write_bytes(content(file.read_bytes()))
    with pytest.raises(UserError, match=message):
        check_bloom(file, texts[0])


@pytest.mark.parametrize(
    "changed",
    [
        {"hashes": None},
        {"hashes": 0},
        {"hashes": -1},
        {"hashes": 65},
        {"hashes": 100_000_000},
        {"hashes": "x"},
        {"hashes": True},
        {"hashes": 1.5},
        {"rate": None},
        {"rate": 0},
        {"rate": 2.0},
        {"rate": float("nan")},
        {"rate": "0.1"},
        {"bits": None},
        {"bits": 0},
        {"bits": -64},
        {"bits": "64"},
        {"bits": 10**30},
        {"bits": [64]},
    ],
    ids=str,
)
def test_a_header_that_no_filter_has_is_a_mistake(released, changed):
    """None stands for a key that is missing."""
    file, texts = released
    line, _, bits = file.read_bytes().partition(b"\n")
    header = {key: one for key, one in {**json.loads(line), **changed}.items() if one is not None}
    if changed.get("bits") == 0:
        bits = b""
    file.write_bytes(json.dumps(header).encode() + b"\n" + bits)
    with pytest.raises(UserError, match="cut off or altered; fetch it again"):
        check_bloom(file, texts[0])


@pytest.mark.parametrize("line", [b"[" * 100_000, b'{"a": ' * 500 + b"1", b"9" * 4000, b"5", b""])
def test_a_first_line_that_is_no_header_is_a_mistake(released, line):
    file, texts = released
    file.write_bytes(line + b"\n" + bytes(8))
    with pytest.raises(UserError, match="no training index, or one of another version"):
        check_bloom(file, texts[0])


def test_a_rate_that_is_too_small_is_a_mistake(indexed, tmp_path):
    corpus = indexed([document("a.py", code(1, 10))])
    write_bloom(corpus.file, tmp_path / "x.bloom", rate=1e-19)
    assert check_bloom(tmp_path / "x.bloom", code(1, 10)).spans
    with pytest.raises(UserError, match="rate 1e-20: is too small to be told; give 1e-19 or more"):
        write_bloom(corpus.file, tmp_path / "x.bloom", rate=1e-20)


@pytest.mark.parametrize("rate", [0, 1, -0.1])
def test_a_rate_that_is_no_share_is_a_mistake(indexed, tmp_path, rate):
    corpus = indexed([document("a.py", code(1, 10))])
    with pytest.raises(UserError, match="lies between 0 and 1"):
        write_bloom(corpus.file, tmp_path / "x.bloom", rate=rate)
    assert not (tmp_path / "x.bloom").exists()
