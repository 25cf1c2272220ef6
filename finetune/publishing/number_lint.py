"""Every number of a card has to stand in a file of the run.

The rules, all of them:

- A number is what stands free in the text: `0.25`, `1,024`, `-3`, `2.98e-07`. Digits that are part
  of a name (`starcoder2-3b`, `Apache-2.0`, `v1`) or of a version of three parts are none.
- It is held up by a number that stands in a file of the run, or by one of the counts that the card
  makes of the manifest and of the dropped files.
- A whole number must be held up by an equal one. One with decimals may be rounded: half a unit of
  its last written place. Two places at least are asked for, so that no 0.3 is held up by a 0.34.
- Numbers that are no measurement are taken out first, by the very sentence that they stand in:
  the use restrictions and citations line by line, the names of licences, what a licence asks for,
  the phrases of FIXED, and the publisher's own `publish.summary` and
  `publish.gated_prompt`. A number that somebody adds to
  those is found.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from finetune.licences import known_licences, obligations, use_restrictions
from finetune.publishing.citations import citations
from finetune.publishing.evidence import Evidence, read_evidence
from finetune.publishing.facts import ReleaseFacts
from finetune.run_folder import HEX_DIGEST, RunFolder

NUMBER = re.compile(
    r"(?<![\w./+~@-])-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?(?!\.?\w|[/-]\w)", re.I
)
FIXED = (
    "95% interval",
    "4 bits",
    "paragraph 4",
    "interval_95",
)
"""Phrases of the card's own that hold a number and measure nothing."""


def unsupported_numbers(card: str, run: RunFolder, facts: ReleaseFacts) -> list[str]:
    """One sentence per line of the card that holds numbers which no file of the run holds.

    Raises UserError where a file of the run cannot be read.
    """
    known = known_numbers(run)
    exact = {value for value in known if value == int(value)}
    lines, phrases = _not_measured(facts)
    found = []
    for number, line in enumerate(card.splitlines(), 1):
        if line.removeprefix("> ").strip() in lines:
            continue
        rest = line
        for phrase in phrases:
            rest = rest.replace(phrase, "")
        wrong = [
            match[0]
            for match in NUMBER.finditer(rest)
            if not _is_digest(match[0]) and not _is_held_up(match[0], known, exact)
        ]
        if wrong:
            found.append(f"line {number}: {', '.join(wrong)}: in no file of the run")
    return found


def _is_held_up(text: str, known: Iterable[float], exact: set[float]) -> bool:
    plain = text.replace(",", "").lower()
    value = float(plain)
    if not math.isfinite(value):
        return False
    if value in exact:
        return True  # 1.0 of a file may be 1.0 or 1 in the card
    mantissa, _, exponent = plain.partition("e")
    if not exponent and "." not in mantissa:
        return False
    places = max(len(mantissa.partition(".")[2]), 2)
    close = 0.5 * 10.0 ** (int(exponent or 0) - places) * (1 + 1e-9)
    return any(abs(value - one) <= close for one in known)


def known_numbers(run: RunFolder) -> set[float]:
    """Every number that the run's files hold, and the counts that the card makes of them."""
    evidence = read_evidence(run)
    texts = [json.dumps(evidence.last_step)]
    texts += [_text(file) for file in (run.recipe, run.scores, run.merge_proof, run.stages)]
    texts.append(_text(run.gguf_proof))
    texts += [_text(run.corpus_summary), *(evidence.corpus.drops or {})]
    texts += [name for _, name in (*evidence.corpus.files, *evidence.corpus.licences)]
    numbers = {value for text in texts for value in _numbers(text)}
    return numbers | {float(count) for count in _counts(evidence)}


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _numbers(text: str) -> Iterator[float]:
    for match in NUMBER.finditer(text):
        value = float(match[0].replace(",", ""))
        if math.isfinite(value) and not _is_digest(match[0]):
            yield value


def _is_digest(text: str) -> bool:
    """Whether it is a digest that reads like a number, `1234567e12345678`. One of digits alone
    cannot be told from a seed, and counts as a number."""
    return HEX_DIGEST.fullmatch(text) is not None and not text.isdecimal()


def _counts(evidence: Evidence) -> Iterator[int]:
    corpus = evidence.corpus
    yield from (*corpus.files.values(), *corpus.characters.values(), *corpus.licences.values())
    yield from (corpus.drops or {}).values()
    yield from (len(names) for names in corpus.repositories.values())


def _not_measured(facts: ReleaseFacts) -> tuple[set[str], list[str]]:
    """Whole lines, and phrases with the longest first."""
    lines = {line.strip() for line in use_restrictions().splitlines()}
    for citation in citations(facts.repo, facts.base_model_id):
        lines |= {line.strip() for line in citation.splitlines()}
    licences: dict[str, Any] = known_licences()
    asked = [obligations(one) for one in (facts.licence, facts.base_licence)]
    phrases = {*FIXED, *(licences[one].name for one in (facts.licence, facts.base_licence))}
    phrases |= {facts.repo, facts.repo.rpartition("/")[2], facts.base_description}
    phrases |= {facts.base_model_id or "", facts.merged_repo or ""}
    own = f"{facts.summary}\n{facts.gated_prompt or ''}"
    phrases |= {line.strip() for line in own.splitlines()}
    for one in asked:
        phrases |= {*one.must_include, *one.must_not_claim}
    return lines, sorted(phrases - {""}, key=len, reverse=True)
