"""Calls to the Hugging Face Hub: what went wrong as one sentence, and when to try again.

Importing it imports the Hub's client, a quarter of a second: where a command may do without, it is
imported inside a function.
"""

from finetune.hub.errors import HUB_ERRORS, explained
from finetune.hub.patience import SILENCE, patiently, settle_output

__all__ = ["HUB_ERRORS", "SILENCE", "explained", "patiently", "settle_output"]
