"""A run without faults, and what is then measured."""

import re

import pytest


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_healthy_run_has_no_fault(method, doctor):
    tune = "{method: full}" if method == "full" else "{method: lora, rank: 4, alpha: 8}"
    found = doctor(f"tune={tune}")
    assert found.message is None
    wanted = {
        *("weight files", "tokenizer", "special ids", "finite weights", "stored weights"),
        "tied head",
        *("trainable weights", "ends", "labels", "isolation", "base", "sentinels", "gradients"),
        *("learning rate", "first step"),
    }
    if method == "lora":
        wanted.add("start")
    not_ok = {name: found.findings[name] for name in wanted if found.verdict(name) != "ok"}
    assert not_ok == {}
    assert found.verdict("memory") == "note"
    assert re.search(r"at most [\d,]+ MiB resident", found.findings["memory"]["what"])
