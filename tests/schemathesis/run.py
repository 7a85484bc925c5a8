#!/usr/bin/env python3
"""schemathesis against a running `sagad dev`: no 5xx, and no answer that its /openapi.json does not promise.

    run.py [SECONDS]     with the python of a venv that has tests/schemathesis/requirements.txt

Everything comes from one seed. Each operation gets ids of things that are there, so that it is met behind its 404s
too. Streams are left out: they never end.
"""
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from servers import program  # noqa: E402

SEED = "1"
INTERRUPTED = 130  # exit status of schemathesis
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
TOPIC = "schemathesis-nobody.commands"
DEFINITION = {
    "name": "probe", "attributes": {"order": "${input.order}"},
    "steps": [
        {"id": "charge", "effect": {"kind": "money", "amount": "${input.total}", "currency": "EUR"}, "action": {"topic": TOPIC, "timeout": "1h"},
         "compensation": {"topic": TOPIC, "timeout": "1h"}},
        {"id": "approval", "signal": {"name": "approved"}}]}
STUCK = {
    "name": "stuck",
    "steps": [{"id": "wait", "delay": {"for": "1ms"}, "compensation": {"topic": TOPIC, "input": "${1 / input.zero}"}},
              {"id": "fails", "action": {"topic": TOPIC, "input": "${1 / input.zero}"}, "compensation": None}]}
SAGA_VERBS = ("cancel", "pause", "resume", "retry", "terminate", "fork", "signals/{name}", "steps/{step}/retry", "steps/{step}/skip",
              "steps/{step}/complete", "steps/{step}/fail")


class Dev:
    """`sagad dev` with a PostgreSQL of its own; ends with us, whatever happens to us."""

    def __init__(self):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([program("sagad"), "dev", "--temporary", "--json"], stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            sys.exit(f"sagad dev does not start: {self.log.read()[-2000:]!r}")
        self.url = json.loads(line)["url"]

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def start(self, name):
        return self.ask("POST", "/v1/sagas", {"definition": name, "input": {"zero": 0, "order": "o-1", "total": 1.5}})["id"]

    def close(self):
        self.process.terminate()
        self.process.wait(60)


def operation(method, path, **parameters):
    given = ", ".join(f'"path.{name}" = {json.dumps(value)}' for name, value in parameters.items())
    return f'[[operations]]\ninclude-name = "{method} {path}"\nparameters = {{ {given} }}\n'


def prime(dev):
    """Something of everything; the configuration that names it."""
    dev.ask("POST", "/v1/definitions", DEFINITION)
    dev.ask("POST", "/v1/definitions", STUCK)
    saga, stuck = dev.start("probe"), dev.start("stuck")
    deadline = time.monotonic() + 60
    while not dev.ask("GET", "/v1/failures")["items"] and time.monotonic() < deadline:
        time.sleep(0.1)
    failure = dev.ask("GET", "/v1/failures")["items"][0]["id"]
    batch = dev.ask("POST", "/v1/batches", {"verb": "pause", "ids": [dev.start("probe")], "reason": "schemathesis"})["id"]
    dev.ask("POST", "/v1/schedules", {"name": "yearly", "definition": "probe", "cron": "@yearly"})

    lines = [operation("GET", f"/v1/sagas/{{id}}{rest}", id=saga, **more)
             for rest, more in (("", {}), ("/steps", {}), ("/steps/{step}", {"step": "charge"}), ("/history", {}), ("/export", {}), ("/why", {}))]
    for verb in SAGA_VERBS:
        more = {"step": "charge"} if "{step}" in verb else {"name": "approved"} if "{name}" in verb else {}
        lines.append(operation("POST", f"/v1/sagas/{{id}}/{verb}", id=stuck if verb in ("retry", "fork") else dev.start("probe"), **more))
    lines.append(operation("POST", "/v1/signals/{name}", name="approved"))
    lines.append(operation("GET", "/v1/failures/{id}", id=failure))
    for method, rest in (("GET", ""), ("GET", "/items"), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/stop")):
        lines.append(operation(method, f"/v1/batches/{{id}}{rest}", id=batch))
    for method, rest in (("GET", ""), ("GET", "/preview"), ("GET", "/history"), ("PUT", ""), ("POST", "/pause"), ("POST", "/resume"),
                         ("POST", "/trigger")):
        lines.append(operation(method, f"/v1/schedules/{{name}}{rest}", name="yearly"))
    for method, rest in (("GET", ""), ("GET", "/asyncapi"), ("GET", "/versions"), ("POST", "/simulate"), ("POST", "/impact")):
        lines.append(operation(method, f"/v1/definitions/{{name}}{rest}", name="probe"))
    lines.append(operation("GET", "/problems/{slug}", slug="saga-not-found"))
    return "\n".join(lines)


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 180
    dev = Dev()
    try:
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "schemathesis.toml"
            config.write_text(prime(dev))
            command = [Path(sys.executable).parent / "schemathesis", "--config-file", config, "run", f"{dev.url}/openapi.json", "--checks", CHECKS,
                       "--phases", "coverage,fuzzing", "--seed", SEED, "--max-examples", "20", "--workers", "1", "--request-timeout", "60",
                       "--no-shrink", "--suppress-health-check", "all", "--continue-on-failure", "--warnings", "off",
                       "--exclude-path-regex", "/stream$"]
            run = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            clock = threading.Timer(seconds, run.send_signal, [signal.SIGINT])
            clock.start()
            said = run.stdout.read()
            status = run.wait()
            clock.cancel()
        print(said)
        if status == INTERRUPTED and " FAILURES " not in said:
            print(f"out of time after {seconds} s; nothing was found by then")
            status = 0
        if dev.process.poll() is not None:
            sys.exit("sagad ended while it was asked")
        sys.exit(status)
    finally:
        if dev.process.poll() is None:
            dev.close()


main()
