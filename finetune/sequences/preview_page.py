"""Real packed blocks as one HTML page, with nothing to fetch and no script."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_formats.fim import LAYOUTS
from finetune.errors import UserError
from finetune.run_folder import write_text
from finetune.sequences.block import Block
from finetune.sequences.preview import described, padding_of, summary
from finetune.sequences.segment import IGNORED
from finetune.sequences.stream import BlockStream
from finetune.sequences.tokenised import TokenisedCorpus
from finetune.templates import load_template


def write_page(file: Path, name: str, blocks: Sequence[Block], stream: BlockStream) -> None:
    """Write the page about `blocks`, whole or not at all. Raises UserError where it cannot."""
    try:
        if file.is_dir():
            raise UserError(f"{file}: is a folder; name a file in it, such as {file / 'page.html'}")
        if not file.parent.is_dir():
            raise UserError(f"{file}: there is no folder {file.parent}; make it, or name another")
        write_text(file, render(name, blocks, stream))
    except OSError as error:
        raise UserError(
            f"{file}: cannot be written: {error.strerror or error}; name a file in a folder that "
            "you may write to"
        ) from error


def render(name: str, blocks: Sequence[Block], stream: BlockStream) -> str:
    """The page about `blocks`, which `stream` handed out."""
    return load_template(Path(__file__).with_name("preview.html.j2")).render(
        name=name,
        counts=stream.counts,
        summary=summary(stream),
        layouts=_layouts(blocks),
        blocks=[_block_context(block, stream.corpus) for block in blocks],
    )


def _layouts(blocks: Sequence[Block]) -> dict[str, tuple[str, ...]]:
    """Order of writing of the layouts that occur."""
    cuts = (placed.cut for block in blocks for placed in block.placed)
    used = {cut.layout for cut in cuts if cut is not None}
    return {layout: order for layout, order in LAYOUTS.items() if layout in used}


def _block_context(block: Block, corpus: TokenisedCorpus) -> dict[str, Any]:
    """Everything the template says about one block."""
    length, padding = len(block.input_ids), padding_of(block)
    return {
        "documents": described(block, corpus),
        "length": length,
        "labelled": int((block.labels != IGNORED).sum()),
        "padding": padding,
        "padding_positions": block.position_ids[length - padding :].tolist(),
    }
