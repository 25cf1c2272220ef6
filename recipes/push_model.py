"""python recipes/push_model.py RECIPE ...: `finetune push`, release/ to the recipe's Hub."""

import sys

from finetune.cli import main

if __name__ == "__main__":
    sys.exit(main(["push", *sys.argv[1:]]))
