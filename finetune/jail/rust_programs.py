"""Rust's answers and tests -> one file.

Tests stand in `main`, as MultiPL-E writes them, or in functions marked `#[test]` (HumanEvalPack);
those are called by a `main` of ours, under the name that the linker looks for, beside the empty one
of the prompt. They stand in modules of their own, where the library's names come before those of
the answer, and before the answer: a macro that it defines under an assertion's name is none to them
then. What the answer calls by the name of a type that signatures speak of must be that type, or the
file does not compile: one of its own could equal everything.
"""

import re

from finetune.jail.stand_ins import closed, stand_in
from finetune.tasks.runnable import RustTest, rust_tests

INNER = re.compile(r"(?:\s*(?:#!\[(?:[^\[\]]|\[[^\[\]]*\])*\]|//[^\n]*\n))*")
"""What Rust wants first in a file, and comments beside it."""
HELPERS = """mod judge_ {
    pub fn succeeds<T: ::std::process::Termination>(test: fn() -> T) {
        let code = ::std::process::Termination::report(test());
        let success = ::std::process::ExitCode::SUCCESS;
        ::std::assert_eq!(::std::format!("{:?}", code), ::std::format!("{:?}", success));
    }
    pub fn panics<T>(test: fn() -> T, words: &str) {
        let said = match ::std::panic::catch_unwind(test) {
            Ok(_) => ::std::panic!("a test did not panic"),
            Err(said) => said,
        };
        let text = said.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| said.downcast_ref::<&str>().copied()).unwrap_or("");
        ::std::assert!(text.contains(words), "a test panicked with other words");
    }
}
"""
"""Apart from the answer, whose traits could have methods of these names."""
NUMBERS = "u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64".split()
PLAIN = "".join(f"    fn {one}_(x: {one}) -> ::std::primitive::{one} {{ x }}\n" for one in NUMBERS)
SAME = f"""mod same_ {{
    use super::*;
{PLAIN}    fn bool_(x: bool) -> ::std::primitive::bool {{ x }}
    fn char_(x: char) -> ::std::primitive::char {{ x }}
    fn str_(x: &str) -> &::std::primitive::str {{ x }}
    fn string_(x: String) -> ::std::string::String {{ x }}
    fn vec_<T>(x: Vec<T>) -> ::std::vec::Vec<T> {{ x }}
    fn box_<T>(x: Box<T>) -> ::std::boxed::Box<T> {{ x }}
    fn option_<T>(x: Option<T>) -> ::std::option::Option<T> {{ x }}
    fn result_(x: bool) {{
        let _: ::std::result::Result<_, _> =
            if x {{ Result::Ok(loop {{}}) }} else {{ Result::Err(loop {{}}) }};
    }}
}}
"""
"""Compiles where these names mean what they always do. That of `Result` may be one with fewer
parameters (`type Result<T> = ...`), and a module of a type's name (`use std::f64;`) hides none."""
JUDGED = """mod judged_ {
    use super::*;
    use ::std::{assert, assert_eq, assert_ne, format, panic, println, vec, matches};
    use ::std::{boxed::Box, option::Option, result::Result, string::String, vec::Vec};
    use ::std::{option::Option::{None, Some}, result::Result::{Err, Ok}};
    pub mod tests_ {
use super::*;
TESTS
    }
}
"""
"""Explicit names come before those of a glob, so tests may bring names of their own again."""
EPILOGUE = (
    "{ let mut t_ = ::std::string::String::new(); "
    "::std::io::Read::read_to_string(&mut ::std::io::stdin(), &mut t_).unwrap(); "
    '::std::println!("\\n{} MARK", t_.trim()); }\n'
)
MAIN = "fn main() {\nCALLS\nEPILOGUE}\n"
LINKED_MAIN = (
    'mod start_ { #[no_mangle] pub extern "C" fn main(_: i32, _: *const *const u8) -> i32 {\n'
    "CALLS\nEPILOGUE 0 } }\n"
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
    found = rust_tests(tests)
    calls = " ".join(_call(one) for one in found.marked or [RustTest(path="main")])
    main = LINKED_MAIN if found.marked else MAIN
    main = main.replace("CALLS", calls).replace("EPILOGUE", EPILOGUE.replace("MARK", mark))
    inner = INNER.match(source)
    assert inner is not None
    attributes = ("#![no_main]\n" if found.marked else "") + inner.group()
    judged = JUDGED.replace("TESTS", found.text)
    return {
        "main.rs": f"{attributes}\n{HELPERS}{SAME}{judged}{main}\n{source[inner.end() :]}\n",
        "crates.rs": stand_in("crates.rs"),
    }


def _call(test: RustTest) -> str:
    path = f"crate::judged_::tests_::{test.path}"
    if test.panics:
        return f"crate::judge_::panics({path}, {test.words});"
    return f"crate::judge_::succeeds({path});"


def steps(rustc: str) -> list[list[str]]:
    """One crate stands in for all that benchmarks name; the binary itself comes last."""
    common = [rustc, "--edition=2021", "--cap-lints=allow"]
    named = [part for name in CRATES for part in ("--extern", f"{name}=libcrates.rlib")]
    return [
        [*common, "--crate-type=rlib", "--crate-name=crates", "crates.rs"],
        [*common, *named, "-o", "main", "main.rs"],
        ["/tmp/main"],
    ]
