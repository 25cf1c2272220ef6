"""What a code cell showed, as the text that a reader of the notebook would see."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from data_formats.notebook_file import joined, without_blank_ends

NOT_TEXT = "output that is no text: an image, a widget, HTML alone"
FRAMES = "frames of an error's traceback"

_BARE_OBJECT = re.compile(r"\s*<[^\n]*>\s*")
"""`<Figure size 640x480 with 1 Axes>`: stands in for what a text cannot show."""
_PLAIN = "text/plain"
_OLD_NAMES = {
    "text": _PLAIN,
    "html": "text/html",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "latex": "text/latex",
    "json": "application/json",
    "javascript": "application/javascript",
}
_TERMINAL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and movements
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and links
    r"|\x1b[ -/]*[0-~]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)


def shown(outputs: Iterable[Mapping[str, Any]], lost: Counter[str]) -> str:
    """What was printed, the plain text of results, and of an error its last line.

    Colours are taken off, and of a line that was written over and over (a progress bar) the last
    state stays. A result that is an image or a widget is counted in `lost` and leaves nothing, nor
    does the bare `<...>` that stands in for it; a table is its plain text, not its HTML.
    """
    texts: list[str] = []
    last_stream: object = None
    for output in outputs:
        kind, stream = output.get("output_type"), None
        if kind == "stream":
            stream = output.get("name", output.get("stream"))
            text = joined(output.get("text")) or ""
        else:
            text = (_error if kind in ("error", "pyerr") else _result)(output, lost)
        if stream is not None and stream == last_stream:
            texts[-1] += text  # written in parts
        else:
            texts.append(text)
        last_stream = stream
    clean = (without_blank_ends(_last_state(text)) for text in texts)
    return "\n".join(text for text in clean if text)


def _last_state(text: str) -> str:
    lines = _TERMINAL.sub("", text).split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def _error(output: Mapping[str, Any], lost: Counter[str]) -> str:
    """`ValueError: why`. Frames name folders of a machine, and are long."""
    lost[FRAMES] += bool(output.get("traceback"))
    named = (joined(output.get(part)) or "" for part in ("ename", "evalue"))
    return ": ".join(part for part in named if part)


def _result(output: Mapping[str, Any], lost: Counter[str]) -> str:
    """The plain text of a result or display; layouts 2 and 3 have it beside the other forms."""
    data = output.get("data")
    old = {mime: output[name] for name, mime in _OLD_NAMES.items() if name in output}
    forms = data if isinstance(data, dict) else old
    text = joined(forms.get(_PLAIN)) or ""
    others = forms.keys() - {_PLAIN}
    is_widget = any("widget" in form for form in others)
    is_stand_in = bool(others) and _BARE_OBJECT.fullmatch(text) is not None
    if text.strip() and not is_widget and not is_stand_in:
        return text
    lost[NOT_TEXT] += bool(others)
    return ""
