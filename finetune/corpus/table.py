"""What `prepare` did, as a table for the terminal."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from finetune.corpus.summary import CorpusSummary, Tally

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table
    from rich.text import Text

MOST_ROWS = 12
"""Of languages, licences or reasons; the rest is counted in one row."""

Tokens = Mapping[str, Mapping[str, int]]


def summary_table(summary: CorpusSummary, tokens: Tokens | None) -> "Group":
    """Kept by language and licence, with tokens where they were counted; dropped and changed."""
    from rich.console import Group

    # Names of languages may come from the corpus: no cell is markup.
    tables: list[RenderableType] = [
        _kept("Language", summary.languages, tokens["languages"] if tokens else None),
        _kept("Licence", summary.licences, tokens["licences"] if tokens else None),
    ]
    counts = (
        ("Dropped, because", "Documents", summary.drops),
        ("Passed over in listing", "Files or folders", summary.skipped),
        ("Left out of documents", "Times", summary.left_out),
        ("Replaced in texts", "Times", summary.redacted),
        ("Not compared for near-duplicates", "Pairs", summary.not_compared),
    )
    tables += [_counted(*one) for one in counts if one[2]]
    return Group(*tables)


def _kept(
    what: str, tallies: Mapping[str, Mapping[str, Tally]], tokens: Mapping[str, int] | None
) -> "Table":
    table = _table(what, "Documents", "Characters", *(["Tokens"] if tokens else []), "Held out")
    train, holdout = tallies["train"], tallies["holdout"]
    names = list(dict.fromkeys([*train, *holdout]))
    for name in names[:MOST_ROWS]:
        table.add_row(_plain(name), *_cells([name], train, holdout, tokens))
    if len(names) > MOST_ROWS:
        rest = names[MOST_ROWS:]
        table.add_row(f"{len(rest)} more", *_cells(rest, train, holdout, tokens))
    if len(names) > 1:
        table.add_section()
        table.add_row("all", *_cells(names, train, holdout, tokens))
    return table


def _cells(
    names: Iterable[str],
    train: Mapping[str, Tally],
    holdout: Mapping[str, Tally],
    tokens: Mapping[str, int] | None,
) -> list[str]:
    names = list(names)
    kept = sum((train.get(name, Tally()) for name in names), Tally())
    held = sum(holdout.get(name, Tally()).documents for name in names)
    counted = [sum(tokens.get(name, 0) for name in names)] if tokens else []
    return [f"{one:,}" for one in (kept.documents, kept.characters, *counted, held)]


def _counted(what: str, unit: str, counts: Mapping[str, int]) -> "Table":
    table = _table(what, unit)
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    for name, count in ordered[:MOST_ROWS]:
        table.add_row(_plain(name), f"{count:,}")
    if len(ordered) > MOST_ROWS:
        rest = sum(count for _, count in ordered[MOST_ROWS:])
        table.add_row(f"{len(ordered) - MOST_ROWS} more", f"{rest:,}")
    return table


def _plain(name: str) -> "Text":
    from rich.text import Text

    return Text(name)


def _table(what: str, *columns: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    table.add_column(what)
    for column in columns:
        table.add_column(column, justify="right")
    return table
