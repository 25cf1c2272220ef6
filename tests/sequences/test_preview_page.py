"""The page about training blocks says what is in their ids, and a browser takes it as text."""

from html.parser import HTMLParser

import pytest
from tokenizers import Tokenizer

from data_formats.document import Document
from finetune.errors import UserError
from finetune.recipe.schema import Fim, Sequences
from finetune.sequences import Encoder, Rule, block_stream, tokenise
from finetune.sequences.preview_page import write_page
from finetune.tokenizer import CodeTokenizer

CODE = {
    "stack.py": "\n\ndef push(stack, item):\n\tstack.append(item)\n\treturn stack\n",
    "area.py": "def area(width, height):\n    return width * height\n\n",
    "greet.py": 'def greet(name):\n    print(f"hello {name}")\n',
    "values.py": "".join(f"value_{index} = total + {index}\n" for index in range(12)),
}
HOSTILE = {
    """a"b'<i>&.py""": "</span></pre><script>alert('&amp;')</script>\n<!-- \"quoted\" -->\n",
}


class Page(HTMLParser):
    """What a browser finds: the elements, the bars' links, and each document with its runs."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.bars, self.documents = set(), set(), [], []
        self._into = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        classes = attrs.get("class", "").split()
        self.tags.add(tag)
        self.ids |= {attrs.get("id")}
        if "bar" in classes and tag == "div":
            self.bars.append([])
        elif tag == "a" and "title" in attrs:
            self.bars[-1].append((attrs["href"][1:], attrs["title"]))
        elif "document" in classes:
            self.documents.append({"id": attrs["id"], "name": "", "runs": []})
        elif tag == "h3":
            self._into = self.documents[-1], "name"
        elif "run" in classes and self.documents:
            self.documents[-1]["runs"].append({"classes": classes, "text": "", **attrs})
            self._into = self.documents[-1]["runs"][-1], "text"

    def handle_endtag(self, tag):
        self._into = None

    def handle_data(self, data):
        if self._into:
            holder, key = self._into
            holder[key] += data


def blocks_of(tiny_tokenizer, code, *, length=64, rate=0.5, spm=0.5, labels="all"):
    documents = [
        Document(text=text, path=path, repo="r", language="python") for path, text in code.items()
    ]
    corpus = tokenise(documents, Encoder(CodeTokenizer(tiny_tokenizer)))
    rules = [Rule(Fim(rate=rate, spm=spm), labels)]
    stream = block_stream(corpus, rules, Sequences(length=length), seed=1, epochs=1)
    return list(stream), stream


def text_of(file, blocks, stream):
    write_page(file, "mine", blocks, stream)
    return file.read_text(encoding="utf-8")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "page.html"


def test_the_page_holds_every_document_of_every_block(tiny_tokenizer, file):
    blocks, stream = blocks_of(tiny_tokenizer, CODE)
    page = Page(text_of(file, blocks, stream))
    placed = [one for block in blocks for one in block.placed]
    paths = [stream.corpus.describe(one.turn.document).path for one in placed]
    assert len(blocks) > 2
    assert [found["name"] for found in page.documents] == [f"r/{path}" for path in paths]


def test_every_part_of_a_bar_leads_to_its_document_or_to_the_padding(tiny_tokenizer, file):
    blocks, stream = blocks_of(tiny_tokenizer, CODE)
    page = Page(text_of(file, blocks, stream))
    for block, bar in zip(blocks, page.bars, strict=True):
        bounds = [(one.start, one.end) for one in block.placed]
        if bounds[-1][1] < 64:
            bounds.append((bounds[-1][1], 64))
        assert [title.rpartition("[")[2] for _, title in bar] == [f"{a}:{b}]" for a, b in bounds]
    links = [ident for bar in page.bars for ident, _ in bar]
    assert len(links) == len(set(links))
    assert set(links) <= page.ids


@pytest.mark.parametrize(("rate", "spm"), [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)])
@pytest.mark.parametrize("labels", ["all", "middle"])
def test_the_runs_of_a_document_spell_its_ids(tiny_tokenizer, file, rate, spm, labels):
    blocks, stream = blocks_of(tiny_tokenizer, CODE, rate=rate, spm=spm, labels=labels)
    plain = Tokenizer.from_file(str(tiny_tokenizer / "tokenizer.json"))
    expected = [
        plain.decode(block.input_ids[one.start : one.end].tolist(), skip_special_tokens=False)
        for block in blocks
        for one in block.placed
    ]
    page = Page(text_of(file, blocks, stream))
    found = ["".join(run["text"] for run in one["runs"]) for one in page.documents]
    assert found == expected


def test_the_roles_of_a_document_in_each_layout(tiny_tokenizer, file):
    orders = {
        0.0: "sentinel prefix sentinel suffix sentinel middle end",
        1.0: "sentinel sentinel suffix sentinel prefix middle end",
    }
    for spm, order in orders.items():
        blocks, stream = blocks_of(
            tiny_tokenizer,
            {"a.py": CODE["values.py"]},
            length=512,
            rate=1,
            spm=spm,
            labels="middle",
        )
        (document,) = Page(text_of(file, blocks, stream)).documents
        assert " ".join(run["classes"][1] for run in document["runs"]) == order


@pytest.mark.parametrize("labels", ["all", "middle"])
def test_the_runs_marked_as_masked_are_those_without_labels(tiny_tokenizer, file, labels):
    blocks, stream = blocks_of(tiny_tokenizer, CODE, labels=labels)
    expected = [
        label == -100 for block in blocks for label in block.labels[: block.placed[-1].end].tolist()
    ]
    found = []
    for run in (
        run for one in Page(text_of(file, blocks, stream)).documents for run in one["runs"]
    ):
        start, _, end = run["title"].partition("[")[2].partition("]")[0].partition(":")
        masked = "masked" in run["classes"]
        assert run["title"].endswith(", no loss" if masked else ", loss")
        found += [masked] * (int(end) - int(start))
    assert True in found
    assert found == expected


def test_code_and_names_of_files_stay_text(tiny_tokenizer, file):
    blocks, stream = blocks_of(tiny_tokenizer, HOSTILE, length=256, rate=0)
    page = Page(text_of(file, blocks, stream))
    ((path, code),) = HOSTILE.items()
    (document,) = page.documents
    assert "script" not in page.tags
    assert document["name"] == f"r/{path}"
    assert page.bars[0][0][1].startswith(f"r/{path}, left to right")
    assert "".join(run["text"] for run in document["runs"]) == code + "<|endoftext|>"


def test_nothing_is_fetched(tiny_tokenizer, file):
    text = text_of(file, *blocks_of(tiny_tokenizer, CODE))
    for sign in ("http://", "https://", "src=", "url(", "@import", "<link", "<script"):
        assert sign not in text


def test_a_missing_folder_is_named_and_not_made(tiny_tokenizer, tmp_path):
    with pytest.raises(UserError, match=r"nowhere/page\.html: there is no folder .*nowhere"):
        write_page(tmp_path / "nowhere" / "page.html", "m", *blocks_of(tiny_tokenizer, CODE))
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_in_place_of_the_file_is_the_users_mistake(tiny_tokenizer, tmp_path):
    with pytest.raises(UserError, match="is a folder; name a file in it"):
        write_page(tmp_path, "m", *blocks_of(tiny_tokenizer, CODE))


def test_a_name_that_the_disk_refuses_is_the_users_mistake(tiny_tokenizer, tmp_path):
    with pytest.raises(UserError, match="cannot be written: File name too long"):
        write_page(tmp_path / ("a" * 300), "m", *blocks_of(tiny_tokenizer, CODE))
