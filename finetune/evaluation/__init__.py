"""Base and tuned side by side, on held-out code only: losses, infilling, and the gate."""
