"""The filter names the calls that it means, and is well formed."""

import re
import struct
from pathlib import Path

import pytest

from finetune.errors import Refused
from finetune.jail.filters import DENIED, SPECIAL, seccomp_filter

HEADERS = {
    "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "aarch64": "/usr/include/asm-generic/unistd.h",
}


@pytest.mark.parametrize("machine", HEADERS)
def test_numbers_are_those_of_the_kernels_headers(machine):
    header = Path(HEADERS[machine])
    if not header.is_file():
        pytest.skip(f"no {header}: the kernel's headers are not installed")
    numbers = {
        name: int(number)
        for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())
    }
    column = list(HEADERS).index(machine)
    ours = {name: own[column] for name, own in DENIED.items()} | SPECIAL[machine]
    assert len(ours) > 60
    assert {name: numbers.get(name) for name in ours} == ours


@pytest.mark.parametrize("machine", HEADERS)
def test_every_jump_lands_on_an_instruction_and_every_path_ends(machine):
    program = list(struct.iter_unpack("=HBBI", seccomp_filter(machine)))
    assert program[-1] == (0x06, 0, 0, 0x7FFF0000)
    for place, (code, when_true, when_false, _) in enumerate(program[:-1]):
        if code & 0x07 == 0x05:
            assert place + 1 + max(when_true, when_false) < len(program)


def test_a_machine_that_is_not_known_is_refused():
    with pytest.raises(Refused, match="riscv64"):
        seccomp_filter("riscv64")
