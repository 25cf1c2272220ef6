"""Runs code that nobody has read, and says what it is worth.

Two jobs are kept apart.

**Isolation.** A program runs in a jail that bubblewrap or nsjail makes (`backends.py`): no network,
an empty root that cannot be written to plus the interpreters, nothing in /proc, no environment,
no file of the host's beyond /usr and a compiler's settings, user 65534. One jail serves many
programs: its process 1 (`inside/supervisor.py`) gives each one namespaces of its own, an empty /tmp
of bounded size, limits, no capabilities and a filter of system calls (`inside/confine.py`,
`filters.py`), and ends its whole process tree when its tests or its time are over. `probe.py` tries
to get out of each back end before one is used; where none holds, judging is refused. As root the
jail is started by a user that owns nothing.

**Integrity.** For Python a pass never rests on an exit status or on anything a program prints:
tests run in another process outside the jail (`inside/examiner.py`) which asks the program's
functions over a socket (`inside/wire.py`): only plain data comes back, and the tests compare it
themselves.

Stopped by that: leaving before the tests (`os._exit(0)`, `sys.exit`), forged output and forged
messages, objects that equal everything, frame walks, hunting for nonces in memory or files,
replaced builtins, `assert` and modules, redefined helpers of the problem, threads, `atexit`, and
exceptions that end loops. The program sees neither the tests nor the values that they expect.

Not stopped by anything: a program that knows the inputs and answers them from a table, and tests
that are too weak (HumanEval/33 compares the answer with itself).
"""

from finetune.jail.backends import Backend
from finetune.jail.judging import Outcome, Verdict, judge
from finetune.jail.limits import Limits
from finetune.jail.probe import find_backend
from finetune.jail.programs import Program, program

__all__ = [
    "Backend",
    "Limits",
    "Outcome",
    "Program",
    "Verdict",
    "find_backend",
    "judge",
    "program",
]
