"""The `finetune` command whose waits are noted in a file instead of slept through."""

import os
import sys
import time
from pathlib import Path


def main():
    waits = Path(os.environ["WAITS_FILE"])
    sleep = time.sleep

    def note(seconds):
        with waits.open("a") as file:
            file.write(f"{seconds}\n")
        sleep(min(seconds, 0.001))

    time.sleep = note
    from finetune.cli import main as finetune

    sys.exit(finetune(sys.argv[1:]))


if __name__ == "__main__":
    main()
