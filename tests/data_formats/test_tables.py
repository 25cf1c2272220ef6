"""Tables as parts: names, kinds, and the same rows in any number of processes."""

import gzip
import json
import os
import pickle
import re
import subprocess
import sys
from collections import Counter

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_formats import json_lines
from data_formats.columns import check_columns
from data_formats.document import Drop
from data_formats.tables import (
    FilePart,
    columns_of,
    dataset_parts,
    place,
    read_part,
    table_parts,
)

ROWS = [{"prompt": f"p{n}", "completion": "c" * n} for n in range(30)]


@pytest.fixture(autouse=True)
def own_hub_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def write_lines(file, rows):
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def write_parquet(file, rows):
    file.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=4)
    return file


def values(parts):
    return [row for part in parts for _, row in read_part(part)]


READ_ONE = (
    "import pickle, sys\n"
    "from data_formats.tables import read_part\n"
    "part = pickle.load(sys.stdin.buffer)\n"
    "pickle.dump(list(read_part(part)), sys.stdout.buffer)\n"
)


def in_a_process_of_its_own(part, cache):
    done = subprocess.run(
        [sys.executable, "-c", READ_ONE],
        input=pickle.dumps(part),
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(cache)},
    )
    return pickle.loads(done.stdout)


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_parts_read_by_other_processes_give_the_rows_of_one(tmp_path, name):
    write = write_lines if name.endswith("l") else write_parquet
    file = write(tmp_path / "t" / name, ROWS)
    (whole,) = table_parts(file)
    parts = table_parts(file, part_bytes=400)
    assert len(parts) in range(2, 9)
    apart = {part: in_a_process_of_its_own(part, tmp_path) for part in reversed(parts)}
    rows = [row for part in parts for row in apart[part]]
    assert rows == list(read_part(whole)) == list(enumerate(ROWS, start=1))


def test_a_row_is_called_after_its_file_and_its_line(tmp_path):
    file = tmp_path / "t" / "a.jsonl"
    write_lines(file, ROWS)
    part = table_parts(file, part_bytes=400)[-1]
    (*_, (number, _)) = read_part(part)
    assert (part.repo, place(part, number)) == ("t", "a.jsonl:30")


def test_a_line_that_cannot_be_read_is_dropped_at_its_place(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": 1}\n{"a": \n')
    (part,) = table_parts(file, repo="mine")
    assert list(read_part(part)) == [
        (1, {"a": 1}),
        Drop(path="a.jsonl:2", repo="mine", reason=json_lines.NOT_JSON),
    ]


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    folder = tmp_path / "t"
    write_parquet(folder / "b.parquet", ROWS[2:])
    write_lines(folder / "a.jsonl", ROWS[:1])
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps(ROWS[1]).encode()))
    (folder / "README.md").write_text("no table")
    parts = table_parts(folder)
    assert [part.name for part in parts] == ["a.jsonl", "a.jsonl.gz", "b.parquet"]
    assert values(parts) == ROWS


def test_a_pattern_reaches_into_folders(tmp_path):
    for name, row in (("b", ROWS[1]), ("a", ROWS[0])):
        write_lines(tmp_path / name / "train.jsonl", [row])
        write_lines(tmp_path / name / "test.jsonl", [])
    parts = table_parts(tmp_path / "**" / "train.jsonl", repo="r")
    assert [part.name for part in parts] == ["a/train.jsonl", "b/train.jsonl"]
    assert values(parts) == ROWS[:2]


def test_a_name_with_brackets_is_a_name_where_there_is_such_a_file(tmp_path):
    file = write_lines(tmp_path / "a[1].jsonl", ROWS)
    assert [part.name for part in table_parts(file)] == ["a[1].jsonl"]


def test_a_name_that_is_not_utf8_can_be_written(tmp_path):
    file = tmp_path / os.fsdecode(b"caf\xe9.jsonl")
    write_lines(file, ROWS)
    (part,) = table_parts(file)
    assert part.name == r"caf\xe9.jsonl"
    assert values([part]) == ROWS


def test_a_saved_dataset_is_read_in_its_own_order(tmp_path):
    folder = tmp_path / "saved"
    datasets.Dataset.from_list(ROWS).save_to_disk(folder, num_shards=2)
    parts = table_parts(folder)
    assert [part.name for part in parts] == [f"data-0000{n}-of-00002.arrow" for n in range(2)]
    assert values(parts) == ROWS


def test_a_saved_dataset_of_several_splits_asks_for_one(tmp_path):
    splits = {name: datasets.Dataset.from_list(ROWS) for name in ("train", "test")}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "saved")
    with pytest.raises(ValueError, match="saved: holds several splits; give one: train, test"):
        table_parts(tmp_path / "saved")
    assert values(table_parts(tmp_path / "saved" / "test")) == ROWS


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("state.json", b"[1]", "is no JSON object"),
        ("state.json", b"nonsense", "is no JSON object"),
        ("state.json", b"\xff", "is no JSON object"),
        ("state.json", b"[" * 100_000, "is no JSON object"),
        ("state.json", b'{"_data_files": 5}', "has no list of `_data_files`"),
        ("state.json", b'{"_data_files": [1]}', "has no `filename` for one"),
        ("state.json", b'{"_data_files": [{"x": 1}]}', "has no `filename` for one"),
        (
            "state.json",
            b'{"_data_files": [{"filename": "x.arrow"}]}',
            "names 'x.arrow', which is no",
        ),
        ("state.json", b'{"_data_files": [{"filename": ".."}]}', "names '..', which is no"),
        (
            "state.json",
            b'{"_data_files": [{"filename": "a\\u0000"}]}',
            "names 'a\\x00', which is no",
        ),
        ("state.json", b'{"_data_files": [{"filename": "pipe"}]}', "names 'pipe', which is no"),
        ("state.json", b'{"_data_files": [{"filename": "link"}]}', "names 'link', which is no"),
        ("dataset_dict.json", b"{}", "has no list of `splits`"),
        ("dataset_dict.json", b'{"splits": [1]}', "has no list of `splits`"),
        ("dataset_dict.json", b"[]", "is no JSON object"),
    ],
)
def test_a_saved_dataset_that_describes_itself_wrongly_is_an_error(tmp_path, file, content, words):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{tmp_path / file}: {re.escape(words)}"):
        table_parts(tmp_path)


def test_links_inside_a_folder_are_counted_and_not_followed(tmp_path):
    secret = write_lines(tmp_path / "outside" / "secret.jsonl", ROWS)
    mine = write_lines(tmp_path / "t" / "b.jsonl", ROWS[:1])
    (tmp_path / "t" / "a.jsonl").symlink_to(secret)
    (tmp_path / "t" / "c.jsonl").symlink_to("/dev/zero")
    (tmp_path / "t" / "notes.txt").symlink_to(secret)
    os.mkfifo(tmp_path / "t" / "d.jsonl")
    skipped = Counter()
    assert [part.file for part in table_parts(tmp_path / "t", skipped=skipped)] == [mine]
    assert skipped == {"symbolic link": 2, "not a regular file": 1}


@pytest.mark.parametrize("pattern", ["*.jsonl", "**/*.jsonl", "**", "*/a.jsonl"])
def test_a_pattern_follows_no_links(tmp_path, pattern):
    secret = write_lines(tmp_path / "outside" / "a.jsonl", ROWS)
    write_lines(tmp_path / "t" / "a.jsonl", ROWS[:1])
    write_lines(tmp_path / "t" / "in" / "a.jsonl", ROWS[1:2])
    (tmp_path / "t" / "b.jsonl").symlink_to(secret)
    (tmp_path / "t" / "folder").symlink_to(secret.parent)
    for name in ("up1", "up2", "up3"):  # three to the fortieth paths where they are followed
        (tmp_path / "t" / name).symlink_to(".")
    skipped = Counter()
    names = [part.name for part in table_parts(tmp_path / "t" / pattern, skipped=skipped)]
    assert names == {"*.jsonl": ["a.jsonl"], "*/a.jsonl": ["in/a.jsonl"]}.get(
        pattern, ["a.jsonl", "in/a.jsonl"]
    )
    num_links = {"*.jsonl": 1, "*/a.jsonl": 4}.get(pattern, 5)
    assert skipped == {"symbolic link": num_links}


@pytest.mark.parametrize("pattern", ["", "*.jsonl"])
def test_where_all_tables_are_links_the_error_says_so(tmp_path, pattern):
    secret = write_lines(tmp_path / "outside" / "secret.jsonl", ROWS)
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a.jsonl").symlink_to(secret)
    with pytest.raises(ValueError, match=r"(table|file), only symbolic links, which are not foll"):
        table_parts(tmp_path / "t" / pattern)


def test_the_path_itself_may_be_a_link(tmp_path):
    file = write_lines(tmp_path / "t" / "a.jsonl", ROWS)
    (tmp_path / "b.jsonl").symlink_to(file)
    (tmp_path / "folder").symlink_to(tmp_path / "t")
    assert values(table_parts(tmp_path / "b.jsonl")) == ROWS
    assert values(table_parts(tmp_path / "folder")) == ROWS
    assert values(table_parts(tmp_path / "folder" / "*.jsonl")) == ROWS


def test_a_pattern_passes_over_hidden_names_unless_it_names_them(tmp_path):
    write_lines(tmp_path / ".cache" / "a.jsonl", ROWS)
    write_lines(tmp_path / "t" / ".a.jsonl", ROWS)
    write_lines(tmp_path / "t" / "b.jsonl", ROWS)
    for pattern, names in {
        "**/*.jsonl": ["t/b.jsonl"],
        ".cache/*": ["a.jsonl"],
        "*/.*.jsonl": ["t/.a.jsonl"],
        "t/../t/[ab].jsonl": ["b.jsonl"],
    }.items():
        assert [part.name for part in table_parts(tmp_path / pattern)] == names


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"a,b\n", "a.csv: is no table that can be read; known are .jsonl"),
        ("a.parquet.gz", b"", "a.parquet.gz: is no table that can be read"),
        ("a.json", b' [\n{"a": 1}]', "a.json: is one JSON array; write one object per line"),
        ("a.parquet", b"PAR1", "a.parquet: no Parquet table can be read here"),
        ("README", b"", "holds no table"),
    ],
)
def test_what_is_no_table_is_an_error_that_names_it(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        table_parts(tmp_path if name == "README" else tmp_path / name)


@pytest.mark.parametrize("name", ["a.jsonl", "*.jsonl", "no/such/folder"])
def test_nothing_at_a_path_is_an_error(tmp_path, name):
    with pytest.raises(ValueError, match="there is no such file; mend the path or the pattern"):
        table_parts(tmp_path / name)


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_columns_are_told_by_a_part(tmp_path, name):
    write = write_lines if name.endswith("l") else write_parquet
    (part,) = table_parts(write(tmp_path / name, ROWS))
    assert columns_of(part) == ["prompt", "completion"]


def test_lines_may_have_different_columns(tmp_path):
    file = write_lines(tmp_path / "a.jsonl", [{"a": 1}, {"b": 2, "a": 3}])
    file.write_text("{\n" + file.read_text())
    assert columns_of(table_parts(file)[0]) == ["a", "b"]


def test_a_missing_column_is_an_error_with_the_nearest_name(tmp_path):
    message = r"t: no column `promt` for `prompt`, did you mean `prompt`\?; columns here: a, prompt"
    with pytest.raises(ValueError, match=message):
        check_columns(["a", "prompt"], {"prompt": "promt", "input": "a"}, where="t")


@pytest.fixture
def hub_folder(tmp_path):
    """A folder that is laid out like a dataset of the Hub: three files of one split."""
    for number in range(3):
        rows = ROWS[number * 10 : number * 10 + 10]
        write_parquet(tmp_path / "mine" / f"train-{number}.parquet", rows)
    return str(tmp_path / "mine")


def test_a_streamed_dataset_has_a_part_for_each_file(hub_folder):
    parts = dataset_parts(hub_folder)
    assert [part.name for part in parts] == [f"train/0000{n}-of-00003" for n in range(3)]
    assert {part.repo for part in parts} == {"mine"}
    assert values(parts) == ROWS


def test_a_shard_read_by_another_process_gives_the_same_rows(hub_folder, tmp_path):
    part = dataset_parts(hub_folder)[1]
    assert in_a_process_of_its_own(part, tmp_path) == list(enumerate(ROWS[10:20], start=1))


def test_a_dataset_that_is_not_streamed_has_the_same_rows(hub_folder, monkeypatch):
    monkeypatch.setattr("data_formats.hub_datasets.SHARD_ROWS", 12)
    parts = dataset_parts(hub_folder, is_streaming=False)
    assert len(parts) == 3
    assert values(parts) == ROWS


@pytest.mark.parametrize("is_streaming", [True, False])
def test_only_named_columns_of_a_dataset_are_read(hub_folder, is_streaming):
    part = dataset_parts(hub_folder, is_streaming=is_streaming)[0]
    assert columns_of(part) == ["prompt", "completion"]
    assert next(read_part(part, ["prompt"])) == (1, {"prompt": "p0"})


@pytest.mark.parametrize("is_streaming", [True, False])
def test_a_dataset_with_a_broken_file_is_an_error_that_names_it(tmp_path, is_streaming):
    folder = tmp_path / "mine"
    write_lines(folder / "a.jsonl", ROWS)
    (folder / "b.jsonl").write_text('{"prompt": \n')
    with pytest.raises(ValueError, match=f"^dataset `{folder}`.*JSON"):
        values(dataset_parts(str(folder), is_streaming=is_streaming))


def test_a_dataset_with_a_value_that_python_cannot_hold_is_an_error_that_names_it(tmp_path):
    (tmp_path / "mine").mkdir()
    times = pa.array([2**63 - 1], pa.timestamp("us"))  # in the year 294247
    pq.write_table(pa.table({"at": times}), tmp_path / "mine" / "a.parquet")
    with pytest.raises(ValueError, match=f"^dataset `{tmp_path / 'mine'}`.*out of range"):
        values(dataset_parts(str(tmp_path / "mine")))


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"split": "trian"}, "trian"), ({"subset": "other"}, "other")],
)
def test_a_dataset_without_that_split_or_subset_is_an_error(hub_folder, changed, words):
    with pytest.raises(ValueError, match=rf"^dataset `{hub_folder}`: .*{words}.*; check its name"):
        dataset_parts(hub_folder, **changed)


def test_a_dataset_that_is_not_here_says_what_offline_means(monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="HF_HUB_OFFLINE is set: fetch it once without"):
        dataset_parts("nobody/nothing")


def test_a_datasets_commit_is_read_from_the_address_of_its_files():
    from data_formats.hub_datasets import commit_in

    commit = "0123456789abcdef0123456789abcdef01234567"
    assert commit_in(f"hf://datasets/me/mine@{commit}/data") == commit
    assert commit_in(f"hf://datasets/me/mine@{commit}") == commit
    assert commit_in("hf://datasets/me/mine@main/data") is None
    assert commit_in("mine") is None


def test_listing_tables_loads_no_heavy_library():
    code = (
        "import sys, data_formats.tables, data_formats.chat, data_formats.instructions\n"
        "print([h for h in ('pyarrow', 'datasets', 'zstandard', 'torch') if h in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"


def test_every_part_says_what_it_is(tmp_path):
    file = write_lines(tmp_path / "a.jsonl", ROWS[:1])
    assert table_parts(file, repo="r") == [
        FilePart(name="a.jsonl", repo="r", file=file, kind="jsonl", start=0, end=None, first=1)
    ]
