"""Licence ids, what each asks of a derivative, and the texts that the toolkit carries.

The licence follows the weights: it is read from the base, may be narrowed, never contradicted.
`licence_texts/hub_licences.tsv` holds the ids; `PROVENANCE.md` beside it says where texts are from.
This is a reading of licences by engineers, not legal advice.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from finetune.errors import UserError

TEXTS = Path(__file__).parent / "licence_texts"
CARRIED = ("bigcode-openrail-m", "apache-2.0", "mit")
OPENRAIL = "bigcode-openrail-m"
BASE_CARD = "BASE_CARD.md"
"""The base's own documentation, as a derivative passes it on."""

LICENCE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "COPYING")


@dataclass(frozen=True, kw_only=True)
class Obligations:
    """What who shares a derivative must include, and what they may not claim."""

    must_include: tuple[str, ...] = ()
    must_not_claim: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Licence:
    """One licence id of the Hub. `terms` is a key of OBLIGATIONS."""

    id: str
    name: str
    terms: str


_COPY = "a copy of the licence"
_NOTICES = "every copyright, patent, trademark and attribution notice of the base"

OBLIGATIONS = {
    "public_domain": Obligations(),
    "notice": Obligations(must_include=(_COPY, _NOTICES)),
    "patent": Obligations(
        must_include=(_COPY, _NOTICES, "a prominent note of what was changed", "the NOTICE file"),
        must_not_claim=("the trademarks of the licensor",),
    ),
    "copyleft": Obligations(must_include=(_COPY, _NOTICES, "the same licence for the derivative")),
    "restricted": Obligations(must_include=(_COPY, _NOTICES, "the use terms of the licence")),
    "rail": Obligations(must_include=(_COPY, _NOTICES, "the use restrictions of the licence")),
    "bigcode": Obligations(
        must_include=(
            _COPY + " (5.2a)",
            "paragraph 4 and the use restrictions of Attachment A, in the licence of the"
            " derivative (5.1)",
            "the base's explanatory documentation, and documentation of the same or better"
            " quality of what was changed (5.2b)",
            _NOTICES + " (5.2c)",
        ),
        must_not_claim=(
            "the trademarks, trade names or logos of the licensor, or its endorsement (9)",
        ),
    ),
    "vague": Obligations(must_include=("the licence text that the base brings", _NOTICES)),
    "no_derivatives": Obligations(),
    "unknown": Obligations(),
}

# Each asks for at least what those before it ask for, so a move to the right only narrows.
PERMISSIVE = ("public_domain", "notice", "patent")

# Why a licence of these terms cannot stand on a BigCode OpenRAIL-M base.
_NOT_OPENRAIL = {
    "rail": "it is another licence with restrictions of its own and holds neither paragraph 4 nor"
    " Attachment A of the base's",
    "vague": "it names no text, so nobody can see that Attachment A is in it",
}


@cache
def known_licences() -> dict[str, Licence]:
    """Licences by Hub id."""
    lines = (TEXTS / "hub_licences.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = (line.split("\t") for line in lines)
    return {id: Licence(id=id, terms=terms, name=name) for id, terms, name in rows}


def check_licence_id(id: str) -> None:
    """Raise UserError, with the nearest known ids, unless `id` is a licence id of the Hub."""
    _check(id, f"`{id}`")


def _check(id: str, what: str) -> None:
    if id in known_licences():
        return
    wanted = id.lower().replace(" ", "-")
    blank = wanted in ("license", "licence")  # TRL's placeholder is near to `unlicense` by chance
    near = [] if blank else get_close_matches(wanted, known_licences(), n=3, cutoff=0.5)
    hint = " or ".join(f"`{name}`" for name in near)
    advice = f"did you mean {hint}?" if near else f"for StarCoder models it is `{OPENRAIL}`"
    raise UserError(f"{what} is no licence id of the Hub; {advice}")


def obligations(licence: str) -> Obligations:
    """What `licence` asks of a derivative. Raises UserError for an unknown id."""
    check_licence_id(licence)
    return OBLIGATIONS[known_licences()[licence].terms]


def derivative_licence(base: str, stated: str | None) -> str:
    """The licence of a model derived from one under `base`; None keeps the base's.

    Raises UserError where an id is unknown, where the base may not be derived from, or where
    `stated` contradicts what the base asks for; the message says what to write instead.
    """
    _check(base, f"`{base}`, the base's licence,")
    terms = known_licences()[base].terms
    if terms == "unknown":
        raise UserError(
            "the base's licence is `unknown`: nobody may pass on what nobody licensed. Ask its"
            " authors, then state the answer as the base's `licence:`"
        )
    if terms == "no_derivatives":
        raise UserError(
            f"the base's licence `{base}` does not let a changed model be shared; choose another"
            " base, or leave out `publish:`"
        )
    if stated is None or stated == base:
        return base
    check_licence_id(stated)
    reason = _contradiction(base, stated)
    if reason:
        narrower = f", `{OPENRAIL}` or another that asks for more" if terms in PERMISSIVE else ""
        raise UserError(
            f"licence `{stated}` contradicts the base's `{base}`: {reason}."
            f" Write `licence: {base}`{narrower}, or leave the key out to keep the base's"
        )
    return stated


def _contradiction(base: str, stated: str) -> str | None:
    """Why a model under `stated` may not stand on one under `base`, or None."""
    old, new = known_licences()[base].terms, known_licences()[stated].terms
    if old == "bigcode":
        lacking = _NOT_OPENRAIL.get(new, "it holds no such restrictions")
        return f"paragraph 5.1 asks it to include paragraph 4 and Attachment A, and {lacking}"
    if old not in PERMISSIVE:
        return "the terms of the base stay with the weights, and only its own licence keeps them"
    if new in ("unknown", "vague"):
        return "it names no text that a recipient could read"
    if new in PERMISSIVE[: PERMISSIVE.index(old)]:
        return "it asks for less than the base does; a licence may be narrowed, not widened"
    return None


def front_matter(folder: Path) -> dict[str, Any]:
    """The YAML metadata of a model folder's README.md; empty where there is none.

    Raises UserError where it is there but cannot be read.
    """
    readme = folder / "README.md"
    return card_metadata(split_card(readme)[0], str(readme))


def card_metadata(block: str, where: str) -> dict[str, Any]:
    """The values of a card's YAML block. Raises UserError, naming `where`, for what is no YAML."""
    if not block.strip():
        return {}
    try:
        values = yaml_value(block)
    except ValueError as error:
        raise UserError(f"{where}: its metadata is not valid YAML; mend it: {error}") from error
    return {str(key): value for key, value in values.items()} if isinstance(values, dict) else {}


def yaml_value(text: str) -> Any:
    """The value of a YAML text that anybody may have written. Raises ValueError where it has none,
    as for a day such as 2024-02-31."""
    from ruamel.yaml import YAML  # here, because most callers never read a card
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, LookupError, RecursionError) as error:  # `!!bool foo` is a KeyError
        raise ValueError(f"{type(error).__name__}: {error}") from error


def split_card(file: Path) -> tuple[str, str]:
    """The metadata and the body of a card; both empty where there is no such file."""
    if not file.is_file():
        return "", ""
    return split_card_text(file.read_text(encoding="utf-8-sig", errors="replace"))


def split_card_text(text: str) -> tuple[str, str]:
    """The metadata and the body of a card's text."""
    block = re.match(r"\s*---[ \t]*\n(.*?\n)?---[ \t]*(?:\n|\Z)", text, re.DOTALL)
    return (block[1] or "", text[block.end() :]) if block else ("", text)


def _text_of(file: Path) -> str:
    """Of an old card that is not UTF-8 each byte as a character, so that none of it is lost."""
    content = file.read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def base_documentation(base: Path | None) -> str:
    """The base's card, and that of its own base where it passed one on (OpenRAIL 5.2b).

    A card that is metadata alone, as merged/ and base/ of a run have it, documents nothing.
    """
    cards = [base / name for name in ("README.md", BASE_CARD)] if base else []
    texts = [_text_of(file) for file in cards if split_card(file)[1].strip()]
    return "\n\n".join(texts)


def licence_of_folder(folder: Path) -> str | None:
    """The licence id that a model folder states: in its card, else by a LICENSE text we know.

    Raises UserError where the card states several licences, or another than its LICENSE file.
    """
    stated = front_matter(folder).get("license")
    if isinstance(stated, list) and len(stated) == 1:
        stated = stated[0]
    if isinstance(stated, list):
        listed = ", ".join(str(item) for item in stated)
        raise UserError(
            f"{folder / 'README.md'}: states several licences ({listed}); say which one holds for"
            " the weights as the base's `licence:`"
        )
    file = licence_file(folder)
    recognised = recognise(file.read_text(encoding="utf-8", errors="replace")) if file else None
    if stated is None or not str(stated).strip():
        return recognised
    licence = str(stated).strip().lower()
    if recognised and recognised != licence:
        raise UserError(
            f"{folder}: README.md says `{licence}` but {file.name if file else 'LICENSE'} is the"
            f" text of `{recognised}`; say which one holds for the weights as the base's `licence:`"
        )
    return licence


def licence_file(folder: Path) -> Path | None:
    """The licence file of a model folder, under one of its usual names."""
    return next((folder / name for name in LICENCE_FILES if (folder / name).is_file()), None)


def licence_text(licence: str, base_folder: Path | None, base_licence: str | None = None) -> str:
    """The text that a model under `licence` is shared with.

    The base's own file where it brings one and the licence is unchanged (`base_licence`, or what
    the folder itself states), else the text we carry. Raises UserError where there is neither.
    """
    check_licence_id(licence)
    file = licence_file(base_folder) if base_folder else None
    if base_folder and file:
        own = file.read_text(encoding="utf-8", errors="replace")
        unchanged = (base_licence or licence_of_folder(base_folder)) == licence
        if unchanged and recognise(own) in (None, licence) and _complete(licence, own):
            return own
    if licence in CARRIED:
        return (TEXTS / f"{licence}.txt").read_text(encoding="utf-8")
    where = f"{base_folder / 'LICENSE'}" if base_folder else "a LICENSE file in the base's folder"
    raise UserError(
        f"no text of `{licence}` at hand, and recipients must get a copy: put it at {where}, or"
        f" choose one we carry ({', '.join(CARRIED)}) where the base allows it"
    )


def _complete(licence: str, text: str) -> bool:
    """A stub that only links to OpenRAIL is no copy of it."""
    return licence != OPENRAIL or has_use_restrictions(text)


def recognise(text: str) -> str | None:
    """The id of a licence text that we carry, whatever its line breaks and copyright line."""
    plain = _plain(text)
    for licence, first, last in (
        ("apache-2.0", "terms and conditions for use", "end of terms and conditions"),
        ("mit", "permission is hereby granted", "dealings in the software."),
    ):
        carried = _plain((TEXTS / f"{licence}.txt").read_text(encoding="utf-8"))
        body = carried[carried.index(first) : carried.index(last) + len(last)]
        if body in plain[: len(body) + 1500]:  # further down it is another work's licence
            return licence
    heading = re.search(r"bigcode open ?rail-m", plain[:300])
    return OPENRAIL if heading and has_use_restrictions(text) else None


def _plain(text: str) -> str:
    straight = text.translate(str.maketrans("“”‘’", "\"\"''"))
    return " ".join(straight.casefold().split())


def has_use_restrictions(text: str) -> bool:
    """Whether a text holds Attachment A, and not merely its name."""
    before, *after = re.split(r"attachment a\W+use restrictions", _plain(text))
    restrictions = after[-1] if before and after else ""
    return all(word in restrictions for word in ("malware", "machine generated"))


def use_restrictions() -> str:
    """Paragraph 4 and Attachment A of the carried BigCode OpenRAIL-M, verbatim."""
    text = (TEXTS / f"{OPENRAIL}.txt").read_text(encoding="utf-8")
    paragraph = text[text.index("4. Use conditions.") : text.index("5. Sharing of the Model")]
    return f"{paragraph.strip()}\n\n{text[text.index('Attachment A - ') :].strip()}\n"


def trademark_warning(repo: str) -> str | None:
    """A sentence where a repository's name makes a derivative look like StarCoder itself."""
    owner, _, name = repo.rpartition("/")
    bare = re.sub(r"[-_.]", "", name.lower())
    marks = ("starcoder", "tinystarcoder", "santacoder", "bigcode")
    if owner.lower() == "bigcode" or not bare.startswith(marks):
        return None
    return (
        f"`{repo}` reads as if the model were BigCode's own; paragraph 9 of the OpenRAIL licence"
        " grants no use of the licensors' trademarks. Begin the name with a word of yours, such as"
        f" `{owner or 'me'}/mylib-completion`, and name the base in the card"
    )
