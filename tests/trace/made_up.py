"""Made-up code whose passages stand nowhere else."""

import random

from data_formats.document import Document

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def code(seed, num_lines):
    """Lines of made-up words, about 40 characters each."""
    draws = random.Random(seed)

    def word():
        return "".join(draws.choices(LETTERS, k=draws.randint(3, 8)))

    return "".join(
        f"    {word()}.{word()} = {word()}({word()}, {word()})\n" for _ in range(num_lines)
    )


def document(path, text, **facts):
    return Document(
        text=text, path=path, repo="someone/lib", language="python", licence="MIT", **facts
    )
