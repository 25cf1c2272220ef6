"""The recipe's `evaluate` section: what is measured of base and tuned, and how far it may fall."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from finetune.recipe.data import Source
from finetune.recipe.fields import SECTION, Count, Natural, Texts, frozen
from finetune.recipe.source import KeyPath

LAYOUTS = ("left_to_right", "psm", "spm")
"""What held-out losses are measured in."""
INFILLING = "infilling"
"""The gate's name of what `infilling_problems` measures, over all kinds of gaps."""
GapKind = Literal["line", "lines", "function_body", "span"]
LONGEST_COMPLETION: dict[GapKind, int] = {
    "line": 48,
    "lines": 256,
    "function_body": 640,
    "span": 96,
}
"""Tokens, by what may be taken out of a file: a body has 2000 characters at most, a span 200."""
GATED_KINDS = {f"{INFILLING}_{kind}": kind for kind in LONGEST_COMPLETION}
"""The gate's names of one kind each: `infilling_line`."""


_TRAINING_KEYS = ("weight", "fim", "labels", "header")
"""Of a source: how it is learned."""


def _of_every_kind(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return dict.fromkeys(LONGEST_COMPLETION, value) if is_number else value


LongestCompletions = Annotated[
    dict[GapKind, Count],
    BeforeValidator(_of_every_kind, json_schema_input_type=Count | dict[GapKind, Count]),
]


class TaskChoice(BaseModel):
    """A task with its published settings, but for what is said here."""

    model_config = SECTION
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
    """A known task (`humaneval`, `mbpp`, ...), or a name of your own beside `file`."""
    file: str | None = None
    """JSON Lines of problems of your own."""
    parts: Texts | None = None
    """Parts of the task; all when left out."""
    languages: Texts | None = None
    """Languages of its problems; all whose toolchain is here when left out."""
    problems: Count | None = None
    """The first so many of them."""
    samples: Count | None = None
    """Completions of each problem."""
    temperature: Annotated[float, Field(ge=0.0)] | None = None
    """0 takes the likeliest token each time."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Tokens are drawn from the smallest set of the likeliest that has this probability."""
    max_new_tokens: Count | None = None
    """Longest completion."""


class Server(BaseModel):
    """A running server with `/v1/completions` (vLLM, SGLang, llama.cpp, ...) that writes the
    completions of tasks. A key of it is read from FINETUNE_SERVER_KEY, never from here."""

    model_config = SECTION
    url: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")]
    """Such as `http://localhost:8000`."""
    model: Annotated[str, Field(min_length=1)]
    """The name by which the server knows it. That it serves this very model, nobody checks."""
    prompts: Literal["ids", "text"] = "ids"
    """Prompts go as ids, the same as in this process; `text` is for servers that take none
    (llama-cpp-python's): the server's tokenizer has its way, and no gaps are filled."""
    samples_per_call: Count = 1
    """Samples of a problem in one call; with one, each has a seed of its own."""
    calls_at_once: Count = 16
    """Calls under way at the same time."""


class Servers(BaseModel):
    """Who serves base and tuned; what is left out is written in this process."""

    model_config = SECTION
    base: Server | None = None
    """Writes what the base completes."""
    tuned: Server | None = None
    """Writes what the tuned model completes."""


def _by_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Gate(BaseModel):
    """How far a measure may get worse against the base before the release is refused."""

    model_config = SECTION
    max_loss_rise: Annotated[float, Field(ge=0.0)] | None = None
    """In nats per token; of a layout."""
    max_drop_points: Annotated[float, Field(ge=0.0)] | None = None
    """In points of a hundred; of a task, of `infilling`, or of one kind of it."""


class Evaluate(BaseModel):
    """What is measured of base and tuned: held-out files, and tasks that are run in a jail."""

    model_config = SECTION
    tasks: Annotated[
        tuple[Annotated[TaskChoice, BeforeValidator(_by_name)], ...], BeforeValidator(frozen)
    ] = ()
    """Benchmarks by name (`humaneval`), or with settings of yours: `{name: mbpp, samples: 1}`."""
    infilling_problems: Natural = 200
    """Gaps in held-out files that are filled in, of each kind; 0 turns it off."""
    infilling_kinds: Annotated[
        tuple[GapKind, ...], Field(min_length=1), BeforeValidator(frozen)
    ] = tuple(LONGEST_COMPLETION)
    """What is taken out: what a `line` says, several `lines`, the body of a function, any span of
    characters."""
    max_new_tokens: LongestCompletions = {}
    """Longest completion: one number for every kind of gap, or some by kind
    (`{function_body: 300}`). The others have their own: line 48, lines 256, function_body 640,
    span 96, or half of the model's positions where those are fewer."""
    loss_tokens: Count = 2_000_000
    """At most so many held-out tokens per language and layout."""
    benchmarks: str | None = None
    """Folder of benchmark files, or `hf://datasets/OWNER/NAME` laid out as one; the variable
    FINETUNE_BENCHMARKS when left out."""
    seconds: Annotated[float, Field(gt=0.0)] = 10.0
    """Computing time in which a completion must end; on the clock, three times that."""
    batch_size: Count = 16
    """Completions that are written together; in fp32 it does not change them."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Of the weights while they are measured; in the lower ones a batch may change a completion."""
    servers: Servers = Servers()
    """Running servers that write the completions of tasks instead of this process."""
    gate: dict[str, Gate] = {}
    """A run that does worse does not reach release/. By layout, by task, `infilling`, or one kind
    of gap (`infilling_line`)."""
    forgetting: Annotated[tuple[Source, ...], BeforeValidator(frozen)] = ()
    """Files in languages that were not trained on, given as `data.sources` are. Their losses are
    told by language and stand in no total."""


def contradictions(section: Evaluate) -> Iterator[tuple[KeyPath, str]]:
    """What each key alone allows but the keys together do not; keys from the section on."""
    names = [task.name for task in section.tasks]
    for index, name in enumerate(names):
        if name in names[:index] or name in (*LAYOUTS, INFILLING, *GATED_KINDS):
            yield ("tasks", index), f"{name}: something measured has this name already"
    for index, source in enumerate(section.forgetting):
        for key in _TRAINING_KEYS:
            if getattr(source, key) is not None:
                yield ("forgetting", index, key), "means nothing where nothing is trained"
    kinds = [name for name, kind in GATED_KINDS.items() if kind in section.infilling_kinds]
    measured = (*LAYOUTS, INFILLING, *kinds, *names)
    for name, gate in section.gate.items():
        limit, other = "max_loss_rise", "max_drop_points"
        if name not in LAYOUTS:
            limit, other = other, limit
        if name not in measured:
            yield ("gate", name), f"is not measured; what is: {', '.join(measured)}"
        elif getattr(gate, limit) is None or getattr(gate, other) is not None:
            yield ("gate", name), f"takes {limit}, and that alone"
