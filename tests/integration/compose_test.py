#!/usr/bin/env python3
"""docker-compose.yml without Docker: its shape is checked, and each service's command line is started here.

Host names become loopback ports, paths of the image become paths of the build, PostgreSQL and Kafka are
private ones with the settings of their services. Then an order goes in at one node and is read at the
other. Real Kafka where KAFKA_LIB names a folder of its jars, else the embedded broker. A participant
whose language is not installed here is served by the one in C, and said so.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flows  # noqa: E402
from servers import (ROOT, SKIPPED, EmbeddedBroker, Kafka, Postgres, Process, build_folder, free_port,  # noqa: E402
                     http, program, until)

try:
    import yaml
except ImportError:
    print("skipped: no python3-yaml here")
    sys.exit(SKIPPED)

PYTHON = os.environ.get("PARTICIPANT_PYTHON", sys.executable)
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]


class Image:
    """What the Dockerfile says about one of its targets."""

    def __init__(self, target):
        text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
        stages = dict(re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM |\Z)", text, re.S | re.M))
        self.stage = stages[target]
        self.entrypoint, self.command = self._words("ENTRYPOINT"), self._words("CMD")
        self.healthcheck = self._words(r"HEALTHCHECK .*?CMD")
        users = re.findall(r"^USER (\S+)", self.stage, re.M)
        self.user = users[-1] if users else "root"

    def _words(self, instruction):
        found = re.findall(rf"^{instruction} (\[.*\])", self.stage, re.M)
        return yaml.safe_load(found[-1]) if found else []


IMAGES = {"sagad": Image("sagad"), "sagad-participants-python": Image("participants-python"),
          "sagad-participants-node": Image("participants-node")}


def check_shape():
    """What `docker compose config` would refuse, and our own rules."""
    for name, service in SERVICES.items():
        image = service["image"]
        assert image in IMAGES or re.search(r":[\w.]*\d", image), f"{name}: {image} is not pinned"
        if image in IMAGES:
            assert IMAGES[image].user not in ("root", "0"), f"{name} runs as root"
            assert service["read_only"] and service["cap_drop"] == ["ALL"], f"{name} may more than it needs"
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"], f"{name}: volume {volume} is not declared"
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: {port} is open to the world"
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, f"{name} depends on {other}, which is not there"
            if how["condition"] == "service_healthy":
                has = "healthcheck" in SERVICES[other] or IMAGES[SERVICES[other]["image"]].healthcheck
                assert has, f"{name} waits for the health of {other}, which has no check"


def in_order():
    """Services after those they depend on."""
    left, done = dict(SERVICES), []
    while left:
        ready = [name for name in left if set(left[name].get("depends_on", {})) <= set(done)]
        assert ready, f"a circle of dependencies: {sorted(left)}"
        for name in ready:
            done.append(name)
            del left[name]
    return done


class Here:
    """The services' world mapped onto this machine."""

    def __init__(self):
        self.keys, self.processes, self.ports = Path(tempfile.mkdtemp(prefix="saga-keys-")), {}, {}
        self.postgres = self.broker = None

    def close(self):
        for process in reversed(self.processes.values()):
            process.close()
        for server in (self.broker, self.postgres):
            if server:
                server.close()
        shutil.rmtree(self.keys, ignore_errors=True)

    def start_postgres(self, service):
        words = service["command"]
        assert words[0] == "postgres"
        settings = dict(word.split("=", 1) for word in words[1:] if word != "-c")
        user, database = service["environment"]["POSTGRES_USER"], service["environment"]["POSTGRES_DB"]
        self.postgres = Postgres(settings)
        self.postgres.sql(f"create role {user} login createdb; create database {database} owner {user}")
        self.processes["postgres"] = self.postgres

    def start_kafka(self, service):
        if not os.environ.get("KAFKA_LIB"):
            print("kafka: the embedded broker stands in, KAFKA_LIB is not set")
            self.broker = EmbeddedBroker(flows.OWN_TOPICS + flows.TOPICS)  # it cannot be asked to make topics
            return
        settings = {name[len("KAFKA_"):].lower().replace("_", "."): str(value)
                    for name, value in service["environment"].items()}
        for name in ("listeners", "advertised.listeners", "controller.quorum.voters", "log.dirs"):
            del settings[name]  # of the container: those of this machine
        self.broker = Kafka(more=settings)

    def port(self, service, inner):
        return self.ports.setdefault((service, inner), free_port())

    def text(self, word, service):
        """A word of a command line or an environment, as it is here."""
        word = word.replace("$$", "$").replace("postgres:5432", f"127.0.0.1:{self.postgres.port}")
        word = re.sub(r"(?<![\w/])/keys\b", str(self.keys), word.replace("kafka:9092", self.broker.brokers))
        word = word.replace("/definitions", str(flows.DEMO))
        word = re.sub(r"/usr/local/bin/([\w-]+)", lambda found: str(program(found[1])), word)
        word = re.sub(r"0\.0\.0\.0:(\d+)", lambda found: f"127.0.0.1:{self.port(service, found[1])}", word)
        return re.sub(r"\b(sagad-\d):(\d+)", lambda found: f"127.0.0.1:{self.port(found[1], found[2])}", word)

    def argv(self, name):
        service = SERVICES[name]
        image = IMAGES[service["image"]]
        entry = service.get("entrypoint", image.entrypoint)
        command = service.get("command", image.command if "entrypoint" not in service else [])
        argv = [self.text(word, name) for word in entry + command]
        if argv[0] == "python3":
            argv = [PYTHON, str(ROOT / "participants" / argv[1]), *argv[2:]]
        if argv[0] == "node":
            argv = ["node", str(ROOT / "participants" / argv[1]), *argv[2:]]
        return self.in_c_if_need_be(name, argv)

    def in_c_if_need_be(self, name, argv):
        node_modules = ROOT / "participants" / "node" / "node_modules" / "kafkajs"
        has_python = argv[0] != PYTHON or subprocess.run([PYTHON, "-c", "import confluent_kafka, psycopg"],
                                                         capture_output=True).returncode == 0
        if has_python and (argv[0] != "node" or node_modules.is_dir()):
            return argv
        print(f"{name}: the participant in C stands in, what {Path(argv[0]).name} needs is not installed")
        return [str(program("saga-demo-participants")), "--topics", f"{argv[-1]}.commands", "--group", argv[-1]]

    def environment(self, name):
        own = {key: self.text(str(value), name) for key, value in SERVICES[name].get("environment", {}).items()}
        return {**os.environ, "PATH": f"{build_folder()}:{os.environ['PATH']}", **own}

    def start(self, name):
        """A job runs to its end, a server until it is healthy."""
        argv, environment = self.argv(name), self.environment(name)
        process = self.processes[name] = Process(name)
        process.launch(argv, env=environment, cwd=ROOT)
        if is_job(name):
            assert process.process.wait(60) == 0, f"{name}: {argv}\n{process.tail()}"
        elif name.startswith("sagad-"):
            until(lambda: process.must_live() and self.is_healthy(name), 30, f"{name} healthy")
        else:
            process.must_live()
        print(f"{name}: started")

    def is_healthy(self, name):
        """As the image's HEALTHCHECK asks it, where this node's probes are."""
        words = [self.text(word, name) for word in IMAGES["sagad"].healthcheck]
        where = {"SAGAD_ADMIN_LISTEN": f"127.0.0.1:{self.port(name, '9090')}"}
        return subprocess.run(words, env={**os.environ, **where}, capture_output=True, timeout=30).returncode == 0


def is_job(name):
    return any(other.get("depends_on", {}).get(name, {}).get("condition") == "service_completed_successfully"
               for other in SERVICES.values())


class Node:
    """A node's API with the admin's key."""

    def __init__(self, here, name):
        self.url = f"http://127.0.0.1:{here.port(name, '8080')}"
        self.headers = {"Authorization": f"Bearer {(here.keys / 'admin.key').read_text().strip()}"}

    def call(self, method, path, body=None, headers=()):
        status, _, raw = http(method, self.url + path, body, {**self.headers, **dict(headers)})
        return status, json.loads(raw) if raw else None


def play(here):
    for name in in_order():
        starter = {"postgres": here.start_postgres, "kafka": here.start_kafka}.get(name)
        starter(SERVICES[name]) if starter else here.start(name)
    first, second = Node(here, "sagad-1"), Node(here, "sagad-2")
    assert http("GET", first.url + "/v1/sagas")[0] == 401, "a node answers without a key"
    work = [flows.start(first, flow) for flow in (flows.order("o-1"), flows.order("o-2", "declined"), flows.title("t-1"))]
    assert flows.wait_for_ends(second, work, 60), [(flow.input, flow.state) for flow in work]
    assert [flow.state for flow in work] == [flow.end for flow in work], [flow.state for flow in work]
    print("an order went in at sagad-1 and was read at sagad-2")
    for name, process in reversed(here.processes.items()):
        if name not in ("postgres", "kafka") and not is_job(name):
            assert process.stop() == 0, f"{name} did not stop well\n{process.tail()}"


def main():
    check_shape()
    here = Here()
    try:
        play(here)
    except BaseException:
        for name, process in here.processes.items():
            print(f"---- {name}\n{process.tail(1500)}")
        raise
    finally:
        here.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
