"""The recipe's JSON Schema, for editors (`# yaml-language-server: $schema=...`)."""

import json
from typing import Any

from finetune.recipe.schema import Recipe


def recipe_schema() -> dict[str, Any]:
    """The schema as a JSON object; `base` may also be written as plain text."""
    schema = Recipe.model_json_schema()
    base = schema["properties"]["base"]
    base["oneOf"] = [*base.pop("oneOf", base.pop("anyOf", [])), {"type": "string"}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    """What `finetune schema` prints and `recipes/recipe.schema.json` holds."""
    return json.dumps(recipe_schema(), indent=2) + "\n"
