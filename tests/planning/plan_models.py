"""Small models of both families, and blocks for them: what the yardstick of the benchmark makes."""

from benchmarks.plan_memory_saved import (
    Peak,
    gpt_bigcode,
    packed_blocks,
    peak_bytes,
    saved_bytes,
    starcoder2,
)

__all__ = [
    "Peak",
    "packed_blocks",
    "peak_bytes",
    "saved_bytes",
    "small_gpt_bigcode",
    "small_starcoder2",
]


def small_gpt_bigcode(layers=3, width=64, heads=4, vocabulary=97):
    """Of up to 512 positions."""
    return gpt_bigcode(layers, width, heads, vocabulary=vocabulary)


def small_starcoder2(layers=3, width=64, heads=4, kv_heads=2):
    """The same with groups of heads and rotary positions."""
    return starcoder2(layers, width, heads, kv_heads)
