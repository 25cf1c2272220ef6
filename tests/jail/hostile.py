# ruff: noqa: E501
"""Programs that try to get out, to be passed wrongly, or to bring the evaluator down.

Each defines `f`, of which the tests ask `f(2) == 4`, `f(3) == 9` and, at the end, `f(4) == 16`. Where
the answer is made of what the attack has found, it is right only if the attack worked; elsewhere it
is wrong in any case. The categories are those of SandboxEval (arXiv 2504.00018) and more.
"""

WRONG = "\ndef f(x):\n    return 0\n"
"""An answer that is wrong by itself."""


def reaching(code: str) -> str:
    """`f` is right only where `code`, the body of `found`, returns something true."""
    body = "".join(f"    {line}\n" for line in code.strip().splitlines())
    return (
        f"def found():\n{body}\n"
        "try:\n    worked = found()\n"
        "except BaseException as error:\n    print(type(error), error)\n    worked = None\n"
        "if worked:\n    print('REACHED', worked)\n"
        "def f(x):\n    return x * x if worked else 0\n"
    )


ENVIRONMENT = {
    "environment variable": "import os\nreturn os.environ.get('SECRET_OF_HOST')",
    "any token in environment": "import os\nreturn [k for k in os.environ if 'SECRET' in k]",
    "environment of process 1": "return open('/proc/1/environ').read()",
    "environment of the evaluator": "return open('/proc/@PID@/environ').read()",
    "environment in C": (
        "import ctypes\nget = ctypes.CDLL(None).getenv\nget.restype = ctypes.c_char_p\n"
        "return get(b'SECRET_OF_HOST')"
    ),
    "environment of a shell": (
        "import subprocess\nreturn 'SECRET' in subprocess.check_output(['/bin/sh', '-c', 'env'],"
        " text=True)"
    ),
    "host name": "import os\nreturn os.uname().nodename not in ('jail',)",
    "user is root": "import os\nreturn os.getuid() == 0 or os.geteuid() == 0",
    "command line of the evaluator": "return open('/proc/@PID@/cmdline').read()",
}

FILES = {
    "host's file": "return open('@CANARY@').read()",
    "host's file through posix": (
        "import posix\nfd = posix.open('@CANARY@', posix.O_RDONLY)\nreturn posix.read(fd, 100)"
    ),
    "host's file through a shell": "import os\nreturn os.popen('cat @CANARY@').read()",
    "host's file through posix_spawn": (
        "import os\npid = os.posix_spawn('/bin/cat', ['cat', '@CANARY@'], {})\n"
        "return os.waitpid(pid, 0)[1] == 0"
    ),
    "host's file through the root of process 1": "return open('/proc/1/root/etc/passwd').read()",
    "passwd": "return open('/etc/passwd').read()",
    "shadow": "return open('/etc/shadow').read()",
    "home folders": "import os\nreturn os.listdir('/root') + os.listdir('/home')",
    "list of the root": (
        "import os\nreturn set(os.listdir('/')) - {'tmp', 'usr', 'bin', 'lib', 'lib32', 'lib64',"
        " 'sbin', 'dev', 'etc', 'proc', 'sys'} or None"
    ),
    "write to the root": "open('/owned', 'w').write('x')\nreturn True",
    "write to usr": "open('/usr/owned', 'w').write('x')\nreturn True",
    "write to the interpreter": "import os\nopen(os.__file__, 'a').write('x')\nreturn True",
    "mode of the interpreter": "import os\nos.chmod(os.__file__, 0o777)\nreturn True",
    "remount root to write": (
        "import ctypes\nreturn ctypes.CDLL(None).mount(None, b'/', None, 32 | 4096, None) == 0"
    ),
    "link out": "import os\nos.symlink('@CANARY@', '/tmp/l')\nreturn open('/tmp/l').read()",
    "chroot out": "import os\nos.mkdir('/tmp/d')\nos.chroot('/tmp/d')\nreturn True",
    "devices": "import os\nos.mknod('/tmp/sda', 0o60666, os.makedev(8, 0))\nreturn True",
    "files of the program before": "import os\nreturn os.listdir('/tmp')",
    "leave files for the next": (
        "open('/tmp/left', 'w').write('x')\nimport os\nreturn len(os.listdir('/tmp')) > 1"
    ),
}

NETWORK = {
    "connect to the host": (
        "import socket\nsocket.create_connection(('127.0.0.1', @PORT@), 1)\nreturn True"
    ),
    "connect outwards": "import socket\nsocket.create_connection(('1.1.1.1', 53), 1)\nreturn True",
    "name lookup": "import socket\nreturn socket.gethostbyname('example.com')",
    "datagram": (
        "import socket\nreturn socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x',"
        " ('127.0.0.1', @PORT@))"
    ),
    "raw socket": "import socket\nreturn socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "abstract socket of the host": (
        "import socket\nsocket.socket(socket.AF_UNIX).connect('\\0@ABSTRACT@')\nreturn True"
    ),
    "socket to the hypervisor": "import socket\nreturn socket.socket(40, socket.SOCK_STREAM)",
    "netlink": "import socket\nreturn socket.socket(16, socket.SOCK_RAW, 0)",
    "serve": "import socket\nreturn socket.create_server(('127.0.0.1', 0))",
    "fetch by a tool": (
        "import subprocess\nreturn subprocess.run(['perl', '-MIO::Socket', '-e',"
        " 'exit !IO::Socket::INET->new(\"127.0.0.1:@PORT@\")']).returncode == 0"
    ),
}

PROCESSES = {
    "see others": "import os\nreturn [p for p in os.listdir('/proc') if p.isdigit()]",
    "signal the evaluator": "import os\nos.kill(@PID@, 0)\nreturn True",
    "signal its parent": "import os\nos.kill(os.getppid(), 9)\nreturn os.getppid() > 0",
    "signal its group": "import os\nos.killpg(0, 9)\nreturn False",
    "signal everything": "import os\nos.kill(-1, 9)\nreturn False",
    "trace its parent": "import ctypes\nreturn ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0",
    "memory of process 1": "return open('/proc/1/mem', 'rb')",
    "new user namespace": ("import ctypes\nreturn ctypes.CDLL(None).unshare(0x10000000) == 0"),
    "new user namespace by clone": (
        "import ctypes\nreturn ctypes.CDLL(None).syscall(56, 0x10000000 | 17, 0, 0, 0, 0) >= 0"
    ),
    "join a namespace": "import ctypes\nreturn ctypes.CDLL(None).setns(3, 0) == 0",
    "become root": "import os\nos.setuid(0)\nreturn True",
    "setuid program": (
        "import subprocess\nreturn subprocess.run(['/usr/bin/su', '-c', 'true'],"
        " stdin=-3).returncode == 0"
    ),
    "keys of the kernel": "import ctypes\nreturn ctypes.CDLL(None).syscall(250, 0, -3, 1) > 0",
    "kernel programs": "import ctypes\nreturn ctypes.CDLL(None).syscall(321, 0, 0, 0) >= 0",
    "io_uring": "import ctypes\nreturn ctypes.CDLL(None).syscall(425, 8, bytes(120)) >= 0",
    "memory outside of limits": ("import os\nfd = os.memfd_create('x')\nreturn True"),
    "raise its limits": (
        "import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (9999, 9999))\nreturn True"
    ),
    "the supervisor's socket": (
        "import os\nreturn [n for n in range(4, 64) if not os.system(f'test -e /dev/fd/{n}')]"
    ),
}

RESOURCES = {
    "endless loop": "while True:\n    pass" + WRONG,
    "endless sleep": "import time\ntime.sleep(1e6)" + WRONG,
    "endless answer": "def f(x):\n    while True:\n        pass\n",
    "fork bomb": "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
    "thread bomb": (
        "import threading, time\nwhile True:\n    try:\n        threading.Thread(target=time.sleep,"
        " args=(99,)).start()\n    except RuntimeError:\n        pass"
    ),
    "memory bomb": "x = [b'x']\nwhile True:\n    x.append(bytearray(1 << 26))" + WRONG,
    "memory of many": (
        "import os, time\nfor _ in range(6):\n    if os.fork() == 0:\n"
        "        x = bytearray(b'x') * (150 << 20)\n        time.sleep(99)\ntime.sleep(99)" + WRONG
    ),
    "huge number": "def f(x):\n    return 9 ** 9 ** 9\n",
    "huge answer": "def f(x):\n    return 'x' * (200 << 20)\n",
    "deep answer": "def f(x):\n    y = []\n    for _ in range(10**6):\n        y = [y]\n    return y\n",
    "deep recursion": "import sys\nsys.setrecursionlimit(10**9)\ndef f(x):\n    return f(x)\n",
    "output flood": "while True:\n    print('x' * 10000)",
    "error flood": "import os\nwhile True:\n    os.write(2, b'x' * 65536)",
    "disk full": (
        "n = 0\nwhile True:\n    n += 1\n    try:\n        open(f'/tmp/{n}', 'wb').write(b'x' *"
        " (7 << 20))\n    except OSError:\n        pass"
    ),
    "one big file": "f = open('/tmp/x', 'wb')\nwhile True:\n    f.write(b'x' * (1 << 20))",
    "many files": "n = 0\nwhile True:\n    n += 1\n    open(f'/tmp/{n}', 'w').close()",
    "many descriptors": "import os\nx = []\nwhile True:\n    x.append(os.dup(0))",
    "core dump": "import os\nos.abort()" + WRONG,
    "segmentation fault": "import ctypes\nctypes.string_at(0)" + WRONG,
    "ignore signals": (
        "import signal, time\nfor s in range(1, 65):\n    try:\n"
        "        signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError):\n        pass\n"
        "while True:\n    time.sleep(1)"
    ),
    "stop itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nwhile True:\n    pass",
    "orphans": (
        "import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n        os.setsid()\n"
        "        if os.fork() == 0:\n            time.sleep(3600)\n        os._exit(0)" + WRONG
    ),
    "slow regular expression": "import re\nre.match('(a+)+$', 'a' * 64 + 'b')" + WRONG,
    "null bytes": "\0" + WRONG,
    "a source of much nesting": "x = " + "(" * 5000 + ")" * 5000 + WRONG,
    "terminal escapes": (
        "print('\\x1b]0;owned\\x07\\x1b[2J\\x1b[31mred\\x9b31m\\u202egnp.exe')\n"
        "def f(x):\n    raise ValueError('\\x1b[2J\\x1b]52;c;b3duZWQ=\\x07')\n"
    ),
}
