"""The YAML recipe as typed objects; every mistake reported at once, with file and line."""

from finetune.recipe.load import LoadedRecipe, is_folder, load_recipe
from finetune.recipe.problems import Problem, RecipeError
from finetune.recipe.schema import Recipe

__all__ = ["LoadedRecipe", "Problem", "Recipe", "RecipeError", "is_folder", "load_recipe"]
