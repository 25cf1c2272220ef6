"""Which languages can be parsed here: Python by its own `ast`, others by tree-sitter's grammars."""

from importlib.util import find_spec

GRAMMARS = {
    "c": ("tree_sitter_c.language", "tree_sitter_cpp.language"),
    "cpp": ("tree_sitter_cpp.language",),
    "go": ("tree_sitter_go.language",),
    "java": ("tree_sitter_java.language",),
    "javascript": ("tree_sitter_javascript.language",),
    "rust": ("tree_sitter_rust.language",),
    "typescript": (
        "tree_sitter_typescript.language_typescript",
        "tree_sitter_typescript.language_tsx",
    ),
}
"""Language -> its grammars, likeliest first: `.h` may be C++ and `.tsx` counts as TypeScript."""


def languages() -> dict[str, bool]:
    """Every language that has a parser -> whether that parser is installed here."""
    return {"python": True, **{language: is_installed(language) for language in GRAMMARS}}


def is_installed(language: str) -> bool:
    """Whether tree-sitter and all grammars of `language` are."""
    modules = {"tree_sitter", *(name.partition(".")[0] for name in GRAMMARS[language])}
    return all(find_spec(module) for module in modules)
