"""C++ answers and tests -> one file.

Tests stand in a namespace of their own, where an answer's operators for the library's types are
hidden, behind lines that take back its macros, with an `assert` that no other definition reaches.
"""

import re

from finetune.jail.stand_ins import closed

BEFORE = "#include <cassert>\n#include <cstdio>\n#include <unistd.h>\n"
WORDS = (
    "NDEBUG assert auto bool break candidate char const continue do double dprintf else false "
    "fflush float for if int long main namespace read return short signed static std stderr string "
    "struct true unsigned using vector void while"
).split()
"""What tests are written with, and an answer has no reason to define as a macro."""
FAIL = (
    "static void fail_MARK(const char *what) {\n"
    '    ::dprintf(2, "assertion failed: %s\\n", what);\n    __builtin_trap();\n}\n'
    "#define assert(...) ((__VA_ARGS__) ? void(0) : fail_MARK(#__VA_ARGS__))\n"
)
ROOM = (
    "namespace room_MARK {\nstruct Hidden {};\n"
    "bool operator==(Hidden, Hidden);\nbool operator!=(Hidden, Hidden);\n"
)
EPILOGUE = (
    "{ char b_[99]; long n_ = ::read(0, b_, 98); if (n_ > 0) { b_[n_] = 0; ::fflush(stdout); "
    '::dprintf(1, "\\n%s MARK\\n", b_); } }\n'
)
MAIN = re.compile(r"\bint\s+main\s*\(\s*(?:void)?\s*\)")
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*\n?", re.M)


def whole(source: str, tests: str, mark: str) -> dict[str, str]:
    """Files by their paths."""
    source, tests = closed(source, tests)
    directives = "".join(one.rstrip("\n") + "\n" for one in DIRECTIVE.findall(tests))
    undone = "".join(f"#undef {word}\n" for word in WORDS)
    own = f"{undone}{directives}#undef assert\n{FAIL}"
    head, brace, rest = DIRECTIVE.sub("", tests).rpartition("}")
    if MAIN.search(tests):
        body = f"{ROOM}{head}\nreturn 0; {brace}{rest}\n}}\n"
        body += f"int main() {{ if (room_MARK::main() != 0) return 1;\n{EPILOGUE}}}\n"
    else:
        body = head + EPILOGUE + brace + rest
    return {"main.cpp": f"{BEFORE}{source}\n{(own + body).replace('MARK', mark)}\n"}
