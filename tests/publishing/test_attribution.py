"""ATTRIBUTION.md: whom the licences of the training files ask to name."""

import json

from finetune.publishing import build_release


def add(run, **line):
    with run.manifest.open("a") as manifest:
        manifest.write(json.dumps({"split": "train", "language": "python", **line}) + "\n")


def test_works_are_named_by_licence_and_private_ones_are_not(run, facts):
    add(run, repo="ann/zlib-ng", licence="Zlib")
    add(run, repo="ann/free", licence="CC0-1.0")
    add(run, repo="secret-project", licence="proprietary")
    add(run, repo="secret-too", licence=None)
    add(run, repo="held-out", licence="MIT", split="holdout")
    folder = build_release(run, facts)
    text = (folder / "ATTRIBUTION.md").read_text()
    assert "## Zlib\n\n- ann/zlib-ng\n" in text
    assert "## MIT\n\n- mylib\n" in text
    for hidden in ("free", "secret", "held-out"):
        assert hidden not in text
    assert "[ATTRIBUTION.md](ATTRIBUTION.md)" in (folder / "README.md").read_text()


def test_where_nobody_asks_for_it_there_is_no_such_file(run, facts):
    run.manifest.write_text("")
    add(run, repo="free", licence="CC0-1.0")
    folder = build_release(run, facts)
    assert not (folder / "ATTRIBUTION.md").exists()
    assert "ATTRIBUTION" not in (folder / "README.md").read_text()
