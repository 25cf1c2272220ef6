"""Many completions of a small model: our engine beside transformers' `generate`, in one run.

    python benchmarks/generation.py            # about three minutes on two cores
    python benchmarks/generation.py --write    # the same, and results/generation.md

The model is a GPT-BigCode as the recipes make them from scratch, its random weights enlarged so
that what it writes depends on what it reads. Prompts are the beginnings of functions of this
toolkit. Everybody writes the same: greedy, fp32, until a stop string, the end of the document or 96
tokens; texts unlike the first path's are counted. CPU seconds of all threads, the better of two
turns.
"""

import ast
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from sequences_tables import Section, machine

import finetune
from finetune.generation.completion import Request, cut
from finetune.generation.engine import LocalModel
from finetune.generation.sampling import Sampling
from finetune.generation.spelling import Speller
from finetune.models.load import load_model
from finetune.models.scratch import make_model
from finetune.recipe.schema import ScratchModel
from finetune.tokenizer import CodeTokenizer, train_tokenizer

RESULTS = Path(__file__).with_name("results") / "generation.md"
PROMPTS, NEW = 64, 96
STOPS = ("\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif", "\n```", "x")
"""HumanEval's, and one that a model of random weights writes sooner or later."""

Texts = list[str]


def sources() -> Texts:
    """This toolkit's own files."""
    files = sorted(Path(finetune.__file__).parent.rglob("*.py"))
    return [file.read_text(encoding="utf-8") for file in files]


def prompts(texts: Texts) -> Texts:
    """Heads and doc strings of functions, of many lengths."""
    found = []
    for text in texts:
        lines = text.splitlines(keepends=True)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and len(node.body) > 1:
                found.append("".join(lines[node.lineno - 1 : node.body[1].lineno - 1]).rstrip())
    return [found[number * len(found) // PROMPTS] for number in range(PROMPTS)]


def small_model(texts: Texts, folder: Path) -> tuple[Any, CodeTokenizer]:
    train_tokenizer(texts, 4096, 512, folder)
    make_model(ScratchModel(layers=4, width=256, heads=4, licence="mit"), folder)
    model = load_model(folder).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2 and "wpe" not in name:
                parameter.mul_(4)
    return model, CodeTokenizer(folder)


def bare(model: Any, tokenizer: CodeTokenizer, shown: Texts) -> Texts:
    """`generate`, one prompt after the other, stopped at its own stop strings."""
    return [text for one in shown for text in static(model, tokenizer, [one])]


def batched(model: Any, tokenizer: CodeTokenizer, shown: Texts) -> Texts:
    """`generate` in left-padded batches of 16, in the order of the prompts."""
    batches = [shown[at : at + 16] for at in range(0, len(shown), 16)]
    return [text for batch in batches for text in static(model, tokenizer, batch)]


def static(model: Any, tokenizer: CodeTokenizer, shown: Texts) -> Texts:
    """One call of `generate`; each row is cut at its earliest stop."""
    speller = Speller(tokenizer)
    ids = [tokenizer.encode(one) for one in shown]
    width = max(map(len, ids))
    padded = torch.tensor([[tokenizer.pad] * (width - len(one)) + one for one in ids])  # (B, W)
    mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in ids])  # (B, W)

    def stopped(written: torch.Tensor, _: Any, **__: Any) -> torch.Tensor:
        rows = [speller.has_just_stopped(row[width:], STOPS) for row in written.tolist()]
        return torch.tensor(rows)  # (B,)

    output = model.generate(
        input_ids=padded,
        attention_mask=mask,
        do_sample=False,
        max_new_tokens=NEW,
        eos_token_id=tokenizer.eod,
        pad_token_id=tokenizer.pad,
        stopping_criteria=[stopped],
        use_cache=True,
    )
    texts = []
    for row in output[:, width:].tolist():
        end = row.index(tokenizer.eod) if tokenizer.eod in row else len(row)
        texts.append(cut(speller.text(row[:end]), STOPS)[0])
    return texts


def ours(batch_size: int) -> Callable[[Any, CodeTokenizer, Texts], Texts]:
    """Our engine with batches of that size."""

    def written(model: Any, tokenizer: CodeTokenizer, shown: Texts) -> Texts:
        requests = [
            Request(task="", id=str(number), sample=0, prompt=one, stops=STOPS)
            for number, one in enumerate(shown)
        ]
        local = LocalModel(model=model, tokenizer=tokenizer, name="", batch_size=batch_size)
        made = local.complete(requests, Sampling(max_new_tokens=NEW))
        by_id = {one.id: one.text for one in made}
        return [by_id[request.id] for request in requests]

    return written


PATHS: dict[str, Callable[[Any, CodeTokenizer, Texts], Texts]] = {
    "generate, one by one": bare,
    "generate, batches of 16": batched,
    "ours, one by one": ours(1),
    "ours, batches of 4": ours(4),
    "ours, batches of 16": ours(16),
    "ours, batches of 64": ours(64),
}


def best_of_two(path: Callable[[], Texts]) -> tuple[float, Texts]:
    seconds = []
    for _ in range(2):
        start = time.process_time()
        made = path()
        seconds.append(time.process_time() - start)
    return min(seconds), made


def compare() -> Section:
    """Every path on the same prompts."""
    texts = sources()
    shown = prompts(texts)
    with tempfile.TemporaryDirectory() as folder:
        model, tokenizer = small_model(texts, Path(folder) / "base")
        lengths = sorted(len(tokenizer.encode(one)) for one in shown)
        section = Section(
            "Completions of 64 prompts",
            f"GPT-BigCode of 4 layers of 256, vocabulary 4096; prompts of {lengths[0]} to "
            f"{lengths[-1]} tokens; at most {NEW} new ones.",
            ("path", "CPU seconds", "times as fast", "completions unlike the first's"),
        )
        first_seconds, first = 0.0, list[str]()
        for name, path in PATHS.items():
            seconds, made = best_of_two(lambda path=path: path(model, tokenizer, shown))  # type: ignore[misc]
            first_seconds, first = first_seconds or seconds, first or made
            unlike = sum(a != b for a, b in zip(made, first, strict=True))
            section.rows.append(
                (name, f"{seconds:.1f}", f"{first_seconds / seconds:.1f}", str(unlike))
            )
        written = sorted(len(tokenizer.encode(one)) for one in first)
    section.note += (
        f" Completions have {sum(written) / len(written):.0f} tokens on average, a quarter of them "
        f"{written[len(written) // 4]} or fewer, a quarter {written[-len(written) // 4]} or more."
    )
    section.show()
    return section


def main() -> None:
    """Measure everything."""
    parser = ArgumentParser()
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    section = compare()
    if arguments.write:
        facts = [*machine(), f"torch {version('torch')}, {torch.get_num_threads()} threads"]
        listed = "\n".join(f"- {fact}" for fact in facts)
        RESULTS.write_text(
            "# Generation, side by side\n\nWritten by `python benchmarks/generation.py --write`."
            f"\n\n{listed}\n\n{section.markdown()}",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
