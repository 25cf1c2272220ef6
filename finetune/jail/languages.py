"""How programs in other languages than Python are built, run, and made to prove that tests ended.

Their tests stand in the same process as the answer, so the proof is a weaker one: behind the last
test, code of ours reads a number from standard input and prints it beside another number that
stands in the source. Neither is known before the run, and the source is removed before the answer's
first line runs. The commonest things that an answer may put in the place of assertions and
comparisons are taken back or hidden before the tests, language by language (`*_programs.py`);
methods of the language's own classes that it redefines are not in all of them. That stops a program
that leaves early with status 0, forged output and every accident. It does not stop code written
against these very files, which could find both numbers in its own process as our code does.

Tests that would be over before they have asked, or are none to their language's own runner, are
not run and told so (`finetune.tasks.runnable`).

A shell has no /dev/fd, /dev/stdin, /dev/stdout and /dev/stderr: an answer with `< <(...)` fails.
They lead through /proc, where a program finds its own script, still open, with the mark in it.
"""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from finetune.jail import (
    cpp_programs,
    go_programs,
    java_programs,
    javascript_programs,
    rust_programs,
    script_programs,
)
from finetune.jail.cell import Job


@dataclass(frozen=True, kw_only=True)
class Language:
    """What is special about one language."""

    tools: tuple[str, ...]
    """Programs that it needs, the last one being what starts."""
    whole: Callable[[str, str, str], dict[str, str]]
    """(answer with its prompt, tests, mark) -> files by name; the mark is printed at the end."""
    steps: Callable[[Sequence[str]], list[list[str]]]
    """Paths of the tools -> commands."""
    compiled: bool = False
    unlimited_address_space: bool = False
    compile_seconds: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    """What a source may ask for that is not there: a pattern in it -> the reason it is not run."""


GO_ENVIRONMENT = {
    "GOCACHE": "/tmp/cache",
    "TMPDIR": "/tmp/answer",  # a module at the place of temporary files is ignored
    "GOPATH": "/tmp/go",
    "GO111MODULE": "on",
    "GOFLAGS": "-mod=mod",
    "GOPROXY": "off",
    "GOSUMDB": "off",
    "GOTOOLCHAIN": "local",
    "GOTELEMETRY": "off",
}

LANGUAGES: dict[str, Language] = {
    "javascript": Language(
        tools=("node",),
        whole=javascript_programs.whole,
        steps=lambda tools: [
            [tools[0], "--max-old-space-size=512", "-r", "/tmp/judge.js", "main.js"]
        ],
        unlimited_address_space=True,
    ),
    "typescript": Language(
        tools=("tsc", "node"),
        whole=javascript_programs.typescript,
        steps=lambda tools: [
            [tools[1], "--max-old-space-size=512", tools[0], "--target", "esnext", "main.ts"],
            [tools[1], "--max-old-space-size=512", "-r", "/tmp/judge.js", "main.js"],
        ],
        unlimited_address_space=True,
        compile_seconds=60,
    ),
    "cpp": Language(
        tools=("g++",),
        whole=cpp_programs.whole,
        steps=lambda tools: [[tools[0], "-std=c++17", "-o", "main", "main.cpp"], ["/tmp/main"]],
        compiled=True,
        compile_seconds=60,
        needs={"boost/": "it includes Boost", "openssl/": "it includes OpenSSL"},
    ),
    "java": Language(
        tools=("javac", "java"),
        whole=java_programs.whole,
        steps=lambda tools: [
            [
                tools[0],
                "-nowarn",
                "-encoding",
                "UTF-8",
                "-sourcepath",
                ".",
                "Main.java",
                "Judge.java",
            ],
            [tools[1], "-ea", "-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-cp", "."],
        ],
        compiled=True,
        unlimited_address_space=True,
        compile_seconds=60,
    ),
    "rust": Language(
        tools=("rustc",),
        whole=rust_programs.whole,
        steps=lambda tools: rust_programs.steps(tools[0]),
        compiled=True,
        compile_seconds=60,
        needs=rust_programs.NEEDS,
    ),
    "go": Language(
        tools=("go",),
        whole=go_programs.whole,
        steps=lambda tools: [
            [tools[0], "test", "-c", "-vet=off", "-ldflags=-s -w", "-o", "/tmp/main", "./answer"],
            ["/tmp/main"],
        ],
        compiled=True,
        unlimited_address_space=True,
        compile_seconds=120,
        environment=GO_ENVIRONMENT,
    ),
    "ruby": Language(
        tools=("ruby",),
        whole=script_programs.ruby,
        steps=lambda tools: [[tools[0], "--disable-gems", "-I", "/tmp", "main.rb"]],
    ),
    "lua": Language(
        tools=("lua",),
        whole=script_programs.lua,
        steps=lambda tools: [[tools[0], "main.lua"]],
    ),
    "r": Language(
        tools=("Rscript",),
        whole=script_programs.r,
        steps=lambda tools: [[tools[0], "--vanilla", "main.R"]],
        unlimited_address_space=True,
    ),
    "php": Language(
        tools=("php",),
        whole=script_programs.php,
        steps=lambda tools: [[tools[0], "-n", "main.php"]],
    ),
    "perl": Language(
        tools=("perl",),
        whole=script_programs.perl,
        steps=lambda tools: [[tools[0], "-I", "/tmp", "main.pl"]],
    ),
    "shell": Language(
        tools=("bash",),
        whole=script_programs.shell,
        steps=lambda tools: [[tools[0], "main.sh"]],
    ),
}


def not_run(language: str, source: str = "") -> str | None:
    """Why programs in that language are not run here; None where they are, and for Python."""
    if language == "python":
        return None
    known = LANGUAGES.get(language)
    if known is None:
        return f"{language}: there is no runner for it"
    for tool in known.tools:
        if _tool(tool) is None:
            return f"{language}: no `{tool}` below /usr, where a jail finds it"
    missing = [reason for sign, reason in known.needs.items() if re.search(sign, source)]
    return f"{language}: {missing[0]}" if missing else None


def job(language: str, source: str, tests: str, mark: str) -> Job:
    """What runs a program with its tests, which print what comes over the wire, and `mark`."""
    known = LANGUAGES[language]
    files = known.whole(source, tests, mark)
    steps = known.steps([_tool(tool) or tool for tool in known.tools])
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/tmp", **known.environment}
    if language == "go":
        # It would ask /proc where it lies.
        environment["GOROOT"] = str(Path(steps[0][0]).parent.parent)
    if language == "java":
        steps[-1].append(f"Judge_{mark}")
        # It looks for its libraries beside itself, by way of /proc.
        environment["LD_LIBRARY_PATH"] = str(Path(steps[0][0]).parent.parent / "lib")
    return Job(
        files=files,
        steps=steps,
        hidden=sorted(files) if known.compiled else (),
        environment=environment,
        # The compiler finds its libraries from where it lies itself, and asks the kernel for that.
        links={"/proc/self/exe": steps[0][0]} if language == "rust" else {},
        unlimited_address_space=known.unlimited_address_space,
        compile_seconds=known.compile_seconds,
        roomy=True,
    )


def folders_of_toolchains() -> list[str]:
    """Folders outside /usr that toolchains read."""
    found = [*sorted(Path("/etc").glob("java-*")), Path("/etc/R")]
    return [str(path) for path in found if path.is_dir()]


def _tool(name: str) -> str | None:
    """Where a jail finds the tool, links followed: /usr/bin/java leads through /etc."""
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
    return str(Path(found).resolve()) if found else None
