"""JavaScript answers and tests -> a file, and one that is loaded before it.

That one keeps what the tests need out of the answer's reach: `require`, which an answer may name a
function of its own, a `console.assert` that throws (the real one only prints), and the end.
"""

from hashlib import sha256

JUDGE = """'use strict';
const fs = require('node:fs');
const assert = require('node:assert');
Object.freeze(assert);
Object.freeze(assert.strict);
const { readFileSync, writeSync } = fs;
fs.unlinkSync('/tmp/judge.js');
const truthy = (value, ...message) => {
  if (!value) throw new assert.AssertionError({ message: message.join(' ') || 'assert' });
};
const own = Object.freeze({
  console: Object.freeze({ ...console, assert: truthy }),
  require: (name) => (/^(node:)?assert$/.test(name) ? assert : require(name)),
  first: () => fs.unlinkSync('/tmp/main.js'),
  end: (mark) => writeSync(1, `\\n${readFileSync(0, 'utf8').trim()} ${mark}\\n`),
});
Object.defineProperty(globalThis, 'NAME', { value: own });
"""


def whole(source: str, tests: str, mark: str) -> dict[str, str]:
    """Files by their paths."""
    name = "judge_" + sha256(mark.encode()).hexdigest()[:16]
    body = (
        f"{name}.first();\n{source}\n{{ const {{ console, require }} = {name};\n{tests}\n"
        f"{name}.end('{mark}'); }}\n"
    )
    return {"judge.js": JUDGE.replace("NAME", name), "main.js": body}
