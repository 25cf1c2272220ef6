"""Types of which the sections of a recipe are made."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

SECTION = ConfigDict(
    extra="forbid",
    frozen=True,
    strict=True,
    allow_inf_nan=False,
    use_attribute_docstrings=True,
    defer_build=True,  # `check` has half a second in all, and most sections are built twice else
)


def _whole(value: Any) -> Any:
    """YAML's `2e9` is a float; where a count is meant it is the integer it equals."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def frozen(value: Any) -> Any:
    """YAML's lists become tuples: a recipe does not change once it is read."""
    return tuple(value) if isinstance(value, list) else value


# Bounds stand before the validators: behind them the JSON Schema would not say `minimum`.
Count = Annotated[int, Field(ge=1), BeforeValidator(_whole)]
Natural = Annotated[int, Field(ge=0), BeforeValidator(_whole)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Texts = Annotated[tuple[str, ...], BeforeValidator(frozen)]
RunName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=96)]
