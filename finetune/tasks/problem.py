"""The unit of an evaluation task: one problem, as its benchmark states it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What a model is asked, one known answer, and the tests of an answer.

    `setup + prompt + answer + suffix`, a newline and `tests` are one program: it ends without an
    error where the answer is right. Nothing here has been run.
    """

    task: str
    """Name in `TASKS`."""
    id: str
    """The benchmark's own name of the problem; no other problem of the task has it."""
    origin: str
    """The problem that this one was made from, `HumanEval/0` or `Mbpp/2`: those that share an
    origin are not independent, in whichever task they stand."""
    language: str
    """Lower-case language name, as `data_formats.source_code` has it."""
    prompt: str
    """Code to go on from; the task stands in it as a comment or doc string."""
    solution: str
    """The benchmark's answer, or empty where it gives none."""
    tests: str
    """Code that fails behind a wrong answer."""
    entry_point: str = ""
    """Function that the tests call; empty where the benchmark does not say."""
    signature: str = ""
    """Head of that function as the benchmark writes it; empty where it does not say."""
    declaration: str = ""
    """The prompt without the task in words, for tasks that have it apart: imports and that head."""
    part: str = ""
    """What is scored by itself within the task: `test` of mbpp, `single_line` of infilling."""
    suffix: str | None = None
    """Code behind the gap; None where there is no gap and the prompt is only to be continued."""
    instruction: str = ""
    """The task in words, where the benchmark has it apart from code."""
    buggy: str = ""
    """The answer with a fault in it, for tasks that ask for the repair."""
    setup: str = ""
    """Code before the prompt that the model is not shown."""
    stops: tuple[str, ...] = ()
    """Where the benchmark itself ends an answer; empty where it does not say."""

    @property
    def whole(self) -> str:
        """Prompt, answer and suffix as the one text that they were cut from."""
        return self.prompt + self.solution + (self.suffix or "")
