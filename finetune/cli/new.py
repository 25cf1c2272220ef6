"""`finetune new FILE --from TEMPLATE`"""

import os
import re
from argparse import ArgumentParser, Namespace
from pathlib import Path

from finetune.shipped import shipped


def add_arguments(parser: ArgumentParser, _: str) -> None:
    """FILE and --from; the templates are the shipped recipes."""
    names = ", ".join(templates())
    parser.add_argument("file", type=Path, metavar="FILE", help="the recipe to write, NAME.yaml")
    parser.add_argument(
        "--from", dest="template", required=True, metavar="TEMPLATE", help=f"one of {names}"
    )


def run(options: Namespace) -> int:
    """Write a commented recipe, and say what to do with it."""
    from finetune.errors import UserError

    file: Path = options.file
    text = _filled_in(_template(options.template), file, _run_name(file))
    if os.path.lexists(file):
        raise UserError(f"{file}: is there already and stays as it is; choose a new name")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8", newline="\n") as new:
            new.write(text)
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror}") from error
    print(f"{file}: written; fit it to your code, then `finetune check {file}`")
    return 0


def templates() -> dict[str, Path]:
    """The shipped recipes by name."""
    return {file.stem: file for file in sorted(shipped("recipes").rglob("*.yaml"))}


def _template(name: str) -> Path:
    from difflib import get_close_matches

    from finetune.errors import UserError

    known = templates()
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`? There" if near else "there"
    raise UserError(f"--from {name}: no such template; {hint} are {', '.join(known)}")


def _run_name(file: Path) -> str:
    """The file's stem, which names the run and its folder."""
    from pydantic import TypeAdapter, ValidationError

    from finetune.errors import UserError
    from finetune.recipe.fields import RunName

    if file.suffix not in (".yaml", ".yml"):
        raise UserError(f"{file}: a recipe's file ends in .yaml")
    try:
        return str(TypeAdapter(RunName).validate_python(file.stem))
    except ValidationError:
        raise UserError(
            f"{file}: `{file.stem}` would name the run's folder, so it consists of letters, "
            "digits, `.`, `_` and `-`, a letter or digit first, 96 at most"
        ) from None


def _filled_in(template: Path, file: Path, name: str) -> str:
    """The template's text with what is the new recipe's own put in; comments stay."""
    schema = shipped("recipes/recipe.schema.json")
    text = template.read_text(encoding="utf-8")
    text = text.replace(f"recipes/{template.parent.name}/{template.name}", str(file))
    own = {
        r"\A.*\$schema=.*$": f"# yaml-language-server: $schema={_path_for(schema, file)}",
        r"^name: .*$": f"name: {_as_yaml_text(name)}",
        r"(?<=\brepo: )[\w.-]+/[\w.-]+": f"me/{name}",
        r"(?<=\bhub: )[.\w/-]+": "./hub",
    }
    for pattern, replacement in own.items():
        literal = replacement.replace("\\", r"\\")
        text = re.sub(pattern, literal, text, count=1, flags=re.MULTILINE)
    return text


def _path_for(schema: Path, file: Path) -> str:
    """Relative where the new file lies in the same checkout, so that the two may move together."""
    folder, checkout = file.resolve().parent, schema.parent.parent.resolve()
    if folder.is_relative_to(checkout):
        return Path(os.path.relpath(schema.resolve(), folder)).as_posix()
    return str(schema.resolve())


def _as_yaml_text(name: str) -> str:
    """`name` in quotes where YAML would take it for a number, a date or a word such as null."""
    import json

    from ruamel.yaml import YAML

    return name if isinstance(YAML(typ="safe", pure=True).load(name), str) else json.dumps(name)
