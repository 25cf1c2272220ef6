"""Parquet and Arrow: ranges, damage, and rows that are the same in either form."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_formats import columnar
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
        (2, columnar.NOT_UTF8),
        (3, {"text": "c"}),
    ]


def test_a_value_that_python_cannot_hold_costs_its_row_alone(form, file):
    write, _, read, _ = form
    # the second is in the year 294247, and Python's end with 9999
    write(file, pa.table({"at": pa.array([0, 2**63 - 1], pa.timestamp("us"))}))
    (first, _), second = read(file, 0, None, 1, None)
    assert (first, second) == (1, (2, columnar.NO_VALUE))


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
