"""Parquet and Arrow: ranges, damage, and rows that are the same in either form."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_formats import columnar, columnar_rows
from data_formats.columnar import (
    arrow_columns,
    arrow_ranges,
    parquet_columns,
    parquet_ranges,
    read_arrow,
    read_parquet,
)

TABLE = pa.table(
    {
        "n": list(range(1000)),
        "text": [f"é{n}" if n % 3 else None for n in range(1000)],
        "turns": [[{"role": "user", "content": str(n)}] for n in range(1000)],
    }
)
ROWS = [
    (
        n + 1,
        {
            "n": n,
            "text": f"é{n}" if n % 3 else None,
            "turns": [{"role": "user", "content": str(n)}],
        },
    )
    for n in range(1000)
]


def write_parquet(file, table=TABLE):
    pq.write_table(table, file, row_group_size=100)


def write_arrow_file(file, table=TABLE):
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=100)


def write_arrow_stream(file, table=TABLE):
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=100)


FORMS = {
    "parquet": (write_parquet, parquet_ranges, read_parquet, parquet_columns),
    "arrow file": (write_arrow_file, arrow_ranges, read_arrow, arrow_columns),
    "arrow stream": (write_arrow_stream, arrow_ranges, read_arrow, arrow_columns),
}


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "table"


@pytest.mark.parametrize(("part_bytes", "num_ranges"), [(1, 10), (10**9, 1)])
def test_the_rows_of_all_ranges_are_the_tables(form, file, part_bytes, num_ranges):
    write, ranges_of, read, _ = form
    write(file)
    ranges = list(ranges_of(file, part_bytes))
    assert len(ranges) == num_ranges
    assert [row for one in ranges for row in read(file, *one, None)] == ROWS


def test_ranges_hold_several_row_groups_where_these_are_small(file):
    write_parquet(file)
    sizes = [pq.ParquetFile(file).metadata.row_group(n).total_byte_size for n in range(10)]
    # three row groups fit and a fourth does not: 3 + 3 + 3 + 1
    ranges = list(parquet_ranges(file, max(sizes) * 3 + min(sizes) // 2))
    assert ranges == [(0, 3, 1), (3, 6, 301), (6, 9, 601), (9, None, 901)]


def test_only_named_columns_are_read(form, file):
    write, _, read, _ = form
    write(file)
    assert next(read(file, 2, None, 201, ["text", "n"])) == (201, {"text": "é200", "n": 200})


def test_columns_are_told_without_rows(form, file):
    write, _, _, columns = form
    write(file)
    assert columns(file) == ["n", "text", "turns"]


def test_a_table_without_rows_is_one_empty_range(form, file):
    write, ranges_of, read, _ = form
    write(file, TABLE.slice(0, 0))
    assert list(ranges_of(file, 10)) == [(0, None, 1)]
    assert list(read(file, 0, None, 1, None)) == []


def test_a_text_that_is_not_utf8_costs_its_row_alone(form, file):
    write, _, read, _ = form
    texts = pa.array([b"a", b"caf\xe9", b"c"], pa.binary()).view(pa.string())
    write(file, pa.table({"text": texts}))
    assert list(read(file, 0, None, 1, None)) == [
        (1, {"text": "a"}),
        (2, columnar_rows.NOT_UTF8),
        (3, {"text": "c"}),
    ]


def test_a_value_that_python_cannot_hold_costs_its_row_alone(form, file):
    write, _, read, _ = form
    # the second is in the year 294247, and Python's end with 9999
    write(file, pa.table({"at": pa.array([0, 2**63 - 1], pa.timestamp("us"))}))
    (first, _), second = read(file, 0, None, 1, None)
    assert (first, second) == (1, (2, columnar_rows.NO_VALUE))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"ARROW1\0\0", b'{"a": 1}\n' * 100])
def test_a_file_that_is_no_table_is_an_error_that_names_it(form, file, content):
    _, ranges_of, read, columns = form
    file.write_bytes(content)
    for opened in (lambda: list(ranges_of(file, 10)), lambda: columns(file)):
        with pytest.raises(ValueError, match=rf"^{file}: no (Parquet|Arrow) table can be read"):
            opened()
    with pytest.raises(ValueError, match="write it again"):
        next(read(file, 0, None, 1, None))


@pytest.mark.parametrize("part_bytes", [1, 10**9])
def test_a_damaged_row_group_costs_none_of_the_others(file, part_bytes):
    pq.write_table(TABLE, file, row_group_size=100, compression="zstd")
    place = pq.ParquetFile(file).metadata.row_group(5).column(1).data_page_offset
    content = bytearray(file.read_bytes())
    content[place : place + 60] = b"\xff" * 60
    file.write_bytes(content)
    ranges = list(parquet_ranges(file, part_bytes))
    rows = [row for one in ranges for row in read_parquet(file, *one, None)]
    assert rows == [*ROWS[:500], (501, columnar.GROUP_DAMAGED), *ROWS[600:]]


@pytest.mark.parametrize("part_bytes", [1, 10**9])
def test_an_arrow_stream_cut_off_gives_its_rows_and_one_reason(file, part_bytes):
    write_arrow_stream(file)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    ranges = list(arrow_ranges(file, part_bytes))
    *rows, last = [row for one in ranges for row in read_arrow(file, *one, None)]
    assert rows == ROWS[: len(rows)]
    assert len(rows) >= 300
    assert last == (len(rows) + 1, columnar.DAMAGED)


def test_the_disks_own_errors_are_not_taken_for_damage():
    def failing():
        raise OSError(5, "Input/output error")
        yield

    with pytest.raises(OSError, match="Input/output"):
        list(columnar._undamaged(failing()))


def with_offsets(file, offsets):
    """An Arrow file of two batches; the first has these offsets in the place of 0, 5, 10."""
    table = pa.table({"text": ["x = 1", "y = 2", "z"]})
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    right, wrong = (np.array(one, np.int32).tobytes() for one in ([0, 5, 10], offsets))
    content = file.read_bytes()
    assert content.count(right) == 1
    file.write_bytes(content.replace(right, wrong))


@pytest.mark.parametrize("offsets", [[0, 5, 700], [0, -4000, 10], [5, 0, 10], [2**31 - 1] * 3])
def test_offsets_that_lead_out_of_a_batch_cost_it_and_none_of_the_others(file, offsets):
    with_offsets(file, offsets)
    assert list(read_arrow(file, 0, None, 1, None)) == [
        (1, columnar.BATCH_DAMAGED),
        (3, {"text": "z"}),
    ]


def test_offsets_far_away_do_not_end_the_process(file):
    with_offsets(file, [0, 5, 2_000_000_000])
    code = (
        "import sys, pathlib, data_formats.columnar as c\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "print([list(c.read_arrow(file, *one, None)) for one in c.arrow_ranges(file, 10)])\n"
    )
    command = [sys.executable, "-c", code, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert columnar.BATCH_DAMAGED in done.stdout


def test_an_index_that_leads_out_of_its_dictionary_is_damage(file):
    indices = pa.array([0, 1_000_000], pa.int32())
    texts = pa.DictionaryArray.from_arrays(indices, pa.array(["a"]), safe=False)
    write_arrow_file(file, pa.table({"text": texts}))
    assert list(read_arrow(file, 0, None, 1, None)) == [(1, columnar.BATCH_DAMAGED)]


def test_texts_below_other_types_may_be_no_utf8_and_cost_their_rows_alone(form, file):
    write, _, read, _ = form
    texts = pa.array([b"a", b"caf\xe9"], pa.binary()).view(pa.string())
    nested = pa.ListArray.from_arrays([0, 1, 2], texts)
    write(file, pa.table({"n": [1, 2], "texts": nested, "d": texts.dictionary_encode()}))
    assert list(read(file, 0, None, 1, None)) == [
        (1, {"n": 1, "texts": ["a"], "d": "a"}),
        (2, columnar_rows.NOT_UTF8),
    ]


LONG = "x" * 1_000_000


def one_text_in_every_row(file, write, num_rows=256):
    texts = pa.array([LONG] * num_rows)
    write(file, pa.table({"text": texts if write is write_parquet else texts.dictionary_encode()}))


def test_a_text_that_stands_in_every_row_is_held_once(form, file, monkeypatch):
    write, _, read, _ = form
    monkeypatch.setattr(columnar, "ALWAYS_READ", 1 << 40)
    one_text_in_every_row(file, write)
    pool = pa.proxy_memory_pool(pa.default_memory_pool())
    before = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        assert all(row == {"text": LONG} for _, row in read(file, 0, None, 1, ["text"]))
        assert tracemalloc.get_traced_memory()[1] < 20 << 20  # 256 MB where all were Python's
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)
    assert pool.max_memory() < 20 << 20  # 100 MB where Parquet's were Arrow's


def test_a_table_that_expands_beyond_measure_is_cut_off_once(form, file, monkeypatch):
    write, _, read, _ = form
    monkeypatch.setattr(columnar, "ALWAYS_READ", 10_000_000)
    monkeypatch.setattr(columnar, "EXPANSION", 10)
    one_text_in_every_row(file, write)
    *rows, last = read(file, 0, None, 1, None)
    most = max(10_000_000, 10 * file.stat().st_size)
    assert len(rows) == most // (len(LONG) + columnar_rows.ROW)
    assert last == (len(rows) + 1, columnar.EXPANDS)


def test_rows_of_nothing_are_cut_off_too(file, monkeypatch):
    monkeypatch.setattr(columnar, "ALWAYS_READ", 1 << 20)
    table = pa.table({"text": pa.nulls(2_000_000_000)})
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    assert file.stat().st_size < 400
    *rows, last = read_arrow(file, 0, None, 1, None)
    assert len(rows) < 1 << 14
    assert last == (len(rows) + 1, columnar.EXPANDS)


def lists_of(values):
    return pa.ListArray.from_arrays(pa.array([0, 1, len(values)], pa.int32()), values)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", "b" * 1000]),
        pa.array([b"a", b"b" * 1000], pa.large_binary()),
        pa.array(["a", "b" * 1000], pa.string_view()),
        pa.array(["a", "b" * 1000]).dictionary_encode(),
        pa.RunEndEncodedArray.from_arrays([1, 2], ["a", "b" * 1000]),
        pa.array([{"a": ["b"]}, {"a": ["b" * 500, "c" * 500]}]),
        pa.array([[("a", "b")], [("a" * 500, "b" * 500)]], pa.map_(pa.string(), pa.string())),
        lists_of(pa.array(["b" * 20] * 100).dictionary_encode()),
        lists_of(pa.nulls(1_000_000_000)),
    ],
    ids=lambda one: str(one.type),
)
def test_a_row_that_is_too_long_costs_itself_alone(file, monkeypatch, column):
    monkeypatch.setattr(columnar_rows, "LONGEST", 900)
    write_arrow_file(file, pa.table({"n": [1, 2], "value": column}))
    (_, first), second = read_arrow(file, 0, None, 1, None)
    assert (first["n"], second) == (1, (2, columnar_rows.TOO_LONG))


def test_a_time_in_a_zone_that_is_none_costs_its_row_alone(form, file):
    write, _, read, _ = form
    times = pa.array([None, 1], pa.timestamp("us", tz="No/Where"))
    write(file, pa.table({"at": times}))
    assert list(read(file, 0, None, 1, None)) == [(1, {"at": None}), (2, columnar_rows.NO_VALUE)]


def test_columns_that_a_file_lacks_are_no_part_of_its_rows(form, file):
    write, _, read, _ = form
    write(file)
    assert next(read(file, 0, None, 1, ["n", "licence"])) == (1, {"n": 0})
    assert next(read(file, 0, None, 1, ["licence"])) == (1, {})


def test_a_column_that_stands_twice_is_told_twice_and_read_once(form, file):
    write, _, read, columns = form
    write(file, pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]))
    assert columns(file) == ["text", "text"]
    assert list(read(file, 0, None, 1, ["text"])) == [(1, {"text": "b"})]


def test_names_that_are_not_utf8_are_an_error_that_names_the_file(form, file):
    write, _, _, columns = form
    write(file, pa.table({"caffee": ["a"]}))
    file.write_bytes(file.read_bytes().replace(b"caffee", b"caf\xe9ee"))
    with pytest.raises(ValueError, match=rf"^{file}: no (Parquet|Arrow) table can be read"):
        columns(file)


def test_values_of_one_size_may_not_be_wide(file):
    pq.write_table(pa.table({"n": [1], "text": pa.array([b"x" * 70_000], pa.binary(70_000))}), file)
    with pytest.raises(ValueError, match=r"column `text` holds values of 70,000 bytes each"):
        list(read_parquet(file, 0, None, 1, ["text"]))
    assert list(read_parquet(file, 0, None, 1, ["n"])) == [(1, {"n": 1})]
