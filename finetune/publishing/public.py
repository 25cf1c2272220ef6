"""What of a run's recipe anybody may see."""

from typing import Any

from finetune.publishing.local_paths import mask

_PRIVATE = ("hub", "private")  # of the recipe's `publish`; no reader of the card needs them


def public_recipe(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe without machine paths and without where and how visibly it was published."""
    public: dict[str, Any] = mask(recipe)
    if isinstance(public.get("publish"), dict):
        kept = {key: value for key, value in public["publish"].items() if key not in _PRIVATE}
        public["publish"] = kept
    return public
