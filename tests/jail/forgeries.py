# ruff: noqa: E501
"""Programs that answer wrongly and try to be passed all the same. See `hostile.py`."""

from tests.jail.hostile import WRONG

EQUAL = (
    "class Equal:\n"
    "    def __eq__(self, other):\n        return True\n"
    "    def __ne__(self, other):\n        return False\n"
    "    __lt__ = __le__ = __gt__ = __ge__ = __eq__\n"
    "    def __bool__(self):\n        return True\n"
    "    def __hash__(self):\n        return 4\n"
)

FORGED = {
    "leave at once": "import os\nos._exit(0)",
    "leave politely": "import sys\nsys.exit(0)",
    "leave when asked": "import os\ndef f(x):\n    os._exit(0)\n",
    "leave politely when asked": "def f(x):\n    raise SystemExit(0)\n",
    "leave by interrupt": "def f(x):\n    raise KeyboardInterrupt\n",
    "end every loop": "def f(x):\n    raise StopIteration\n",
    "leave at the end": "import atexit, os\natexit.register(lambda: os._exit(0))" + WRONG,
    "leave by a thread": (
        "import os, threading\nthreading.Timer(0.05, lambda: os._exit(0)).start()\n"
        "import time\ndef f(x):\n    time.sleep(1)\n"
    ),
    "become another program": "import os\ndef f(x):\n    os.execv('/bin/true', ['true'])\n",
    "print what passes": "print('passed')\nprint('OK')\nprint('{\"passed\": true}')" + WRONG,
    "equal to everything": EQUAL + "def f(x):\n    return Equal()\n",
    "number equal to everything": (
        EQUAL + "class Number(Equal, int):\n    pass\ndef f(x):\n    return Number(0)\n"
    ),
    "list equal to everything": (
        EQUAL + "class List(Equal, list):\n    pass\ndef f(x):\n    return List()\n"
    ),
    "equal by its kind": (
        EQUAL + "class Kind(type):\n    __eq__ = Equal.__eq__\n    __hash__ = Equal.__hash__\n"
        "class K(metaclass=Kind):\n    pass\ndef f(x):\n    return K\n"
    ),
    "equal through numpy's name": (
        EQUAL
        + "import sys, types\nm = types.ModuleType('numpy')\nm.allclose = lambda *a, **k: True\n"
        "sys.modules['numpy'] = m\nnumpy = np = m\ndef f(x):\n    return Equal()\n"
    ),
    "walk frames": (
        "import sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n"
        "        for name, value in list(frame.f_globals.items()) + list(frame.f_locals.items()):\n"
        "            if isinstance(value, list):\n                value.append('passed')\n"
        "            if isinstance(value, dict) and 'passed' in value:\n"
        "                value['passed'] = True\n        frame = frame.f_back\n    return 0\n"
    ),
    "hunt for objects": (
        "import gc\nfor thing in gc.get_objects():\n    if isinstance(thing, dict):\n"
        "        for key in list(thing):\n            if key in ('passed', 'result', 'ok'):\n"
        "                thing[key] = True" + WRONG
    ),
    "patch builtins": (
        "import builtins\nbuiltins.AssertionError = type('Quiet', (Exception,), {})\n"
        "builtins.compile = builtins.exec = lambda *a, **k: None\nbuiltins.len = lambda x: 4"
        + WRONG
    ),
    "patch comparison": (
        "import operator, unittest\noperator.eq = lambda a, b: True\n"
        "unittest.TestCase.assertEqual = lambda *a: None" + WRONG
    ),
    "patch its companion": (
        "import sys\nfor name, module in list(sys.modules.items()):\n    if 'agent' in name or"
        " 'wire' in name:\n        for key in list(vars(module)):\n"
        "            if callable(vars(module)[key]):\n"
        "                setattr(module, key, lambda *a, **k: b'VT')" + WRONG
    ),
    "answer before being asked": (
        "import os\nframe = b'VTN'\nos.write(3, (len(frame).to_bytes(4, 'big') + frame) * 50)"
        + WRONG
    ),
    "say that it has passed": (
        "import os\nfor fd in range(1, 64):\n    for text in (b'passed', b'{\"passed\": true}'):\n"
        "        try:\n            os.write(fd, len(text).to_bytes(4, 'big') + text)\n"
        "        except OSError:\n            pass" + WRONG
    ),
    "a message without an end": "import os\nos.write(3, b'\\xff\\xff\\xff\\xff' + b'x' * 100)"
    + WRONG,
    "a message that makes objects": (
        "import os\nbody = b'VO6:system' + b't1;s4;true'\n"
        "os.write(3, len(body).to_bytes(4, 'big') + body)" + WRONG
    ),
    "an answer of its own types": (
        "import collections\ndef f(x):\n    return collections.UserString('4')\n"
    ),
    "other tests": (
        "def check(candidate):\n    pass\ndef assertion(*a):\n    pass\ncandidate = f = lambda x: 0\n"
    ),
    "other helpers": "def helper(value):\n    return 4\nclass int:\n    pass" + WRONG,
    "find the tests": (
        "import glob, inspect, sys\ntexts = [open(p).read() for p in glob.glob('/tmp/**')]\n"
        "for frame, *_ in inspect.stack():\n    texts += [str(v) for v in frame.f_locals.values()]\n"
        "known = any('f(4)' + ' == 16' in t for t in texts)\ndef f(x):\n    return x * x if known else 0\n"
    ),
    "find the tests in memory": (
        "import gc\nknown = any('f(4)' + ' == 16' in x for x in gc.get_objects()"
        " if isinstance(x, str))\ndef f(x):\n    return x * x if known else 0\n"
    ),
    "a nonce from random numbers": (
        "import random, secrets, os\nrandom.seed(0)\nsecrets.token_hex = lambda *a: '0'\n"
        "os.urandom = lambda n: bytes(n)" + WRONG
    ),
    "a trace function": (
        "import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)\n"
        "sys.excepthook = lambda *a: None" + WRONG
    ),
    "raise what tests catch": "def f(x):\n    raise AssertionError\n",
    "an error that cannot be told": (
        "class Bad(Exception):\n    def __str__(self):\n        raise self\ndef f(x):\n    raise Bad\n"
    ),
    "an error of a group": "def f(x):\n    raise BaseExceptionGroup('x', [SystemExit(0)])\n",
    "truth that changes": (
        "class Coin:\n    n = 0\n    def __bool__(self):\n        Coin.n += 1\n        return Coin.n % 2 == 1\n"
        "def f(x):\n    return Coin()\n"
    ),
    "change the arguments": "def f(x):\n    x = 4\n    return None\n",
    "recover its wire": (
        "import os\nos.close(3)\na, b = os.pipe()\nos.dup2(a, 3)\nos.write(b, b'\\0\\0\\0\\3VTN')"
        + WRONG
    ),
    "two processes answer": "import os\nos.fork()" + WRONG,
}
