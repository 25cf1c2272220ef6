"""Answers and tests in interpreted languages -> files, with stand-ins for their test libraries.

What the tests compare with is taken before the answer can change it, and is given to them behind
the answer. The first thing that a program does is to remove its own source, in which the mark is.
"""

import re

from finetune.jail.stand_ins import closed, stand_in

RUBY_EPILOGUE = (
    "Test::Unit.all_run? or raise 'a test has failed, or none was run'\n"
    'JUDGE_OUT_MARK.syswrite("\\n#{JUDGE_IN_MARK.read.strip} MARK\\n")\n'
)
R_PROLOGUE = """invisible(file.remove("main.R"))
local({
  plain <- function(x) !is.object(x) && (!is.list(x) || all(vapply(x, plain, NA)))
  own <- list(
    all.equal = function(target, current, ...)
      if (plain(target)) base::all.equal(target, current, ...) else "not plain",
    identical = base::identical, isTRUE = base::isTRUE, stopifnot = base::stopifnot
  )
  parent <- new.env(parent = baseenv())
  assign("plain", plain, envir = parent)
  environment(own$all.equal) <- parent
  for (name in names(own)) {
    assign(name, own[[name]], envir = globalenv())
    lockBinding(name, globalenv())
  }
})
"""
R_EPILOGUE = (
    'base::local({ number <- base::readLines(base::file("stdin"), n = 1, warn = FALSE); '
    'base::cat("\\n", number, " MARK\\n", sep = "") })\n'
)


def ruby(source: str, tests: str, mark: str) -> dict[str, str]:
    """The library's own file is replaced; it is loaded before the answer, and frozen."""
    before = (
        "File.unlink('main.rb')\nrequire 'test/unit'\n"
        f"JUDGE_IN_{mark} = $stdin\nJUDGE_OUT_{mark} = $stdout\n"
    )
    return {
        "test/unit.rb": stand_in("unit.rb"),
        "main.rb": f"{before}{source}\n{tests}\n{RUBY_EPILOGUE.replace('MARK', mark)}",
    }


def lua(source: str, tests: str, mark: str) -> dict[str, str]:
    """The library is found behind the answer alone, and proves itself that the tests ended."""
    before = (
        "os.remove('/tmp/main.lua')\n"
        f"local lu_{mark}, req_{mark} = dofile('/tmp/unit.lua'), require\n"
    )
    between = (
        f"lu_{mark}()\n"
        f"local require = function(n) if n == 'luaunit' then return lu_{mark}('{mark}') end "
        f"return req_{mark}(n) end\n"
    )
    return {
        "unit.lua": stand_in("luaunit.lua"),
        "main.lua": f"{before}{source}\n{between}{tests}\n",
    }


def r(source: str, tests: str, mark: str) -> dict[str, str]:
    """What the tests call cannot be assigned to."""
    return {"main.R": f"{R_PROLOGUE}{source}\n{tests}\n{R_EPILOGUE.replace('MARK', mark)}"}


PERL_BETWEEN = (
    "BEGIN { delete $CORE::GLOBAL::{exit}; delete $main::{exit}; delete $main::{eq_deeply}; }\n"
    "{ no warnings; *main::eq_deeply = $main::judge_MARK; *Test::Deep::eq_deeply = "
    "$main::judge_MARK; }\n"
)
PERL_EPILOGUE = '{ my $t_ = <STDIN>; chomp($t_); CORE::print "\\n$t_ MARK\\n"; }\n'


def perl(source: str, tests: str, mark: str) -> dict[str, str]:
    """An answer's own `exit` and comparison are taken back before the tests are compiled."""
    before = (
        "BEGIN { unlink '/tmp/main.pl'; require Test::Deep; "
        f"$main::judge_{mark} = \\&Test::Deep::eq_deeply; }}\n"
    )
    between = PERL_BETWEEN.replace("MARK", mark)
    return {
        "Test/Deep.pm": stand_in("Deep.pm"),
        "main.pl": f"{before}{source}\n{between}{tests}\n{PERL_EPILOGUE.replace('MARK', mark)}",
    }


SHELL_WORDS = "set unset trap exit read printf builtin unalias shopt command enable"
SHELL_LEAVE = "t_=${BASH_VERSINFO[9]?taken}"
"""An expansion that fails ends the shell, and no function, alias or variable changes this one."""
SHELL_BETWEEN = (
    "POSIXLY_CORRECT=1\n"  # by which the shell's own commands come before functions
    "t_=${SHELLOPTS##*posix*}\n"
    "t_=${t_:+${BASH_VERSINFO[9]?taken}}\n"
    # What is assigned before a command stays then, if that is the shell's own and not disabled.
    "t_=\nt_=1 \\trap - DEBUG ERR EXIT RETURN\nt_=${t_:?taken}\n"
    f"t_=\nt_=1 \\unset -f {SHELL_WORDS} || {SHELL_LEAVE}\nt_=${{t_:?taken}}\n"
    f"( \\unset -f unset FUNCTIONS ) || {SHELL_LEAVE}\n"  # one that cannot be removed would stay
    f"\\enable {SHELL_WORDS} || {SHELL_LEAVE}\n"
    "\\unalias -a\n"
    "\\unset POSIXLY_CORRECT t_\n"
    "\\shopt -u inherit_errexit\n"  # which that mode leaves behind
)
SHELL_FUNCTION = re.compile(r"^[ \t]*(?:function[ \t]+(\w+)|(\w+)[ \t]*\([ \t]*\))", re.M)
SHELL_EPILOGUE = "IFS= \\read -r t_; \\builtin printf '\\n%s MARK\\n' \"$t_\"\n"


def shell(source: str, tests: str, mark: str) -> dict[str, str]:
    """Functions, aliases and traps that an answer has put in the place of commands are removed, and
    its own of those that the tests define must be such as can be replaced."""
    source, tests = closed(source, tests)
    functions = {name for names in SHELL_FUNCTION.findall(tests) for name in names if name}
    between = SHELL_BETWEEN.replace("FUNCTIONS", " ".join(sorted(functions)))
    epilogue = SHELL_EPILOGUE.replace("MARK", mark)
    return {"main.sh": f"rm /tmp/main.sh\n{source}\n{between}{tests}\n{epilogue}"}


PHP_BLANK = r"(?:\s|(?://|#(?!\[))(?:(?!\?>)[^\r\n])*\r?\n|/\*.*?\*/)*"
PHP_FIRST = re.compile(
    rf"(?:#![^\n]*\n)?<\?php\s{PHP_BLANK}(?:declare\s*\(\s*strict_types\s*=\s*[01]\s*\)\s*;{PHP_BLANK})?"
    rf"(?:namespace\s+[\w\\]+\s*;)?",
    re.S | re.I,
)
"""What must be a file's beginning: no code that runs is in it, and PHP is not left in a comment."""
PHP_UNLINK = "\\unlink(__FILE__);"


def php(source: str, tests: str, mark: str) -> dict[str, str]:
    """Comparison is by `!==`, which nothing can replace. What PHP wants as a file's first statement
    stays the first."""
    source = re.sub(r"\?>\s*\Z", "", source)  # the tests are code as well
    epilogue = f'echo "\\n" . \\trim(\\fgets(\\STDIN)) . " {mark}\\n";'
    if first := PHP_FIRST.match(source):
        source = f"{first[0]} {PHP_UNLINK} {source[first.end() :]}"
    else:
        source = f"<?php {PHP_UNLINK} ?>\n{source}"
    return {"main.php": f"{source}\n{tests}\n{epilogue}\n"}
