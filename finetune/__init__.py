"""Specialise StarCoder-family code models: one recipe in, a measured and licensed model out.

Start reading at `finetune.stages`, the only module that sees a whole recipe.
"""

__version__ = "0.1.0"
