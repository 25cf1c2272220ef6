"""From a folder of files, some of them hostile, to a corpus in which each is accounted for."""

from collections import Counter
from io import StringIO

import pytest
from rich.console import Console

from data_formats.document import Document, Drop
from finetune.corpus import CorpusSummary, Tally, open_source, read_documents, summarise
from finetune.corpus import prepare as preparing
from finetune.corpus.contamination import contamination_index
from finetune.corpus.table import summary_table
from finetune.errors import UserError
from finetune.recipe.schema import Curate, Data, Source
from finetune.run_folder import RunFolder, read_lines

HOSTILE = {
    "latin.py": (b"# caf\xe9\n", "not UTF-8"),
    "blob.py": (b"\x7fELF\0\0", "binary: NUL byte in the first 8 KB"),
    "empty.py": (b"", "empty or only whitespace"),
    "min.js": (b"var a=1;" * 200, "a line longer than 1000 characters"),
    "wide.py": (b"a = 1  # " + b"x" * 200, "average line longer than 100 characters"),
    "art.py": (b"#" * 20 + b"\n", "letters and digits are less than 0.25 of the characters"),
    "made.py": (b"# @generated\nx = 1\n", "generated file"),
    "zcopy.py": (b"value = 0\n", "exact duplicate of one that is kept"),
    "long.py": (b"x = 1\n" * 400, "longer than 2000 characters"),
    "huge.py": (b"x = 1\n" * 1400, "longer than 2000 characters"),
}
GOOD = {f"m{number}.py": f"value = {number}\n".encode() for number in range(10)}


def write(root, contents):
    root.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def data(*sources, **keys):
    entries = [{"format": "source_code", **source} for source in sources]
    return Data(sources=[Source(**entry) for entry in entries], **keys)


def prepare_corpus(recipe, run):
    return preparing.prepare_corpus(recipe, run, contamination_index([]))


def paths(file):
    return [document.path for document in read_documents(file)]


@pytest.fixture
def hostile(tmp_path):
    """The run, its summary, and what was read: ten good files among ten that are dropped."""
    root = write(tmp_path / "lib", GOOD | {name: one for name, (one, _) in HOSTILE.items()})
    run = RunFolder(tmp_path / "runs" / "hostile")
    recipe = data(
        {"path": str(root), "licence": "MIT"}, holdout=0.2, curate=Curate(max_characters=2000)
    )
    return run, prepare_corpus(recipe, run)


def test_every_hostile_file_is_dropped_with_its_reason(hostile):
    run, _ = hostile
    dropped = {line["path"]: line["reason"] for line in read_lines(run.drops)}
    assert dropped == {name: reason for name, (_, reason) in HOSTILE.items()}


def test_documents_in_are_documents_out_and_drops(hostile):
    _, summary = hostile
    assert summary.documents_in == 20
    assert (summary.train.documents, summary.holdout.documents) == (8, 2)
    assert sum(summary.drops.values()) == 10


def test_the_summary_counts_characters_by_language_and_licence(hostile):
    _, summary = hostile
    assert summary.train == Tally(8, 80)
    assert summary.languages == {
        "train": {"python": Tally(8, 80)},
        "holdout": {"python": Tally(2, 20)},
    }
    assert summary.licences["holdout"] == {"MIT": Tally(2, 20)}


def test_an_unreadable_file_has_no_id_and_a_readable_one_has(hostile):
    run, _ = hostile
    ids = {line["path"]: line["id"] for line in read_lines(run.drops)}
    assert ids["latin.py"] is None
    copy = Document(text="value = 0\n", path="zcopy.py", repo="lib", language="python")
    assert ids["zcopy.py"] == copy.id


def test_the_manifest_names_each_document_of_both_files(hostile):
    run, _ = hostile
    lines = read_lines(run.manifest)
    for split, file in (("train", run.train_corpus), ("holdout", run.holdout_corpus)):
        stated = [
            (one["id"], one["sha256"], one["characters"], one["licence"], one["repo"], one["group"])
            for one in lines
            if one["split"] == split
        ]
        assert stated == [
            (one.id, one.sha256, len(one.text), one.licence, one.repo, one.group)
            for one in read_documents(file)
        ]
        assert stated


def test_the_summary_can_be_counted_again_from_the_files(hostile):
    run, summary = hostile
    again = summarise(read_lines(run.manifest), read_lines(run.drops), summary.skipped)
    assert isinstance(summary, CorpusSummary)
    assert again == summary


def test_nothing_but_the_named_files_is_left_in_the_run(hostile):
    run, _ = hostile
    assert sorted(path.name for path in run.path.rglob("*")) == [
        "corpus",
        "drops.jsonl",
        "holdout.parquet",
        "manifest.jsonl",
        "train.parquet",
    ]


def test_text_is_kept_to_the_last_newline_and_mark(tmp_path):
    texts = {"a.py": "\ufeffa = 1\r\nb = 2\r", "b.py": "é = '<fim_prefix>\u2028'\n"}
    root = write(tmp_path / "lib", {name: text.encode() for name, text in texts.items()})
    run = RunFolder(tmp_path / "run")
    prepare_corpus(data({"path": str(root)}, holdout=0.5), run)
    documents = read_documents(run.train_corpus) + read_documents(run.holdout_corpus)
    assert {one.path: one.text for one in documents} == texts


def test_the_first_of_two_sources_keeps_a_duplicate(tmp_path):
    one = write(tmp_path / "one", {"a.py": b"a = 1\n", "b.py": b"b = 1\n"})
    two = write(tmp_path / "two", {"c.py": b"a = 1\n", "d.py": b"d = 1\n"})
    run = RunFolder(tmp_path / "run")
    summary = prepare_corpus(data({"path": str(one)}, {"path": str(two)}, holdout=0.5), run)
    assert [(line["repo"], line["path"]) for line in read_lines(run.drops)] == [("two", "c.py")]
    assert (summary.documents_in, sum(summary.drops.values())) == (4, 1)


def test_a_source_of_weight_0_is_measured_and_not_trained_on(tmp_path):
    one = write(tmp_path / "one", GOOD)
    other = {f"n{number}.py": f"other = {number}\n".encode() for number in range(10)}
    two = write(tmp_path / "two", other)
    run = RunFolder(tmp_path / "run")
    recipe = data({"path": str(one)}, {"path": str(two), "weight": 0.0}, holdout=0.2)
    summary = prepare_corpus(recipe, run)
    assert {document.repo for document in read_documents(run.train_corpus)} == {"one"}
    assert [document.source for document in read_documents(run.holdout_corpus)] == [0, 0, 1, 1]
    assert summary.drops == {"measured only: the source's weight is 0": 8}
    assert summary.documents_in == 20


def test_a_weight_does_not_change_what_is_held_out(tmp_path):
    root = write(tmp_path / "lib", GOOD)
    other = write(tmp_path / "other", {"x.py": b"x = 1\n", "y.py": b"y = 1\n"})
    held = []
    for number, weight in enumerate((None, 0.3, 0.0)):
        run = RunFolder(tmp_path / f"run{number}")
        prepare_corpus(
            data({"path": str(root), "weight": weight}, {"path": str(other)}, holdout=0.2), run
        )
        held.append(paths(run.holdout_corpus))
    assert held[0] == held[1] == held[2]


def test_a_file_added_to_another_source_moves_nothing(tmp_path):
    root = write(tmp_path / "lib", GOOD)
    other = write(tmp_path / "other", {"x.py": b"x = 1\n", "y.py": b"y = 1\n"})
    recipe = data({"path": str(root)}, {"path": str(other)}, holdout=0.2)
    held = []
    for number in range(2):
        run = RunFolder(tmp_path / f"run{number}")
        prepare_corpus(recipe, run)
        held.append([one.path for one in read_documents(run.holdout_corpus) if one.source == 0])
        write(other, {"z.py": b"z = 1\n"})
    assert held[0] == held[1] != []


def test_a_file_that_cannot_be_read_is_a_drop(tmp_path):
    root = write(tmp_path / "lib", GOOD)
    reader = open_source(data({"path": str(root)}).sources[0], 0)
    (root / "m0.py").unlink()
    first, *rest = reader.read(reader.works, Counter())
    reason = "could not be read: No such file or directory"
    assert first == Drop(path="m0.py", repo="lib", reason=reason)
    assert len(rest) == 9


def test_what_was_skipped_in_listing_is_told_but_not_a_document(tmp_path):
    root = write(tmp_path / "lib", GOOD | {"notes.txt": b"x", ".git/a.py": b"a = 1\n"})
    summary = prepare_corpus(data({"path": str(root)}, holdout=0.2), RunFolder(tmp_path / "run"))
    assert summary.skipped == {"hidden folder": 1, "no known language": 1}
    assert summary.documents_in == 10


def test_replacements_are_counted_in_documents_that_are_kept(tmp_path):
    mail = b"# mail jane.roe@rubycorp.net\n"
    files = {**GOOD, "a.py": mail + b"x = 1\n", "b.py": mail + b"x = 1\n"}
    root = write(tmp_path / "lib", files)
    summary = prepare_corpus(data({"path": str(root)}), RunFolder(tmp_path / "runs" / "one"))
    assert summary.drops == {"exact duplicate of one that is kept": 1}
    assert summary.redacted == {"email": 1}


def test_pairs_that_were_too_many_to_compare_are_told(tmp_path):
    head = "".join(f"shared{number} = {number}\n" for number in range(100))
    own = {number: "".join(f"own{number}_{i} = 1\n" for i in range(20)) for number in range(200)}
    files = {f"m{number}.py": f"{head}{text}".encode() for number, text in own.items()}
    root = write(tmp_path / "lib", files)
    summary = prepare_corpus(data({"path": str(root)}), RunFolder(tmp_path / "runs" / "one"))
    (told,) = summary.not_compared.items()
    assert told[0] == "pairs that met among too many documents at once"
    assert told[1] > 0
    console = Console(width=100, file=StringIO())
    console.print(summary_table(summary, None))
    assert f"{told[1]:,}" in console.file.getvalue()


def test_what_is_personal_in_a_name_stands_in_no_list(tmp_path):
    key = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    names = {f"{key}.py": b"k = 1\n", "jane.roe@rubycorp.net.py": b"j = 1\n", f"{key}.js": b"\0"}
    root = write(tmp_path / "lib", GOOD | names)
    run = RunFolder(tmp_path / "runs" / "one")
    prepare_corpus(data({"path": str(root)}), run)
    lists = run.manifest.read_text() + run.drops.read_text()
    stored = [
        one.path for one in (*read_documents(run.train_corpus), *read_documents(run.holdout_corpus))
    ]
    for hidden in (key, "jane.roe"):
        assert not [text for text in (lists, *stored) if hidden in text]
    assert {"<KEY>.py", "<EMAIL>"} <= set(stored)
    assert '"<KEY>.js"' in lists


def test_a_name_in_the_table_is_no_markup():
    tally = {"[/x]": Tally(1, 1)}
    summary = CorpusSummary(
        documents_in=2,
        train=Tally(1, 1),
        holdout=Tally(),
        languages={"train": tally, "holdout": {}},
        licences={"train": tally, "holdout": {}},
        drops={"[red]": 1},
    )
    console = Console(width=100, file=StringIO())
    console.print(summary_table(summary, None))
    assert all(name in console.file.getvalue() for name in ("[/x]", "[red]"))


def test_nothing_left_is_an_error_that_counts_the_reasons(tmp_path):
    root = write(tmp_path / "lib", {"a.py": b"", "b.py": b"\n", "c.py": b"\xff"})
    with pytest.raises(UserError, match="empty or only whitespace: 2; not UTF-8: 1"):
        prepare_corpus(data({"path": str(root)}), RunFolder(tmp_path / "run"))


def test_a_single_document_is_an_error(tmp_path):
    root = write(tmp_path / "lib", {"a.py": b"a = 1\n"})
    with pytest.raises(UserError, match="nothing to hold out and train on"):
        prepare_corpus(data({"path": str(root)}), RunFolder(tmp_path / "run"))


def test_only_measured_documents_left_is_an_error(tmp_path):
    good = write(tmp_path / "good", GOOD)
    bad = write(tmp_path / "bad", {"a.py": b"", "b.py": b"\xff"})
    recipe = data({"path": str(good), "weight": 0.0}, {"path": str(bad)})
    with pytest.raises(UserError, match="nothing is left to train on; dropped: measured only"):
        prepare_corpus(recipe, RunFolder(tmp_path / "run"))


def test_an_error_leaves_the_earlier_corpus_as_it_was(tmp_path):
    root = write(tmp_path / "lib", GOOD)
    run = RunFolder(tmp_path / "run")
    prepare_corpus(data({"path": str(root)}, holdout=0.2), run)
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    for name in GOOD:
        (root / name).write_bytes(b"")
    with pytest.raises(UserError):
        prepare_corpus(data({"path": str(root)}, holdout=0.2), run)
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_preparing_twice_gives_the_same_bytes(tmp_path):
    root = write(tmp_path / "lib", GOOD)
    written = []
    for name in ("one", "two"):
        run = RunFolder(tmp_path / name)
        prepare_corpus(data({"path": str(root)}, holdout=0.2), run)
        files = (run.train_corpus, run.holdout_corpus, run.manifest, run.drops)
        written.append([file.read_bytes() for file in files])
    assert written[0] == written[1]


def test_a_changed_licence_is_a_changed_input(tmp_path):
    root = write(tmp_path / "lib", GOOD)
    recipe = data({"path": str(root)})
    found = []
    for licence in ("MIT", "GPL-3.0-only"):
        (root / "pyproject.toml").write_text(f'[project]\nname = "lib"\nlicense = "{licence}"\n')
        readers = [open_source(source, 0) for source in recipe.sources]
        found.append(preparing.inputs_of(recipe, readers, contamination_index([])))
    changed = [name for name in found[0] if found[0][name] != found[1][name]]
    assert changed == ["data.sources.0: licence files"]
