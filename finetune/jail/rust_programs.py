"""Rust's answers and tests -> one file.

Tests stand in `main`, as MultiPL-E writes them, or in functions marked `#[test]` (HumanEvalPack);
those are called by a `main` of ours, under the name that the linker looks for, beside the empty one
of the prompt. They stand before the answer: a macro that it defines under an assertion's name is
none to them then. Names of what a signature may speak of are taken at the root, so that an answer
that has types of its own under them does not compile.
"""

import re

from finetune.jail.stand_ins import closed, stand_in

TEST = re.compile(r"#\[test\](?:\s|//[^\n]*\n|#\[[^\]]*\])*(?:pub\s+)?fn\s+(\w+)")
ATTRIBUTE = re.compile(r"#\[(?:cfg\(test\)|test)\]")
INNER = re.compile(r"(?:\s*#!\[[^\n]*\]\n)*")
MACROS = "use ::std::{assert, assert_eq, assert_ne, format, panic, println, vec, matches};\n"
TAKEN = (
    "use ::std::primitive::{bool, char, str, u8, u16, u32, u64, u128, usize};\n"
    "use ::std::primitive::{i8, i16, i32, i64, i128, isize, f32, f64};\n"
    "use ::std::{boxed::Box, option::Option, result::Result, string::String, vec::Vec};\n"
    "use ::std::{option::Option::{None, Some}, result::Result::{Err, Ok}};\n"
)
EPILOGUE = (
    "{ let mut t_ = ::std::string::String::new(); "
    "::std::io::Read::read_to_string(&mut ::std::io::stdin(), &mut t_).unwrap(); "
    '::std::println!("\\n{} MARK", t_.trim()); }\n'
)
OWN_MAIN = (
    '#[no_mangle] pub extern "C" fn main(_: i32, _: *const *const u8) -> i32 {\n'
    "CALLS\nEPILOGUE 0 }\n"
)
CRATES = ("rand", "regex", "md5")
NEEDS = {
    r"\bRegex::|\bregex::(?!Regex;)": "it uses the crate regex, which no compiler brings",
    r"\brand::(?!Rng\b|thread_rng\b|random\b)": "it uses more of rand than stands in here",
    r"\bmd5::(?!compute\b)": "it uses more of md5 than stands in here",
}


def whole(source: str, tests: str, mark: str) -> dict[str, str]:
    """Files by their paths."""
    source, tests = closed(source, tests)
    functions = TEST.findall(tests)
    epilogue = EPILOGUE.replace("MARK", mark)
    if len(functions) != tests.count("#[test]"):
        tests += '\n::std::compile_error!("a test was not found, and would not be called");\n'
    if functions:
        calls = " ".join(f"{name}();" for name in functions)
        epilogue = OWN_MAIN.replace("CALLS", calls).replace("EPILOGUE", epilogue)
        tests = ATTRIBUTE.sub("", tests).replace("use super::*;", f"use super::*;\n{MACROS}", 1)
    head, brace, rest = tests.rpartition("}")
    inner = INNER.match(source)
    assert inner is not None
    attributes = ("#![no_main]\n" if functions else "") + inner.group()
    body = head + epilogue + brace + rest
    return {
        "main.rs": f"{attributes}\n{MACROS}{TAKEN}\n{body}\n{source[inner.end() :]}\n",
        "crates.rs": stand_in("crates.rs"),
    }


def steps(rustc: str) -> list[list[str]]:
    """One crate stands in for all that benchmarks name; the binary itself comes last."""
    common = [rustc, "--edition=2021", "--cap-lints=allow"]
    named = [part for name in CRATES for part in ("--extern", f"{name}=libcrates.rlib")]
    return [
        [*common, "--crate-type=rlib", "--crate-name=crates", "crates.rs"],
        [*common, *named, "-o", "main", "main.rs"],
        ["/tmp/main"],
    ]
