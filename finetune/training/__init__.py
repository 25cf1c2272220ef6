"""The loop, its engines and checkpoints. `launch.py` starts it; `start.py` is one process of it."""
