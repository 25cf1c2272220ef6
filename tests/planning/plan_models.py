"""Small models of both families, and blocks for them: what the yardstick of the benchmark makes."""

from benchmarks.plan_memory_saved import (
    gpt_bigcode,
    packed_blocks,
    saved_bytes,
    starcoder2,
)

__all__ = ["packed_blocks", "saved_bytes", "small_gpt_bigcode", "small_starcoder2"]


def small_gpt_bigcode(layers=3, width=64, heads=4):
    """Of a vocabulary of 97 and up to 512 positions."""
    return gpt_bigcode(layers, width, heads)


def small_starcoder2(layers=3, width=64, heads=4, kv_heads=2):
    """The same with groups of heads and rotary positions."""
    return starcoder2(layers, width, heads, kv_heads)
