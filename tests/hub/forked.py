"""The `finetune` command many times over: imported once, then each run in a fork of its own.

A line of JSON on standard input is one run: {"folder", "arguments", "out", "err", "waits"}. Its
exit code is a line on standard output.
"""

import json
import os
import sys
import traceback
from pathlib import Path

from tests.hub.impatient import note_waits


def run(job):
    """In the child: everything that a new process would have of its own."""
    os.chdir(job["folder"])
    for name, descriptor in (("out", 1), ("err", 2)):
        file = os.open(job[name], os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        os.dup2(file, descriptor)
    note_waits(Path(job["waits"]))
    from finetune.cli import main

    try:
        code = main(job["arguments"])
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def serve():
    """Until standard input ends."""
    import finetune.publishing.hub
    import finetune.stages  # noqa: F401 -- imported once for all

    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


if __name__ == "__main__":
    serve()
