"""JavaScript answers and tests -> a file, and one that is loaded before it.

That one keeps what the tests need out of the answer's reach: `require`, which an answer may name a
function of its own, `JSON`, a `console.assert` that throws (the real one only prints), and the end.
"""

import re
from hashlib import sha256

JUDGE = """'use strict';
const fs = require('node:fs');
const assert = require('node:assert');
Object.freeze(assert);
Object.freeze(assert.strict);
const { readFileSync, writeSync } = fs;
const { parse, stringify } = JSON;
fs.unlinkSync('/tmp/judge.js');
const truthy = (value, ...message) => {
  if (!value) throw new assert.AssertionError({ message: message.join(' ') || 'assert' });
};
const own = Object.freeze({
  console: Object.freeze({ ...console, assert: truthy }),
  JSON: Object.freeze({ parse, stringify }),
  require: (name) => (/^(node:)?assert$/.test(name) ? assert : require(name)),
  first: () => ['/tmp/main.js', '/tmp/main.ts'].forEach((path) => fs.rmSync(path, { force: true })),
  end: (mark) => writeSync(1, `\\n${readFileSync(0, 'utf8').trim()} ${mark}\\n`),
});
Object.defineProperty(globalThis, 'NAME', { value: own });
"""


def _name(mark: str) -> str:
    """Of what the tests are given: none that an answer could guess."""
    return "judge_" + sha256(mark.encode()).hexdigest()[:16]


def whole(source: str, tests: str, mark: str) -> dict[str, str]:
    """Files by their paths."""
    name = _name(mark)
    body = (
        f"{name}.first();\n{source}\n{{ const {{ console, require, JSON }} = {name};\n{tests}\n"
        f"{name}.end('{mark}'); }}\n"
    )
    return {"judge.js": JUDGE.replace("NAME", name), "main.js": body}


DECLARED = re.compile(
    r"^\s*declare\s+(?:var|const|let|function)\s+(?:require|console)\b[^\n]*\n", re.M
)


def typescript(source: str, tests: str, mark: str) -> dict[str, str]:
    """The same for TypeScript: what it compiles to is `main.js`."""
    files = whole(source, DECLARED.sub("", tests), mark)
    name = _name(mark)
    text = f"declare var {name}: any;\n" + files["main.js"]
    return {"judge.js": files["judge.js"], "main.ts": text}
