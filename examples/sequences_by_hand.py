"""From a few lines of code to training blocks, without a recipe: what `finetune preview` does.

python examples/sequences_by_hand.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from data_formats.document import Document
from finetune.recipe.schema import Fim, Sequences
from finetune.sequences import Encoder, Rule, block_stream, tokenise
from finetune.sequences.preview import block_text, summary
from finetune.tokenizer import CodeTokenizer, train_tokenizer

CODE = {
    "stack.py": "def push(stack, item):\n    stack.append(item)\n    return stack\n",
    "area.py": "def area(width, height):\n    return width * height\n",
    "greet.py": 'def greet(name):\n    print(f"hello {name}")\n',
}


def main() -> None:
    """Train a tokenizer on three files, pack one epoch of them, and print the blocks in colour."""
    documents = [
        Document(text=text, path=path, repo="example", language="python")
        for path, text in CODE.items()
    ]
    with TemporaryDirectory() as folder:
        train_tokenizer(CODE.values(), vocabulary=300, positions=64, folder=Path(folder))
        corpus = tokenise(documents, Encoder(CodeTokenizer(Path(folder))))
        rules = [Rule(Fim(rate=0.5))]  # one per source
        stream = block_stream(corpus, rules, Sequences(length=64), seed=0, epochs=1)
        console = Console(highlight=False)
        for block in stream:
            console.print(block_text(block, corpus))
        for line in summary(stream):
            console.print(line, soft_wrap=True)


if __name__ == "__main__":
    main()
