"""Running sagactl: on pipes, on a terminal, with a home of its own."""
import os
import pty
import select
import subprocess
import tempfile
import time
import unittest

from fake_sagad import FakeSagad

HERE = os.path.dirname(os.path.abspath(__file__))
SAGACTL = os.path.join(os.environ.get("SAGA_BUILD") or os.path.join(HERE, "../../build/debug"), "sagactl")
DEMO = os.path.join(HERE, "../../participants/demo")
ID = "00000000-0000-7000-8000-000000000001"
ID2 = "00000000-0000-7000-8000-000000000002"


class Ran:
    def __init__(self, code, out, err):
        self.code, self.bytes, self.out, self.err = code, out, out.decode(), err.decode()
        self.lines = self.out.splitlines()

    def __repr__(self):
        return f"exit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


class SagactlTest(unittest.TestCase):
    def setUp(self):
        self.fake = FakeSagad()
        self.addCleanup(self.fake.close)
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.home = home.name
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.home, "SAGACTL_URL": self.fake.url,
                            "LC_ALL": "C.UTF-8", "TERM": "xterm"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def begin(self, *arguments, **environment):
        merged = {k: v for k, v in {**self.environment, **environment}.items() if v is not None}
        process = subprocess.Popen([SAGACTL, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=merged)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def run_it(self, *arguments, stdin=b"", deadline=60, **environment):
        process = self.begin(*arguments, **environment)
        out, err = process.communicate(stdin, timeout=deadline)
        return Ran(process.returncode, out, err)

    def ok(self, *arguments, **more):
        ran = self.run_it(*arguments, **more)
        self.assertEqual(ran.code, 0, ran)
        return ran

    def refused(self, code, *arguments, **more):
        ran = self.run_it(*arguments, **more)
        self.assertEqual(ran.code, code, ran)
        return ran

    def write(self, name, content):
        path = os.path.join(self.home, name)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path


class Terminal:
    """sagactl on a pseudo terminal; what it shows is collected as it comes."""

    def __init__(self, test, *arguments, columns=100, rows=24, **environment):
        import fcntl
        import struct
        import termios
        self.main, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen([SAGACTL, *arguments], stdin=other, stdout=other, stderr=other, close_fds=True,
                                        env={**test.environment, **environment})
        os.close(other)
        self.text = ""
        test.addCleanup(self.close)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.main)

    def read(self, seconds):
        if not select.select([self.main], [], [], seconds)[0]:
            return False
        try:
            chunk = os.read(self.main, 65536)
        except OSError:  # the other end is closed
            return False
        self.text += chunk.decode(errors="replace")
        return bool(chunk)

    def until(self, what, deadline=60):
        end = time.monotonic() + deadline
        while what not in self.text and time.monotonic() < end:
            self.read(0.1)
        assert what in self.text, f"{what!r} was not shown: {self.text!r}"

    def type(self, text):
        os.write(self.main, text.encode())

    def wait(self, deadline=60):
        end = time.monotonic() + deadline
        while self.read(0.05) or (self.process.poll() is None and time.monotonic() < end):
            pass
        return self.process.wait(timeout=deadline)
