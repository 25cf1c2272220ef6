"""Instructions: a prompt and the response to it, of which only the response carries loss.

What a model is given ends where it is given to it later: `Answer:`, without the space that
follows. That space is the first thing a model writes, as part of a word's token.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data_formats.columns import resolve_columns, stated, stated_language
from data_formats.document import Document, Drop, Mark

FIELDS = ("prompt", "input", "response", "instances", "language", "licence")
"""What a column can be named for. `instances` holds a list of inputs and outputs for one prompt."""

SHAPES: tuple[dict[str, str], ...] = (
    {"prompt": "prompt", "response": "completion"},
    {"prompt": "instruction", "input": "input", "response": "output"},
    {"prompt": "instruction", "response": "output"},
    {"prompt": "instruction", "instances": "instances"},
    {"prompt": "question", "response": "answer"},
)
"""Tables that are known by their columns: TRL, Alpaca with and without inputs, Self-Instruct."""

LANGUAGE = "instruction"
"""Of documents where no column states one."""

NOT_TEXT = "prompt, input or response that is not text"
NO_PROMPT = "no prompt"
NO_RESPONSE = "no response"
NO_INSTANCE = "no list of instances, or an empty one"


@dataclass(frozen=True, slots=True)
class Template:
    """How a prompt is put to the model: formats of `prompt` and `input`, and what comes between
    them and the response."""

    without_input: str
    with_input: str
    lead: str = ""
    """Written by the model before the response itself."""


_TASK = "Below is an instruction that describes a task"
_REQUEST = "Write a response that appropriately completes the request."

TEMPLATES = {
    "octopack": Template(
        "Question: {prompt}\n\nAnswer:", "Question: {prompt}\n{input}\n\nAnswer:", " "
    ),
    "alpaca": Template(
        f"{_TASK}. {_REQUEST}\n\n### Instruction:\n{{prompt}}\n\n### Response:",
        f"{_TASK}, paired with an input that provides further context. {_REQUEST}\n\n"
        "### Instruction:\n{prompt}\n\n### Input:\n{input}\n\n### Response:",
    ),
    "plain": Template("{prompt}", "{prompt}\n{input}"),
}
"""OctoPack's (arXiv 2308.07124, `finetuning/finetune.py`; an input follows on a line of its own,
as in HumanEvalPack), Stanford Alpaca's (`train.py`), and the prompt as it stands."""


def instruction_columns(
    available: Sequence[str], named: Mapping[str, str], where: str
) -> dict[str, str]:
    """Which column holds which of FIELDS; raises ValueError, beginning with `where`."""
    columns = resolve_columns(available, named, fields=FIELDS, shapes=SHAPES, where=where)
    if "prompt" not in columns or ("response" in columns) == ("instances" in columns):
        raise ValueError(
            f"{where}: `columns` names {', '.join(named)}; name `prompt`, and `response` or "
            "`instances`"
        )
    return columns


def instruction_prompt(template: str, prompt: str, given: str = "") -> str:
    """What the model is given, in training as in use. An input of whitespace is none."""
    form = TEMPLATES[template]
    chosen = form.with_input if given.strip() else form.without_input
    return chosen.format(prompt=prompt, input=given)


def instruction_documents(
    row: Mapping[str, Any],
    *,
    columns: Mapping[str, str],
    template: str,
    path: str,
    repo: str,
    licence: str | None = None,
    source: int = 0,
) -> Iterator[Document | Drop]:
    """One outcome for a row, or for each of its instances, at `path` and `path#1`, `path#2`, ...

    `columns` are those of `instruction_columns`. A licence in the row goes before `licence`.
    """
    value = {field: row.get(column) for field, column in columns.items()}
    answers = _answers(value, path) if "instances" in columns else [(path, value)]
    if not answers:
        yield Drop(path=path, repo=repo, reason=NO_INSTANCE)
    for at, answer in answers:
        texts = _texts(value["prompt"], answer.get("input"), answer.get("response"))
        if isinstance(texts, str):
            yield Drop(path=at, repo=repo, reason=texts)
            continue
        prompt, given, response = texts
        yield instruction_document(
            instruction_prompt(template, prompt, given),
            TEMPLATES[template].lead + response,
            path=at,
            repo=repo,
            language=stated_language(value) or LANGUAGE,
            licence=stated(value, "licence") or licence,
            source=source,
        )


def instruction_document(
    prompt: str,
    response: str,
    *,
    path: str,
    repo: str,
    language: str = LANGUAGE,
    licence: str | None = None,
    source: int = 0,
    revision: str = "",
) -> Document:
    """A prompt and what the model writes after it, both as they stand.

    Each is tokenised by itself, as in use, and the end of the document belongs to the response.
    """
    seam = len(prompt)
    return Document(
        text=prompt + response,
        path=path,
        repo=repo,
        language=language,
        licence=licence,
        source=source,
        revision=revision,
        marks=(Mark(seam, ""),),
        bodies=(),
        learned=((seam, seam + len(response)),),
    )


def instruction_parts(document: Document) -> tuple[str, str]:
    """The prompt and what the model writes after it; together they are the text."""
    ((seam, _),) = document.learned or ()
    return document.text[:seam], document.text[seam:]


def _answers(value: Mapping[str, Any], path: str) -> list[tuple[str, dict[str, Any]]]:
    """Places, inputs and responses of a row's instances; none where they are no such list."""
    listed = value["instances"]
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        return []
    return [
        (f"{path}#{number}", {"input": one.get("input"), "response": one.get("output")})
        for number, one in enumerate(listed, start=1)
    ]


def _texts(prompt: Any, given: Any, response: Any) -> tuple[str, str, str] | str:
    """The three as text, a missing one as an empty text; or why they are not used."""
    prompt, given, response = ("" if one is None else one for one in (prompt, given, response))
    if not all(isinstance(one, str) for one in (prompt, given, response)):
        return NOT_TEXT
    if not prompt.strip():
        return NO_PROMPT
    return (prompt, given, response) if response.strip() else NO_RESPONSE
