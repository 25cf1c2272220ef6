"""accelerate launch --config_file deepspeed_configs/ENGINE.yaml recipes/train.py RECIPE"""

import sys

from finetune.training.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
