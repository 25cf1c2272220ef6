"""python recipes/evaluate_model.py RECIPE ...: `finetune evaluate`, with all of its options."""

import sys

from finetune.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
