"""python recipes/merge_adapter.py RECIPE ...: `finetune merge`, plain weights, with proof."""

import sys

from finetune.cli import main

if __name__ == "__main__":
    sys.exit(main(["merge", *sys.argv[1:]]))
