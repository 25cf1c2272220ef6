"""What a push would change, file by file."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from finetune.publishing.snapshot import SentFile


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Names by what becomes of them, each sorted."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    deleted: tuple[str, ...]

    @property
    def sent(self) -> tuple[str, ...]:
        """What has to travel."""
        return tuple(sorted((*self.new, *self.changed)))

    @property
    def any(self) -> bool:
        return bool(self.new or self.changed or self.deleted)


def changes(wanted: Collection[str], held: Collection[str], same: Collection[str]) -> Changes:
    """From what is wanted, what is there, and what is there with the same bytes."""
    return Changes(
        new=tuple(sorted(set(wanted) - set(held))),
        changed=tuple(sorted((set(wanted) & set(held)) - set(same))),
        unchanged=tuple(sorted(same)),
        deleted=tuple(sorted(set(held) - set(wanted))),
    )


def as_text(found: Changes, files: Mapping[str, SentFile], where: str) -> str:
    """A line per file with its size in bytes and its sha256, then the sum."""
    rows = [
        (kind, name)
        for kind in ("new", "changed", "unchanged", "deleted")
        for name in getattr(found, kind)
    ]
    width = max((len(name) for _, name in rows), default=0)
    lines = [where]
    for kind, name in rows:
        facts = f"{files[name].size:>13,}  {files[name].sha256}" if name in files else ""
        lines.append(f"  {kind:<9}  {name:<{width}}  {facts}".rstrip())
    size = sum(files[name].size for name in found.sent)
    lines.append(
        f"{len(found.sent)} to send ({size:,} bytes), {len(found.unchanged)} unchanged, "
        f"{len(found.deleted)} to delete; a dry run: nothing was sent"
    )
    return "\n".join(lines)
