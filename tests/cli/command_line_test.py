"""Options, commands, help, completion, contexts: what needs no saga."""
import json
import os
import stat
import subprocess
import unittest

from fake_sagad import LiveSaga, answer, page, problem
from support import DEMO, ID, SagactlTest


class CommandLine(SagactlTest):
    def test_a_mistyped_word_is_answered_with_the_nearest_one(self):
        for words, nearest in ((["lsit"], "`list`"), (["definitions", "aply", "x"], "`definitions apply`"),
                               (["list", "--stats", "x"], "--state"), (["list", "--state", "runing"], "running"),
                               (["hist", ID], "`history`"), (["list", "--outputs=json"], "--output"),
                               (["dead-leters", "list"], "`dead-letters list`")):
            ran = self.refused(2, *words)
            self.assertIn(f"did you mean {nearest}", ran.err)
            self.assertEqual(ran.out, "")

    def test_wrong_usage_is_exit_2_and_asks_the_server_nothing(self):
        for words, told in (([], "sagactl help"), (["get"], "usage: sagactl get ID..."), (["steps", "a", "b"], "too many"),
                            (["list", "--limit"], "--limit needs a value"), (["list", "--all=1"], "takes no value"),
                            (["list", "--limit", "0"], "whole number"), (["list", "--limit", "x"], "whole number"),
                            (["wait", ID, "--timeout", "soon"], "no duration"), (["list", "--reason", "x"], "takes no --reason"),
                            (["list", "-Z"], "there is no option -Z"), (["start", "x", "--label", "nope"], "KEY=VALUE"),
                            (["definitions"], "apply, lint, simulate, impact, list, get"), (["completion", "tcsh"], "bash, zsh and fish"),
                            (["get", ID, "--url", "ftp://x"], "no URL"), (["get", ID, "--context", "nowhere"], "no context"),
                            (["skip", ID, "a[x]"], "no step")):
            ran = self.refused(2, *words)
            self.assertIn(told, ran.err)
        self.assertEqual(self.fake.requests, [])

    def test_every_command_has_help_with_all_of_its_options(self):
        overview = self.ok("help").out
        names = [line.strip().split("  ")[0] for line in overview.split("Commands\n")[1].split("\n\n")[0].splitlines()]
        self.assertGreater(len(names), 25)
        for name in names:
            words = [w for w in name.split() if w.islower()][:2]
            ran = self.ok(*words, "--help")
            self.assertIn("--output", ran.out)
            self.assertEqual(self.ok("help", *words).out, ran.out)
        self.assertIn("--idempotency-key", self.ok("help", "start").out)
        self.assertIn("definitions apply", self.ok("help", "definitions").out)

    def test_options_may_stand_anywhere_and_two_dashes_end_them(self):
        self.fake.on("GET /v1/sagas", answer(page()))
        self.fake.on(f"GET /v1/sagas/--all", problem(404, "saga-not-found"))
        self.ok("-ojson", "list", "--limit=3")
        self.ok("--output", "json", "list", "-n", "3")
        self.assertEqual([dict(r.query)["limit"] for r in self.fake.sent("GET /v1/sagas")], ["3", "3"])
        self.refused(3, "get", "--", "--all")

    def test_completion_scripts_are_sound_and_know_every_command(self):
        for shell, check in (("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"])):
            script = self.ok("completion", shell).out
            for word in ("history", "dead-letters", "set-context", "idempotency-key", "compensating"):
                self.assertIn(word, script, shell)
            path = self.write(f"completion.{shell}", script)
            if subprocess.run(["sh", "-c", f"command -v {check[0]}"], capture_output=True).returncode == 0:
                done = subprocess.run([*check, path], capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_bash_completes_commands_options_and_values(self):
        path = self.write("c", self.ok("completion", "bash").out)

        def complete(*words):
            program = (f"source {path}; COMP_WORDS=({' '.join(repr(w) for w in words)}); COMP_CWORD={len(words) - 1};"
                       " _sagactl; printf '%s\\n' \"${COMPREPLY[@]}\"")
            return subprocess.run(["bash", "-c", program], capture_output=True, text=True).stdout.split()
        self.assertEqual(complete("sagactl", "hi"), ["history"])
        self.assertEqual(complete("sagactl", "definitions", "l"), ["lint", "list"])
        self.assertEqual(complete("sagactl", "start", "x", "--inp"), ["--input"])
        self.assertEqual(complete("sagactl", "list", "--state", "comp"), ["compensating", "compensated"])
        self.assertEqual(complete("sagactl", "cancel", "x", "--da"), [])

    def test_version_needs_no_server_and_shows_it_when_there(self):
        self.fake.on("GET /version", answer({"version": "9.8.7", "commit": "abc"}))
        self.assertIn("sagad   9.8.7 (abc)", self.ok("version").out)
        self.assertEqual(json.loads(self.ok("version", "-o", "json").out)["sagad"]["version"], "9.8.7")
        self.fake.close()
        ran = self.ok("--version", SAGACTL_URL="http://127.0.0.1:1")
        self.assertIn("sagactl 0.", ran.out)
        self.assertIn("no answer", ran.err)


class Contexts(SagactlTest):
    def file(self):
        return os.path.join(self.home, ".config/sagactl/config.json")

    def seen_key(self):
        return self.fake.requests[-1].headers.get("Authorization")

    def test_a_context_keeps_url_and_key_in_a_file_only_its_owner_can_read(self):
        self.ok("config", "set-context", "prod", "--url", self.fake.url, "--key", "-", stdin=b"secret-1\n")
        self.assertEqual(stat.S_IMODE(os.stat(self.file()).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(self.file())).st_mode), 0o700)
        self.fake.on("GET /v1/sagas", answer(page()))
        self.ok("list", SAGACTL_URL=None)
        self.assertEqual(self.seen_key(), "Bearer secret-1")

    def test_no_command_prints_a_key(self):
        self.ok("config", "set-context", "prod", "--url", self.fake.url, "--key", "secret-1")
        for words in (["view"], ["get-contexts"], ["view", "-o", "json"], ["get-contexts", "-o", "jsonl"]):
            ran = self.ok("config", *words)
            self.assertNotIn("secret-1", ran.out + ran.err)
            self.assertIn("prod", ran.out)
        self.fake.on("GET /v1/sagas", problem(401, "unauthenticated"))
        self.assertNotIn("secret-1", self.refused(1, "list", "-v", SAGACTL_URL=None).err)

    def test_flags_beat_the_environment_and_that_beats_the_context(self):
        self.fake.on("GET /v1/sagas", answer(page()))
        self.ok("config", "set-context", "a", "--url", self.fake.url, "--key", "of-context")
        self.ok("list", SAGACTL_URL=None, SAGACTL_KEY="of-environment")
        self.assertEqual(self.seen_key(), "Bearer of-environment")
        self.ok("list", "--key", "of-flag", SAGACTL_URL=None, SAGACTL_KEY="of-environment")
        self.assertEqual(self.seen_key(), "Bearer of-flag")

    def test_a_contexts_key_is_not_sent_to_another_address(self):
        self.fake.on("GET /v1/sagas", answer(page()))
        self.ok("config", "set-context", "prod", "--url", "http://127.0.0.1:1", "--key", "secret-1")
        self.ok("list")  # SAGACTL_URL names the fake
        self.assertIsNone(self.seen_key())

    def test_the_current_context_is_chosen_by_name(self):
        self.ok("config", "set-context", "one", "--url", "http://127.0.0.1:1")
        self.ok("config", "set-context", "two", "--url", self.fake.url)
        self.fake.on("GET /v1/sagas", answer(page()))
        self.ok("list", "--context", "two", SAGACTL_URL=None)
        self.ok("list", SAGACTL_CONTEXT="two", SAGACTL_URL=None)
        self.ok("config", "use-context", "two")
        self.ok("list", SAGACTL_URL=None)
        self.assertIn("*     two", self.ok("config", "get-contexts").out)
        self.assertIn("did you mean `two`", self.refused(3, "config", "use-context", "tow").err)

    def test_a_broken_file_is_named_and_left_alone(self):
        os.makedirs(os.path.dirname(self.file()))
        with open(self.file(), "w") as file:
            file.write("{nope")
        os.chmod(self.file(), 0o600)
        self.assertIn(self.file(), self.refused(1, "list").err)
        self.assertIn(self.file(), self.refused(1, "config", "set-context", "a", "--url", self.fake.url).err)
        with open(self.file()) as file:
            self.assertEqual(file.read(), "{nope")

    def test_a_file_that_others_can_read_is_warned_about(self):
        self.ok("config", "set-context", "a", "--url", self.fake.url)
        os.chmod(self.file(), 0o644)
        self.assertIn("chmod 600", self.ok("config", "view").err)

    def test_a_key_on_the_command_line_is_gone_from_the_process_list(self):
        live = LiveSaga(self.fake)
        process = self.begin("watch", ID, "--key", "secret-1")
        live.wait_for_poll()
        with open(f"/proc/{process.pid}/cmdline", "rb") as file:
            line = file.read()
        self.assertNotIn(b"secret-1", line)
        self.assertEqual(self.seen_key(), "Bearer secret-1")


class Definitions(SagactlTest):
    def test_the_demos_definitions_pass_lint(self):
        files = [os.path.join(DEMO, f) for f in ("order-checkout.saga.json", "content-publish.saga.json")]
        self.ok("definitions", "lint", *files)
        self.assertEqual(self.fake.requests, [])

    def test_lint_names_file_line_and_column_of_each_problem(self):
        path = self.write("bad.json", '{\n  "name": "x",\n  "steps": [\n    {"id": "a", "wehn": 1,\n'
                                      '     "action": {"topic": "saga.replies"}}\n  ]\n}\n')
        ran = self.refused(1, "definitions", "lint", path)
        self.assertIn(f"{path}:4:", ran.out)
        self.assertIn("/steps/0/wehn", ran.out)
        self.assertIn(f"{path}:5:", ran.out)
        problems = json.loads(self.run_it("definitions", "lint", path, "-o", "json").out)["items"]
        self.assertEqual({p["kind"] for p in problems} & {"error"}, {"error"})
        self.assertIn("/steps/0/wehn", [p["pointer"] for p in problems])
        self.assertIn("/nowhere", self.refused(1, "definitions", "lint", "/nowhere").err)

    def test_simulate_plays_a_file_without_a_server(self):
        ran = self.ok("definitions", "simulate", os.path.join(DEMO, "order-checkout.saga.json"), "--explore")
        self.assertRegex(ran.out, r"nothing goes wrong +succeeded +charge ship notify")
        self.assertRegex(ran.out, r"ship is refused +compensated +charge ship -charge")
        self.assertEqual(self.fake.requests, [])

    def test_simulate_exits_with_1_when_an_end_leaves_an_effect(self):
        path = self.write("leaves.json", json.dumps({"name": "x", "steps": [
            {"id": "a", "action": {"topic": "t"}, "compensation": {
                "topic": "t", "on_exhausted": "continue", "retry": {"max_attempts": 2}}},
            {"id": "b", "action": {"topic": "t"}}]}))
        ran = self.refused(1, "definitions", "simulate", path, "--explore")
        self.assertIn("step a took effect, is not undone", ran.out)
        found = json.loads(self.run_it("definitions", "simulate", path, "--explore", "-o", "json").out)
        self.assertEqual({run["end"] for run in found["runs"]}, {"succeeded", "compensated", "stuck"})
        bad = self.write("bad.json", '{"name": "x", "steps": [{"id": "a", "wehn": 1}]}')
        self.assertIn("/steps/0/wehn", self.refused(1, "definitions", "simulate", bad).out)

    def test_apply_says_what_is_new_and_what_was_known(self):
        def register(request):
            known = request.json["name"] == "known"
            return answer({"name": request.json["name"], "version": 3 if known else 1, "definition": {}}, 200 if known else 201)
        self.fake.on("POST /v1/definitions", register)
        known, fresh = self.write("k", '{"name": "known"}'), self.write("f", '{"name":  "fresh"}')
        ran = self.ok("definitions", "apply", known, fresh)
        self.assertRegex(ran.out, r"known +3 +unchanged")
        self.assertRegex(ran.out, r"fresh +1 +new")
        self.assertEqual(self.fake.requests[1].body, b'{"name":  "fresh"}')

    def test_apply_tells_each_place_and_goes_on_with_the_next_file(self):
        self.fake.on("POST /v1/definitions", problem(422, "invalid", errors=[("/steps/0/id", "is missing"), ("/name", "is bad")]),
                     answer({"name": "x", "version": 1}, 201))
        ran = self.refused(1, "definitions", "apply", self.write("a", "{}"), self.write("b", "{}"))
        self.assertIn("/steps/0/id: is missing", ran.err)
        self.assertIn("/name: is bad", ran.err)
        self.assertIn("new", ran.out)

    def test_a_dry_apply_only_validates(self):
        self.fake.on("POST /v1/definitions/validate", answer({"valid": False, "errors": [{"pointer": "/x", "detail": "no"}],
                                                              "warnings": []}))
        self.assertIn("/x: no", self.refused(1, "definitions", "apply", "--dry-run", self.write("a", "{}")).err)
        self.assertEqual(self.fake.sent("POST /v1/definitions"), [])

    def test_get_shows_what_each_step_does_and_after_what(self):
        with open(os.path.join(DEMO, "order-checkout.saga.json"), "rb") as file:
            definition = json.load(file)
        self.fake.on("GET /v1/definitions/order-checkout", answer({"name": "order-checkout", "version": 2, "definition": definition,
                                                                   "created_at": "2026-01-02T03:04:05.678Z"}))
        out = self.ok("definitions", "get", "order-checkout").out
        self.assertIn("order-checkout v2", out)
        self.assertRegex(out, r"charge +reserve, fraud_check +payments.commands payments.charge.v1 +payments.refund.v1")
        self.assertRegex(out, r"ship +charge .*pivot")
        self.assertRegex(out, r"fraud_check .*nothing to undo")


if __name__ == "__main__":
    unittest.main()
