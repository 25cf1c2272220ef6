"""The doctor: what is wrong with a run, found before its first step, with cause and remedy.

It looks three times, each time at what the last look has made safe to touch: at the base's files,
at the model that was made of them, and at everything as the engine prepared it. One file per kind
of check; `examination.py` orders them.
"""

from finetune.training.doctor.examination import Doctor
from finetune.training.doctor.finding import Finding

__all__ = ["Doctor", "Finding"]
