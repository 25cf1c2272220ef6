"""Rust answers pass where the tests that Rust itself would run pass, whatever is around them."""

import pytest

from tests.jail.conftest import verdict_on

ANSWER = 'fn f(x: i32) -> i32 { assert!(x > -2, "too [small]"); x * x }\n'
WRONG = "fn f(x: i32) -> i32 { 0 }\n"
MODULE = "#[cfg(test)]\nmod tests {\n use super::*;\nBODY\n}\n"
MAIN = "fn main() { assert_eq!(f(2), 4); }\n"


def verdict(backend, source, tests):
    return verdict_on(backend, "rust", source, tests)


@pytest.mark.parametrize(
    "body",
    [
        "// #[test]\n// fn old() {}\n#[test]\nfn a() { assert_eq!(f(2), 4); }",
        "/* /* #[test] */ #[test] fn old() {} */ #[test]\nfn a() { assert_eq!(f(2), 4); }",
        '/// Of #[test].\n#[test]\nfn a() { assert_eq!(f(2), 4, "#[test] fn b()"); }',
        "#[ test ]\n#[allow(unused)]\nfn a() { assert_eq!(f(2), 4); }",
        "#[test] pub(crate) fn a() { assert_eq!(f(2), 4); }",
        "#[test] /* c */ fn a() { assert_eq!(f(2), 4); }",
        "#[test] fn a() {}\nmod b { use super::*; #[test] fn a() { assert_eq!(f(2), 4); } }",
        "#[test] fn a() { assert_eq!(f(2), 4); }\n#[test] #[ignore] fn b() { panic!(); }",
        "#[test] fn a() { assert_eq!(f(2), 4); }\n#[test] #[should_panic] fn b() { f(-2); }",
        '#[test]\n#[should_panic(expected = "too [small]")]\nfn b() { f(-2); }',
        '#[test] fn a() -> Result<(), String> { if f(2) == 4 { Ok(()) } else { Err("".into()) } }',
    ],
)
def test_what_rust_runs_decides(backend, body):
    tests = MODULE.replace("BODY", body)
    assert verdict(backend, ANSWER, tests).outcome == "passed"
    assert verdict(backend, WRONG, tests).outcome == "failed"


def test_a_panic_with_other_words_than_expected_is_a_failure(backend):
    tests = MODULE.replace(
        "BODY", '#[test]\n#[should_panic(expected = "small")]\nfn b() { f(-2); }'
    )
    assert verdict(backend, ANSWER.replace("small", "low"), tests).outcome == "failed"


@pytest.mark.parametrize("result", [4, 5])
def test_a_main_that_returns_an_error_is_a_failure(backend, result):
    main = f'fn main() -> Result<(), String> {{ if f(2) != {result} {{ Err("".into()) }}'
    outcome = verdict(backend, ANSWER, main + " else { Ok(()) } }\n").outcome
    assert outcome == ("passed" if result == 4 else "failed")


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        (MODULE.replace("BODY", "#[test] async fn a() {}"), "mark something with `#[test]` that"),
        ("fn check() { assert_eq!(f(2), 4); }\n", "have no function that is marked `#[test]` and"),
    ],
)
def test_tests_that_would_fail_every_answer_are_not_run_with_a_reason(backend, tests, reason):
    found = verdict(backend, ANSWER, tests)
    assert (found.outcome, found.reason.partition(reason)[0]) == ("broken", "not run: its tests ")


@pytest.mark.parametrize(
    "own",
    [
        "use std::f64; use std::i32; use std::str; use std::char; use std::vec;",
        "use std::string::String; use std::result::Result;",
        "use std::option::Option::{Some, None};",
        "use std::io::Result;",
        "type Result<T> = std::result::Result<T, String>;",
        "enum Tok { None, Num(i32) }\nuse Tok::*;\nfn g() -> Tok { None }",
    ],
)
def test_names_of_the_library_are_the_answer_s_to_import(backend, own):
    assert verdict(backend, f"{own}\n{ANSWER}", MAIN).outcome == "passed"


@pytest.mark.parametrize(
    ("own", "signature"),
    [
        ("struct i32;", "i32"),
        ("struct Vec<T>(T);", "Vec<i32>"),
        ("enum Option<T> { None, Some(T) }", "Option<i32>"),
        ("enum Result<T, E> { Ok(T), Err(E) }", "Result<i32, i32>"),
        ("struct Result<T, E>(T, E);", "Result<i32, i32>"),
        ("mod m { pub struct String; }\nuse m::*;", "String"),
    ],
)
def test_a_type_of_a_signature_is_the_library_s(backend, own, signature):
    """Else it could equal whatever it is compared with."""
    source = f"{own}\nfn f(x: usize) -> {signature} {{ loop {{}} }}\n"
    found = verdict(backend, source, "fn main() {}\n")
    assert "mismatched types" in found.output or "no associated item" in found.output
