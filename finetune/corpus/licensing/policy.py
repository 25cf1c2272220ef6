"""Which licences a recipe lets in."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from finetune.corpus.licensing.expressions import (
    CONTRADICTORY,
    PROPRIETARY,
    UNRECOGNISED,
    normalise,
    spdx,
)
from finetune.errors import UserError

ANY = "any"
PERMISSIVE = "permissive"
LIST = Path(__file__).parent / "permissive.txt"

NOT_STATED = "no licence is stated"
_REASONS = {
    UNRECOGNISED: "a licence is stated that is not recognised",
    CONTRADICTORY: "a licence file and package metadata contradict each other",
    PROPRIETARY: "marked as proprietary",
}


@cache
def permissive() -> frozenset[str]:
    """The ids of `permissive.txt`."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def permitted(policy: str | Sequence[str]) -> frozenset[str] | None:
    """The licences that `permissive`, `any` (None) or a list of SPDX ids lets in.

    `permissive` may stand in a list, for all of it. Raises UserError for what is no single licence.
    """
    return _permitted((policy,) if isinstance(policy, str) else tuple(policy))


@cache
def _permitted(names: tuple[str, ...]) -> frozenset[str] | None:
    if ANY in names:
        return None
    chosen: set[str] = set()
    for name in names:
        chosen |= permissive() if name == PERMISSIVE else {_licence(name)}
    return frozenset(chosen)


def allowed(licence: str | None, policy: str | Sequence[str]) -> bool:
    """Whether a document under `licence` may enter.

    Of `A OR B` one suffices, of `A AND B` both must be let in. A licence `WITH` an exception is let
    in with its licence, or where it is listed with that very exception.
    """
    return _allowed(licence, permitted(policy))


def licence_reason(licence: str | None, policy: str | Sequence[str]) -> str | None:
    """Why a document under `licence` may not enter, or None."""
    if allowed(licence, policy):
        return None
    return NOT_STATED if licence is None else _REASONS.get(licence, _not_permitted(licence))


def _not_permitted(licence: str) -> str:
    return f"licence {licence} is not permitted"


def _allowed(licence: str | None, chosen: frozenset[str] | None) -> bool:
    if chosen is None:
        return True
    known = normalise(licence) if licence else None
    return known is not None and _suffices(spdx().parse(known), chosen)


def _suffices(tree: Any, chosen: frozenset[str]) -> bool:
    """`tree` is a node of license-expression's parse."""
    if tree.isliteral:
        base = getattr(tree, "license_symbol", tree)
        return tree.render() in chosen or base.key in chosen
    parts = [_suffices(one, chosen) for one in tree.args]
    return any(parts) if tree.operator.strip() == "OR" else all(parts)


def _licence(name: str) -> str:
    known = normalise(name)
    if known and spdx().parse(known).isliteral:
        return known
    from difflib import get_close_matches

    near = get_close_matches(name, [PERMISSIVE, ANY, *permissive()], n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near and not known else "list each licence by itself"
    raise UserError(
        f"licences: `{name}` is not the SPDX id of one licence; {hint} (`permissive` and `any` are "
        "the other choices)"
    )
