"""A recipe as it was understood: every default written out, and the software that ran it."""

from finetune.recipe.schema import Recipe


def as_yaml(recipe: Recipe) -> str:
    """What `recipe.yaml` of a run holds."""
    from io import StringIO

    from ruamel.yaml import YAML

    from finetune.versions import toolkit

    text = StringIO()
    yaml = YAML()
    yaml.width = 100
    yaml.dump({**recipe.model_dump(mode="json"), "toolkit": toolkit()}, text)
    return text.getvalue()
