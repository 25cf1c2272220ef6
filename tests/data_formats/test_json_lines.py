"""Lines of JSON: whole, broken, too long, compressed, cut off."""

import gzip
import json
import tracemalloc
import zlib

import pytest
import zstandard

from data_formats import json_lines
from data_formats.json_lines import line_ranges, read_lines


def read(file):
    return list(read_lines(file, 0, None, 1))


def in_ranges(file, part_bytes):
    ranges = list(line_ranges(file, part_bytes))
    return ranges, [row for one in ranges for row in read_lines(file, *one)]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "t.jsonl"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": 1', json_lines.NOT_JSON),
        (b"{'a': 1}", json_lines.NOT_JSON),
        (b'{"a": 1} {"a": 2}', json_lines.NOT_JSON),
        (b'{"a": ' + b"9" * 5000 + b"}", json_lines.NOT_JSON),
        (b"[1, 2]", json_lines.NOT_OBJECT),
        (b"null", json_lines.NOT_OBJECT),
        (b'{"a": "caf\xe9"}', json_lines.NOT_UTF8),
        (b'{"a": ' * 100_000, json_lines.TOO_DEEP),
        (rb'{"a": ["\ud83d"]}', json_lines.SURROGATE),
        (rb'{"\uDE00": 1}', json_lines.SURROGATE),
    ],
)
def test_a_line_without_a_row_is_told_and_the_next_is_read(file, line, reason):
    file.write_bytes(line + b'\n{"b": 2}\n')
    assert read(file) == [(1, reason), (2, {"b": 2})]


def test_every_character_comes_back(file):
    text = "\u2028 \x85 \r 😀 \0 é"
    escaped, plain = (json.dumps({"a": text}, ensure_ascii=flag) for flag in (True, False))
    file.write_bytes(f"{escaped}\r\n{plain}\n".encode())
    assert r"\ud83d\ude00" in escaped
    assert read(file) == [(1, {"a": text}), (2, {"a": text})]


def test_blank_lines_hold_no_row_but_count(file):
    file.write_bytes(b'\xef\xbb\xbf{"a": 1}\n\n \r\n{"a": 2}')
    assert read(file) == [(1, {"a": 1}), (4, {"a": 2})]


def test_an_empty_file_has_no_rows(file):
    file.write_bytes(b"")
    assert read(file) == []
    assert list(line_ranges(file, 10)) == [(0, None, 1)]


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_a_line_may_be_as_long_as_allowed_and_no_longer(file, monkeypatch, chunk):
    monkeypatch.setattr(json_lines, "LONGEST", 12)
    monkeypatch.setattr(json_lines, "CHUNK", chunk)
    file.write_bytes(b'{"a": "123"}\n{"a": "1234"}\n{}\n{"a": "1234"}')
    assert read(file) == [
        (1, {"a": "123"}),
        (2, json_lines.TOO_LONG),
        (3, {}),
        (4, json_lines.TOO_LONG),
    ]


def test_an_over_long_line_is_not_held_in_memory(file, monkeypatch):
    monkeypatch.setattr(json_lines, "LONGEST", 100_000)
    monkeypatch.setattr(json_lines, "CHUNK", 10_000)
    file.write_bytes(b"x" * 5_000_000 + b"\n{}")
    tracemalloc.start()
    try:
        assert read(file) == [(1, json_lines.TOO_LONG), (2, {})]
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("part_bytes", "ranges"),
    [
        # bytes: five lines of 3, one of 9, one of 2; a range ends with the line of its last byte
        (3, [(0, 3, 1), (3, 6, 2), (6, 9, 3), (9, 12, 4), (12, 15, 5), (15, 24, 6), (24, None, 7)]),
        (4, [(0, 6, 1), (6, 12, 3), (12, 24, 5), (24, None, 7)]),
        (26, [(0, None, 1)]),
    ],
)
def test_ranges_begin_at_lines_and_know_their_numbers(file, part_bytes, ranges):
    file.write_bytes(b"{}\n" * 5 + b'{"a": 1}\n' + b"{}")
    assert list(line_ranges(file, part_bytes)) == ranges


@pytest.mark.parametrize("chunk", [1, 5, 1 << 20])
@pytest.mark.parametrize("part_bytes", [1, 2, 9, 10, 11, 40, 1000])
@pytest.mark.parametrize("last", [b"", b"\n", b"\n\n"])
def test_rows_do_not_depend_on_the_ranges(file, monkeypatch, chunk, part_bytes, last):
    monkeypatch.setattr(json_lines, "CHUNK", chunk)
    lines = [json.dumps({"n": n, "text": "x" * (n % 7)}).encode() for n in range(20)]
    lines[3:5] = [b"", b"{"]
    file.write_bytes(b"\n".join(lines) + last)
    ranges, rows = in_ranges(file, part_bytes)
    assert rows == read(file)
    assert [number for number, _ in rows] == [n for n in range(1, 21) if n != 4]
    assert (len(ranges) > 5) is (part_bytes < 1000)


def compressed(suffix, content):
    return gzip.compress(content) if suffix == ".gz" else zstandard.compress(content)


LINES = b"".join(b'{"n": %d, "text": "%d"}\n' % (n, n * n * 7919) for n in range(20_000))
ROWS = [(n + 1, {"n": n, "text": str(n * n * 7919)}) for n in range(20_000)]


@pytest.fixture(params=[".gz", ".zst"])
def packed(request, tmp_path):
    """A name for a compressed file."""
    return tmp_path / f"t.jsonl{request.param}"


def test_a_compressed_file_is_one_range_with_the_same_rows(packed):
    packed.write_bytes(compressed(packed.suffix, LINES))
    ranges, rows = in_ranges(packed, part_bytes=10)
    assert ranges == [(0, None, 1)]
    assert rows == ROWS


def test_members_are_read_one_after_another(packed):
    content = [compressed(packed.suffix, part) for part in (LINES[:1000], LINES[1000:], b"")]
    packed.write_bytes(b"".join(content))
    assert read(packed) == ROWS


def test_gzips_padding_is_no_content(tmp_path):
    file = tmp_path / "t.jsonl.gz"
    file.write_bytes(gzip.compress(b"{}\n") + b"\0" * 20_000)
    assert read(file) == [(1, {})]


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_a_compressed_file_cut_off_gives_its_rows_and_one_reason(packed, kept):
    content = compressed(packed.suffix, LINES)
    packed.write_bytes(content[: int(len(content) * kept)])
    *rows, last = read(packed)
    assert len(rows) > 0.3 * len(ROWS)
    assert rows == ROWS[: len(rows)]
    assert last == (len(rows) + 1, json_lines.ENDS_EARLY)


@pytest.mark.parametrize("size", [0, 1, 3, 8])
def test_a_compressed_file_without_even_a_whole_header_ends_early(packed, size):
    packed.write_bytes(compressed(packed.suffix, LINES)[:size])
    assert read(packed) == [(1, json_lines.ENDS_EARLY)]


def test_a_damaged_compressed_file_gives_its_rows_and_one_reason(packed):
    packed.write_bytes(compressed(packed.suffix, LINES) + b"no header")
    assert read(packed) == [*ROWS, (20_001, json_lines.DAMAGED)]


def test_damage_in_the_middle_ends_the_reading_once(packed):
    content = bytearray(compressed(packed.suffix, LINES))
    middle = len(content) // 2
    content[middle : middle + 1000] = b"\xff" * 1000
    packed.write_bytes(content)
    found = read(packed)
    assert [n for n, row in enumerate(found) if row[1] == json_lines.DAMAGED] == [len(found) - 1]
    assert found[:1000] == ROWS[:1000]


def test_a_file_that_is_not_compressed_as_named_is_an_error(packed):
    packed.write_bytes(LINES)
    with pytest.raises(ValueError, match=rf"{packed.name}: is not compressed as `{packed.suffix}`"):
        read(packed)


@pytest.fixture
def bomb(packed):
    """Writes a file of few bytes that hold many."""

    def write(piece, count, head=b""):
        new = zstandard.ZstdCompressor().compressobj if packed.suffix == ".zst" else _gzip
        packer = new()
        pieces = [packer.compress(head), *(packer.compress(piece) for _ in range(count))]
        packed.write_bytes(b"".join([*pieces, packer.flush()]))
        return packed

    return write


def _gzip():
    return zlib.compressobj(wbits=31)


def test_a_file_of_line_ends_is_read_in_little_memory(bomb):
    file = bomb(b"\n" * (1 << 20), 32, head=b"{}\n")
    tracemalloc.start()
    try:
        assert next(read_lines(file, 0, None, 1)) == (1, {})
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


def test_a_file_that_expands_beyond_measure_is_cut_off_once(bomb, monkeypatch):
    monkeypatch.setattr(json_lines, "ALWAYS_READ", 1 << 18)
    monkeypatch.setattr(json_lines, "EXPANSION", 100)
    file = bomb((b"1" + b" " * 1022 + b"\n") * 1000, 20)
    assert file.stat().st_size * 100 < 10 << 20
    rows = read(file)
    assert rows[-1] == (len(rows), json_lines.EXPANDS)
    assert {reason for _, reason in rows[:-1]} == {json_lines.NOT_OBJECT}
    assert 256 <= len(rows) < 20_000


def test_a_file_within_its_measure_is_read_to_its_end(bomb, monkeypatch):
    monkeypatch.setattr(json_lines, "EXPANSION", 1)
    file = bomb(b" " * 1023 + b"\n", 1000, head=b"{}\n")  # 1 MB, as any file may hold
    assert read(file) == [(1, {})]


def test_the_limits_let_copies_of_one_line_pass():
    assert json_lines.EXPANSION >= 1000
    assert json_lines.ALWAYS_READ >= json_lines.LONGEST
