"""The real things that tests run against: PostgreSQL, Kafka, the embedded broker, sagad.

Standard library only. Everything listens on loopback. Every server ends with the test that started
it, also when that is killed (the kernel signals the child when the starting thread ends: start
servers from the main thread). Ports are below the range of outgoing connections, so that a server
finds its port free again after a restart.
"""
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = 77  # exit status that ctest takes for "skipped"


_claims = []  # the abstract sockets that say which ports are ours, until this process ends


def _claim(port):
    """False when another test was given this port: its server may not listen on it yet."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0saga-test-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def free_port():
    """A port on 127.0.0.1 that nobody listens on, and that no test beside this one will be given."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        if not _claim(port):
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def until(condition, seconds, what, pause=0.02):
    """The first true value of condition(); raises TimeoutError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(pause)


def build_folder():
    """SAGA_BUILD, else the newest preset's folder that holds sagad."""
    if os.environ.get("SAGA_BUILD"):
        return Path(os.environ["SAGA_BUILD"]).resolve()
    found = [path.parent for path in ROOT.glob("build/*/sagad")]
    return max(found, key=lambda folder: (folder / "sagad").stat().st_mtime, default=ROOT / "build" / "debug")


def program(name):
    """The path of one of our programs: sagad, sagactl, saga-demo-participants, saga-embedded-broker."""
    if name == "sagad" and os.environ.get("SAGAD_BIN"):
        return Path(os.environ["SAGAD_BIN"]).resolve()
    folder = build_folder()
    for path in sorted(folder.glob(name)) + sorted(folder.glob(f"*/{name}")) + sorted(folder.glob(f"*/*/{name}")):
        if path.is_file() and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(f"{name} is not built below {folder}")


def _die_with_parent(number):
    prctl = ctypes.CDLL(None).prctl

    def in_child():
        prctl(1, number)  # PR_SET_PDEATHSIG

    return in_child


class Process:
    """A child with its output in a file."""

    def __init__(self, name):
        self.name, self.process = name, None
        self.home = Path(tempfile.mkdtemp(prefix=f"saga-{name}-"))
        self.log = self.home / "log"

    def launch(self, argv, orphan_signal=signal.SIGKILL, **options):
        with open(self.log, "ab") as log:
            options = {"stdout": log, "stderr": log, **options}
            self.process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL,
                                            start_new_session=True,
                                            preexec_fn=_die_with_parent(orphan_signal), **options)
        return self.process

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def must_live(self):
        if not self.alive():
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")
        return True

    def stop(self, how=signal.SIGTERM, grace=30):
        """Signal it and wait; returns the exit status, None when it had to be killed."""
        if not self.alive():
            return self.process.returncode if self.process else None
        self.process.send_signal(how)
        try:
            return self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def kill(self):
        self.stop(signal.SIGKILL)

    def tail(self, size=3000):
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""

    def complaints(self, most=30):
        """The last lines of the log that are errors."""
        lines = self.log.read_text(errors="replace").split("\n") if self.log.exists() else []
        return "\n".join([line for line in lines if '"level":"error"' in line or "Sanitizer" in line][-most:])

    def close(self):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Postgres(Process):
    """A private cluster with fsync on, run as user postgres when we are root."""

    def __init__(self, settings=()):
        super().__init__("postgres")
        self.bin = self.find()
        self.port, self.data = free_port(), self.home / "data"
        self.settings = {"fsync": "on", "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
                         "max_connections": "200", **dict(settings)}
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        if self.user:
            shutil.chown(self.home, "postgres")
        self.environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
        subprocess.run([self.bin / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                        "--locale=C", "--no-sync"], check=True, cwd=self.home, env=self.environment,
                       stdout=subprocess.DEVNULL, **self.user)
        self.start()

    @staticmethod
    def find():
        """The folder of initdb and postgres; FileNotFoundError when none is installed."""
        if os.environ.get("PG_BIN"):
            return Path(os.environ["PG_BIN"])
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
        on_path = shutil.which("postgres")
        if not found and not on_path:
            raise FileNotFoundError("no PostgreSQL server: apt-get install postgresql, or set PG_BIN")
        return found[-1].parent if found else Path(on_path).parent

    def start(self):
        words = [f"--{name}={value}" for name, value in self.settings.items()]
        self.launch([self.bin / "postgres", "-D", self.data, "-p", self.port, *words],
                    orphan_signal=signal.SIGINT, cwd=self.home, env=self.environment, **self.user)
        until(self._ready, 60, "PostgreSQL ready")

    def _ready(self):
        self.must_live()
        try:
            lines = (self.data / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(self.process.pid) and lines[7].startswith("ready")

    def stop(self, how=signal.SIGINT, grace=30):
        return super().stop(how, grace)

    def crash(self):
        """Restart in immediate mode: what was not committed is lost, sessions break."""
        super().stop(signal.SIGQUIT)
        self.start()

    def sql(self, text, **variables):
        """Rows of text fields; :'name' in the text is replaced by the quoted variable."""
        return sql(self.url, text, **variables)

    def close(self):
        super().stop(signal.SIGQUIT)
        shutil.rmtree(self.home, ignore_errors=True)


def sql(url, text, timeout=120, **variables):
    words = [word for name, value in variables.items() for word in ("-v", f"{name}={value}")]
    done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-F", "\x1f", "-R", "\x1e", "-v", "ON_ERROR_STOP=1",
                           *words, url], input=text, capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise RuntimeError(f"psql: {done.stderr.strip()}")
    rows = done.stdout.strip("\n\x1e")
    return [row.split("\x1f") for row in rows.split("\x1e")] if rows else []


class Kafka(Process):
    """One combined KRaft node from a folder of jars (KAFKA_LIB)."""

    def __init__(self, lib=None, more=None):
        super().__init__("kafka")
        self.lib = Path(lib or os.environ["KAFKA_LIB"])
        self.port, control = free_port(), free_port()
        self.brokers = f"127.0.0.1:{self.port}"
        self.properties = self.home / "server.properties"
        settings = {
            "process.roles": "broker,controller", "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{control}",
            "listeners": f"PLAINTEXT://{self.brokers},CONTROLLER://127.0.0.1:{control}",
            "advertised.listeners": f"PLAINTEXT://{self.brokers}", "controller.listener.names": "CONTROLLER",
            "log.dirs": f"{self.home}/data", "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4", "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1", "group.initial.rebalance.delay.ms": "0",
            "auto.create.topics.enable": "false", **(more or {})}
        self.properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self._tool("kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", self.properties)
        self.start()

    def _java(self, main, *words):
        return ["java", "-Xmx512m", "-XX:+UseSerialGC", "-cp", f"{self.lib}/*", main, *map(str, words)]

    def _tool(self, main, *words):
        done = subprocess.run(self._java(main, *words), cwd=self.home, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(f"{main}: {done.stdout[-800:]}{done.stderr[-800:]}")

    def start(self):
        self.launch(self._java("kafka.Kafka", self.properties), cwd=self.home)
        until(lambda: self.must_live() and self._has_brokers(), 120, "Kafka ready")

    def _has_brokers(self):
        """Asks for metadata (version 1, of no topics): a broker that listens may not be in the cluster yet."""
        request = struct.pack(">hhih", 3, 1, 1, 0) + struct.pack(">i", 0)
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as broker:
                broker.sendall(struct.pack(">i", len(request)) + request)
                answer = broker.recv(12)
                return len(answer) == 12 and struct.unpack(">iii", answer)[2] > 0
        except OSError:
            return False

    def create_topics(self, names, partitions=4):
        for name in names:
            self._tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.brokers, "--create",
                       "--if-not-exists", "--topic", name, "--partitions", partitions, "--replication-factor", 1)


class EmbeddedBroker(Process):
    """The broker of `sagad dev` as a process of its own. Memory only: a restart loses everything."""

    def __init__(self, topics=()):
        super().__init__("broker")
        self.launch([program("saga-embedded-broker"), *topics], stdout=subprocess.PIPE, text=True)
        self.brokers = self.process.stdout.readline().strip()
        if not self.brokers:
            self.must_live()

    def close(self):
        self.process.stdout.close()
        super().close()


def http(method, url, body=None, headers=(), timeout=30):
    """(status, headers, body). The body given is bytes, or a value sent as JSON; ConnectionError when unreachable."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    head = {"Content-Type": "application/json", **dict(headers)} if data is not None else dict(headers)
    request = urllib.request.Request(url, data=data, headers=head, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()
    except (urllib.error.URLError, OSError) as error:
        raise ConnectionError(f"{method} {url}: {error}") from error


class Daemon(Process):
    """sagad serve on fixed ports; may be killed and started again on the same database."""

    def __init__(self, database_url, brokers, extra=(), environment=None):
        super().__init__("sagad")
        self.binary, self.extra = program("sagad"), list(extra)
        listen, admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self.url, self.admin = f"http://{listen}", f"http://{admin}"
        self.database_url, self.brokers = database_url, brokers
        self.where = ["--listen", listen, "--admin-listen", admin]
        self.environment = {**os.environ, **(environment or {})}

    def tool(self, *words, timeout=60):
        """Run another sagad command to its end."""
        return subprocess.run([self.binary, *map(str, words)], env=self.environment, capture_output=True,
                              text=True, timeout=timeout)

    def prepare(self):
        """Migrate, and make sagad's own topics."""
        for words in (["migrate"], ["topics", "apply", "--kafka-brokers", self.brokers]):
            done = self.tool(*words, "--database-url", self.database_url)
            if done.returncode != 0:
                raise RuntimeError(f"sagad {' '.join(words)}: {done.stdout}{done.stderr}")
        return self

    def start(self, wait=30):
        self.launch([self.binary, "serve", "--insecure", "--database-url", self.database_url,
                     "--kafka-brokers", self.brokers, *self.where, *self.extra], env=self.environment)
        if wait:
            until(self.ready, wait, "sagad ready")
        return self

    def ready(self):
        self.must_live()
        try:
            return http("GET", self.admin + "/readyz", timeout=2)[0] == 200
        except ConnectionError:
            return False

    def call(self, method, path, body=None, headers=(), timeout=30):
        """(status, decoded JSON or None)"""
        status, _, raw = http(method, self.url + path, body, headers, timeout)
        return status, json.loads(raw) if raw else None


class Dev(Process):
    """`sagad dev --temporary --json`: everything in one process tree."""

    def __init__(self, *words):
        super().__init__("dev")
        self.launch([program("sagad"), "dev", "--temporary", "--json", *words], orphan_signal=signal.SIGTERM,
                    stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("{"):
            self.process.wait(30)
            self.must_live()
        self.facts = json.loads(line)
        self.url, self.brokers = self.facts["url"], self.facts["brokers"]
        self.database_url = self.facts["database_url"]

    def close(self):
        self.process.stdout.close()
        super().close()


class Participants(Process):
    """saga-demo-participants, or those of another language when `argv` is given."""

    def __init__(self, database_url, brokers, argv=None, environment=None):
        super().__init__("participants")
        self.argv = argv or [program("saga-demo-participants")]
        self.environment = {**os.environ, "DATABASE_URL": database_url, "KAFKA_BROKERS": brokers,
                            **(environment or {})}
        self.start()

    def start(self):
        self.launch(self.argv, env=self.environment)
