"""What must hold before the first stage, found without torch and without a network.

`check` prints these problems; every other command refuses to start while there is one. A note is
something that cannot be known yet, such as a base that is still to be made.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from finetune.base import BaseFacts, base_facts
from finetune.corpus.opt_out import read_opt_out
from finetune.corpus.reader import open_source, refuse_overlaps, sentinels_of_format
from finetune.errors import UserError
from finetune.families import STARCODER_SPECIAL_TOKENS, WITHOUT_FLEX_ATTENTION
from finetune.grammars import languages
from finetune.ledger import Ledger
from finetune.licences import (
    check_licence_id,
    derivative_licence,
    licence_text,
    trademark_warning,
)
from finetune.methods import gguf_problem, method_problems
from finetune.recipe import LoadedRecipe, Problem, Recipe
from finetune.recipe.schema import EarlierRun, Fim, Pretrained, Scratch
from finetune.run_folder import RunFolder
from finetune.tasks import available, benchmarks_here, find_task
from finetune.tokenizer import fim_problem, special_tokens


@dataclass
class Findings:
    """Problems stop a run; notes and warnings do not."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def inspect(recipe: Recipe, run: RunFolder) -> Findings:
    """Everything that can be said of a valid recipe before it runs."""
    findings = Findings()
    _inspect_sources(recipe, findings, is_prepared=Ledger(run).is_done("prepare"))
    _inspect_curation(recipe, findings)
    _inspect_tasks(recipe, findings)
    _inspect_forgetting(recipe, findings, is_evaluated=Ledger(run).is_done("evaluate"))
    _inspect_scratch(recipe, findings)
    try:
        facts = base_facts(recipe.base, run)
    except UserError as error:
        findings.problems.append(Problem(("base",), str(error)))
        return findings
    if facts.folder is None and not isinstance(recipe.base, Scratch):
        findings.notes.append(_not_here(recipe, facts))
    _inspect_base(recipe, facts, findings)
    problem = _attention_problem(recipe, facts)
    if problem:
        findings.problems.append(Problem(("train", "attention"), problem))
    _inspect_licence(recipe, facts, findings)
    problem = _gguf_problem(recipe, facts)
    if problem:
        findings.problems.append(Problem(("publish", "artefact"), problem))
    for index, name in enumerate(recipe.train.trackers):
        if find_spec(name) is None:
            message = f"{name} is not installed: pip install {name}"
            findings.problems.append(Problem(("train", "trackers", index), message))
    return findings


def refuse_problems(loaded: LoadedRecipe, run: RunFolder) -> Findings:
    """The findings. Raises RecipeError where there is a problem."""
    findings = inspect(loaded.recipe, run)
    if findings.problems:
        raise loaded.error(findings.problems)
    return findings


def refuse_missing_base(loaded: LoadedRecipe, run: RunFolder) -> None:
    """Raise RecipeError where the base is an earlier run that has made no model yet.

    `check` and `prepare` do without it; what follows them does not.
    """
    base = loaded.recipe.base
    if isinstance(base, EarlierRun):
        facts = base_facts(base, run)
        if facts.folder is None:
            raise loaded.error([Problem(("base",), _not_here(loaded.recipe, facts))])


def _inspect_sources(recipe: Recipe, findings: Findings, *, is_prepared: bool) -> None:
    sources, readers = [], []
    for index, source in enumerate(recipe.data.sources):
        if source.dataset is not None:
            findings.notes.append(f"{source.dataset}: a dataset, looked at when it is prepared")
            continue
        try:
            reader = open_source(source, index)
        except UserError as error:
            if is_prepared:
                findings.notes.append(f"read before, and not looked at again: {error}")
            else:
                findings.problems.append(Problem(("data", "sources", index), str(error)))
            continue
        sources.append(source)
        readers.append(reader)
        findings.notes.append(reader.words())
    try:
        refuse_overlaps(sources, readers)
    except UserError as error:
        findings.problems.append(Problem(("data", "sources"), str(error)))


def _inspect_forgetting(recipe: Recipe, findings: Findings, *, is_evaluated: bool) -> None:
    for index, source in enumerate(recipe.evaluate.forgetting):
        try:
            if source.dataset is None:  # else looked at when it is read
                open_source(source, index)
        except UserError as error:
            if is_evaluated:
                findings.notes.append(f"measured before, and not looked at again: {error}")
            else:
                key = ("evaluate", "forgetting", index)
                findings.problems.append(Problem(key, str(error)))


def _inspect_curation(recipe: Recipe, findings: Findings) -> None:
    curate = recipe.data.curate
    if curate.opt_out is not None and not Path(curate.opt_out).expanduser().is_file():
        message = f"{curate.opt_out}: there is no such file; create it or mend the path"
        findings.problems.append(Problem(("data", "curate", "opt_out"), message))
    elif curate.opt_out is not None:
        try:
            read_opt_out(Path(curate.opt_out).expanduser())
        except UserError as error:
            findings.problems.append(Problem(("data", "curate", "opt_out"), str(error)))
    if curate.licences != ("any",):
        from finetune.corpus.licensing import permitted  # its list takes a tenth of a second

        try:
            permitted(curate.licences)
        except UserError as error:
            findings.problems.append(Problem(("data", "curate", "licences"), str(error)))
    try:
        folder, on_hub = benchmarks_here(recipe.evaluate.benchmarks)
    except UserError as error:
        findings.problems.append(Problem(("evaluate", "benchmarks"), str(error)))
        return
    if on_hub:
        note = "is not here yet; it is fetched when it is needed, or by `check --online`"
        findings.notes.append(f"{on_hub}: {note}")
        return
    here = available(folder)
    if curate.decontaminate == ("all",):
        if not here:
            findings.notes.append(
                "no benchmark is at hand, so the corpus is compared with none: name their folder "
                "as evaluate.benchmarks"
            )
        return
    for index, name in enumerate(curate.decontaminate):
        try:
            find_task(name)
            if name not in here:
                where = folder or "a folder of benchmarks: name it as evaluate.benchmarks"
                raise UserError(f"{name}: its files are not in {where}")
        except UserError as error:
            key = ("data", "curate", "decontaminate", index)
            findings.problems.append(Problem(key, str(error)))


def _inspect_tasks(recipe: Recipe, findings: Findings) -> None:
    if not recipe.evaluate.tasks:
        return
    # Runners take a moment to load.
    from finetune.evaluation.task_problems import chosen_task, left_out

    try:
        folder, on_hub = benchmarks_here(recipe.evaluate.benchmarks)
    except UserError:
        return  # told where the corpus is compared with them
    if on_hub:
        return  # told there, too
    for index, choice in enumerate(recipe.evaluate.tasks):
        try:
            task = chosen_task(choice, folder)
        except UserError as error:
            findings.problems.append(Problem(("evaluate", "tasks", index), str(error)))
            continue
        findings.notes.append(f"{task.name}: {len(task.problems)} problems")
        reasons = [(one, why) for one in task.problems if (why := task.why_not_run(one))]
        findings.notes += [f"{task.name}: not run: {w} ({why})" for w, why in left_out(reasons)]


def _inspect_scratch(recipe: Recipe, findings: Findings) -> None:
    if not isinstance(recipe.base, Scratch):
        return
    made = recipe.base.scratch
    if made.width % made.heads:
        message = f"width {made.width} is no multiple of heads ({made.heads})"
        findings.problems.append(Problem(("base", "scratch", "heads"), message))
    if made.vocabulary < 275:
        message = "must be at least 275: 256 bytes and 19 special tokens"
        findings.problems.append(Problem(("base", "scratch", "vocabulary"), message))


def _inspect_base(recipe: Recipe, facts: BaseFacts, findings: Findings) -> None:
    length = recipe.sequences.length
    if facts.positions is not None and length > facts.positions:
        message = f"{length} is beyond the base's {facts.positions} positions"
        findings.problems.append(Problem(("sequences", "length"), message))
    longest = max(recipe.evaluate.max_new_tokens.values(), default=0)
    if facts.positions is not None and longest + 64 > facts.positions:
        message = f"{longest} leaves no room for a prompt in the base's {facts.positions} positions"
        findings.problems.append(Problem(("evaluate", "max_new_tokens"), message))
    findings.problems += method_problems(recipe, facts)
    if isinstance(recipe.base, Scratch):
        _inspect_sentinels(recipe, STARCODER_SPECIAL_TOKENS, "a base from scratch", findings)
    elif facts.folder is not None:
        _inspect_tokenizer(recipe, facts, findings)
    _inspect_fim(recipe, findings)


def _attention_problem(recipe: Recipe, facts: BaseFacts) -> str | None:
    """Why the kernel is not for this recipe; whether it is installed, training finds out."""
    train = recipe.train
    if train.attention == "flex_attention":
        if facts.model_type in WITHOUT_FLEX_ATTENTION:
            return f"transformers has no flex_attention for {facts.model_type}; set it to sdpa"
        if recipe.sequences.isolate_documents:
            return (
                "nothing proves that flex_attention keeps packed documents apart; set it to sdpa, "
                "or sequences.isolate_documents to false"
            )
    if train.attention.startswith("flash_attention") and train.precision == "fp32":
        return f"{train.attention} has no fp32; set train.precision to bf16, or this to sdpa"
    if train.attention == "flash_attention_3" and train.dropout > 0:
        # transformers leaves out what a kernel does not take, and says nothing.
        return "flash_attention_3 would ignore train.dropout; set that to 0, or this to sdpa"
    return None


def _gguf_problem(recipe: Recipe, facts: BaseFacts) -> str | None:
    """Why what is to be published cannot be a GGUF; None where it is none, or can."""
    if recipe.publish is None or not recipe.publish.artefact.startswith("gguf"):
        return None
    if facts.model_type not in (None, "gpt_bigcode"):
        return f"a {facts.model_type} is not written as GGUF here, only gpt_bigcode is; use merged"
    return gguf_problem()


def _inspect_fim(recipe: Recipe, findings: Findings) -> None:
    """Notes on what is allowed and seldom meant; each once, however many sources share it."""
    fims = _fims(recipe)
    if any(fim.rate == 1.0 for fim in fims):
        findings.notes.append("fim.rate 1.0 harms left-to-right completion; up to 0.9 does not")
    if any(fim.rate and not fim.kinds.keys() & {"character", "cursor"} for fim in fims):
        findings.notes.append(
            "fim.cut: without a share of `character` or `cursor` a model learns little of spans "
            "within lines"
        )
    if any(fim.rate and "syntax" in fim.kinds for fim in fims):
        known = sorted(name for name, is_here in languages().items() if is_here)
        findings.notes.append(
            f"fim.cut: syntax is known here for {', '.join(known)}; files in other languages are "
            "cut by character, and counted (pip install 'finetune-code[syntax]' adds parsers)"
        )


def _fims(recipe: Recipe) -> list[Fim]:
    """How each source is written."""
    return [recipe.fim.changed_by(source.fim) for source in recipe.data.sources]


def _inspect_tokenizer(recipe: Recipe, facts: BaseFacts, findings: Findings) -> None:
    assert facts.folder is not None
    try:
        problem = fim_problem(facts.folder) if any(fim.rate for fim in _fims(recipe)) else None
    except UserError as error:
        findings.problems.append(Problem(("base",), str(error)))
        return
    if problem:
        findings.problems.append(Problem(("fim", "rate"), f"{facts.description}: {problem}"))
    _inspect_sentinels(recipe, special_tokens(facts.folder), facts.description, findings)


def _inspect_sentinels(
    recipe: Recipe, known: Collection[str], base: str, findings: Findings
) -> None:
    """Documents are written with sentinels by name, which the tokenizer must have."""
    keys = {("data", "sources"): recipe.data.sources}
    keys[("evaluate", "forgetting")] = recipe.evaluate.forgetting
    named = [(key, *one) for key, sources in keys.items() for one in enumerate(sources)]
    for key, index, source in named:
        missing = [token for token in sentinels_of_format(source) if token not in known]
        if missing:
            message = (
                f"{source.format} are written with {', '.join(missing)}, which the tokenizer of "
                f"{base} does not have; leave the source out, or choose a base that was trained "
                "on it"
            )
            findings.problems.append(Problem((*key, index, "format"), message))


def _inspect_licence(recipe: Recipe, facts: BaseFacts, findings: Findings) -> None:
    num_before = len(findings.problems)
    if isinstance(recipe.base, Scratch):
        _try(findings, ("base", "scratch", "licence"), facts.licence)
    elif isinstance(recipe.base, Pretrained) and recipe.base.licence is not None:
        _try(findings, ("base", "licence"), facts.licence)
    elif facts.licence is None and facts.folder is not None:
        message = (
            f"{facts.description} states no licence, and a derivative needs one: which is it? "
            "Write base: {model: ..., licence: ID}"
        )
        findings.problems.append(Problem(("base",), message))
    is_refused = len(findings.problems) > num_before
    if recipe.publish is None or facts.licence is None or is_refused:
        return
    try:
        licence = derivative_licence(facts.licence, recipe.publish.licence)
        licence_text(licence, facts.folder, facts.licence)
    except UserError as error:
        findings.problems.append(Problem(("publish", "licence"), str(error)))
    warning = trademark_warning(recipe.publish.repo)
    if warning:
        findings.notes.append(warning)


def _try(findings: Findings, key: tuple[str, ...], licence: str | None) -> None:
    try:
        check_licence_id(licence or "")
    except UserError as error:
        findings.problems.append(Problem(key, str(error)))


def _not_here(recipe: Recipe, facts: BaseFacts) -> str:
    if isinstance(recipe.base, EarlierRun):
        return f"the base, {facts.description}, has not been made yet: run its recipe first"
    return f"the base {facts.description} is not on this machine: `check --online` fetches it"
