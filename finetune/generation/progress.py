"""How far a set of completions is."""

from finetune.bars import make_bar
from finetune.generation.completion import Completion
from finetune.generation.record import Show


def make_progress(name: str, total: int, done: int = 0) -> Show:
    """A function that shows completions as they come; `done` of `total` were there before."""
    bar, tokens = make_bar(f"{name}: completion", total, done), 0
    if done:
        bar.say(f"{name}: {done} of {total} completions were there already")

    def show(completion: Completion) -> None:
        nonlocal done, tokens
        done, tokens = done + 1, tokens + completion.tokens
        bar.at(done, f"{tokens:,} tokens")

    return show
