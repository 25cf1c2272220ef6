"""What JSON can say and a text cannot hold."""

NUL = "text with a NUL character"
SURROGATE = "text with half of a surrogate pair, which is no character"


def character_reason(text: str) -> str | None:
    """Why a text that came out of JSON's escapes is not used, or None."""
    if "\0" in text:
        return NUL
    try:
        text.encode()
    except UnicodeEncodeError:
        return SURROGATE
    return None
