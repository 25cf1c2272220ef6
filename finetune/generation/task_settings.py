"""How each task's problems are put to a model, as the published StarCoder numbers were made.

Sources: the BigCode evaluation harness and its leaderboard's guide (temperature 0.2, top_p 0.95, 50
samples, 512 tokens with the prompt), SantaCoder (arXiv 2301.03988), OctoPack (2308.07124).
"""

from collections.abc import Callable
from dataclasses import dataclass

from finetune.generation.sampling import Sampling
from finetune.tasks import Problem

Text = Callable[[Problem], str]

FENCE = "\n```"
NEXT_FILE = "<file_sep>"

HUMANEVAL_STOPS = ("\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif", FENCE, NEXT_FILE)
MBPP_STOPS = ("\nclass", "\nassert", '\n"""', "\nprint", "\nif", "\n<|/", FENCE)
HUMANEVALPACK_STOPS = {
    "python": ("\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif", "\nassert"),
    "go": ("\n//", "\nfunc main(", "struct", "\nfunc"),
}

PUBLISHED = Sampling(temperature=0.2, top_p=0.95, max_length=512, samples=50)
OCTOPACK = Sampling(temperature=0.2, top_p=0.95, max_length=2048, samples=20)
SANTACODER = Sampling(temperature=0.2, top_p=0.95, max_new_tokens=25)
INFILLING = Sampling(temperature=0.2, top_p=0.95, max_new_tokens=256)
"""No numbers of StarCoder are published for these gaps: ours, one sample each."""


def as_it_is(problem: Problem) -> str:
    return problem.prompt


def stripped(problem: Problem) -> str:
    """Without the newline at its end, with which few tokens of indentation begin."""
    return problem.prompt.strip()


def repair(problem: Problem) -> str:
    """The faulty function and its tests, the order to mend it, and its head once more."""
    base = _declared(problem)
    order = f"Fix bugs in {problem.entry_point}."
    return f"{base}{problem.buggy}\n{problem.tests}\n{order}\n\n{base}".strip()


def repaired(problem: Problem) -> str:
    """What stands before the answer in the program: the head alone."""
    return _declared(problem).rstrip()


def _declared(problem: Problem) -> str:
    return ("fn main(){}\n" if problem.language == "rust" else "") + problem.declaration


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """One task, or one way of asking it."""

    sampling: Sampling
    shown: Text = as_it_is
    """What the model is to go on from; gaps are shown as their prefix and suffix instead."""
    head: Text | None = None
    """What stands before the answer in the program; None: what was shown."""
    stops: tuple[str, ...] = ()
    """Beside those that a problem brings along."""
    ends_with_block: bool = False
    """Whether an answer ends with the function that was begun, by brackets or indentation."""
    problems: str | None = None
    """The task of `finetune.tasks` that has the problems; None: the one of the same name."""


_HUMANEVAL = TaskSettings(sampling=PUBLISHED, shown=stripped, stops=HUMANEVAL_STOPS)
_MBPP = TaskSettings(sampling=PUBLISHED, stops=MBPP_STOPS)

TASK_SETTINGS: dict[str, TaskSettings] = {
    "humaneval": _HUMANEVAL,
    "humaneval_plus": _HUMANEVAL,
    "mbpp": _MBPP,
    "mbpp_sanitized": _MBPP,
    "mbpp_plus": _MBPP,
    "multipl_e": TaskSettings(sampling=PUBLISHED, shown=stripped, stops=(NEXT_FILE,)),
    "humanevalpack": TaskSettings(sampling=OCTOPACK, shown=stripped, ends_with_block=True),
    "humanevalpack_fix": TaskSettings(
        sampling=OCTOPACK,
        shown=repair,
        head=repaired,
        ends_with_block=True,
        problems="humanevalpack",
    ),
    "humaneval_infilling": TaskSettings(sampling=INFILLING),
    "humaneval_infilling_light": TaskSettings(sampling=INFILLING),
    "santacoder_fim": TaskSettings(sampling=SANTACODER),
}

OWN = TaskSettings(sampling=Sampling(temperature=0.2, top_p=0.95, max_new_tokens=512, samples=20))
"""Of a person's own problems: the prompt as it is, and the stops that each problem brings."""


def settings_of(task: str) -> TaskSettings:
    """The settings of a task by its name; of any that is not published, `OWN`."""
    return TASK_SETTINGS.get(task, OWN)


def stops_of(task: str, problem: Problem) -> tuple[str, ...]:
    """Every string that ends an answer to a problem."""
    own = HUMANEVALPACK_STOPS.get(problem.language, ()) if problem.task == "humanevalpack" else ()
    return (*problem.stops, *settings_of(task).stops, *own)
