"""Schedules: made, changed, fired once, caught up, overlapping. Time is PostgreSQL's, and the test moves it."""
import datetime
import threading
import time

import pytest

from client import new_id
from participant import ok, silence
from servers import until

CLOCK = """create or replace function sagad.now_ms() returns bigint language sql as
           $$ select (extract(epoch from clock_timestamp()) * 1000)::bigint + {} $$"""
MEMBERS = {"name", "definition", "cron", "time_zone", "input", "catch_up", "catch_up_window", "overlap", "paused", "attention", "revision",
           "created_at", "updated_at", "next_at", "last_at", "last_saga", "last_error", "waiting", "started", "missed", "skipped", "failed"}
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def parse(stamp):
    return int(datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp() * 1000)


class Schedule:
    """One schedule of a story, and the database's clock."""

    def __init__(self, story, stack, cron="0 0 1 1 *", **members):
        self.api, self.sql = story.api, stack.postgres.sql
        self.name, self.path = story.name, f"/v1/schedules/{story.name}"
        self.body = {"definition": story.name, "cron": cron, **members}
        self.made = self.api.ask("PUT", self.path, self.body).must(201)

    def now(self):
        return self.api.get(self.path).must()

    def do(self, verb, *statuses, **more):
        return self.api.post(f"{self.path}/{verb}", {"reason": "contract test"}, **more).must(*(statuses or (200,)))

    def history(self, *kinds):
        return [entry for entry in self.api.pages(f"{self.path}/history") if not kinds or entry["kind"] in kinds]

    def sagas(self):
        return list(self.api.pages("/v1/sagas", label=f"schedule={self.name}"))

    def wait(self, what, seconds=60, **wanted):
        def there():
            found = self.now()
            return all(found[name] == value for name, value in wanted.items()) and found
        return until(there, seconds, f"{what}: {wanted} of {self.now()}")

    def set_back(self, due_ago_ms):
        """As if it had been due so long ago, and nobody was there."""
        self.sql(f"""update sagad.schedule set wake_at = sagad.now_ms(), turn = turn + 1,
                     next_at = (sagad.now_ms() - {due_ago_ms}) / 60000 * 60000 where name = '{self.name}'""")


@pytest.fixture
def schedule(story, stack):
    story.register(story.step("go"))
    return lambda **members: Schedule(story, stack, **members)


@pytest.fixture
def own_time(stack):
    yield
    stack.postgres.sql(CLOCK.format(0))


# ---- made and changed ---------------------------------------------------------------------

def test_a_schedule_has_every_member_and_is_found_in_the_list(api, schedule):
    made = schedule(cron="0 6 * * MON-FRI", time_zone="Europe/Berlin", input={"n": 1.10}, catch_up="one", catch_up_window="36h", overlap="queue")
    found = api.get(made.path)
    assert found.header("etag") == '"1"' and b'"input":{"n":1.1}' in found.raw
    assert set(found.must()) >= MEMBERS and found.json == {**made.made, "updated_at": found.json["updated_at"], "created_at": found.json["created_at"]}
    assert found.json["catch_up_window"] == "36h" and found.json["started"] == 0 and not found.json["attention"]
    item = [item for item in api.pages("/v1/schedules", limit=2) if item["name"] == made.name]
    assert len(item) == 1 and set(item[0]) == set(found.json) - {"input"}
    assert [entry["kind"] for entry in made.history()] == ["created"]


def test_defaults_are_utc_no_catching_up_a_day_and_overlap_allowed(schedule):
    made = schedule().made
    assert (made["time_zone"], made["input"], made["catch_up"], made["catch_up_window"], made["overlap"], made["paused"]) == (
        "UTC", {}, "none", "1d", "allow", False)
    assert made["next_at"].endswith("-01-01T00:00:00.000Z")


def test_making_it_again_is_the_same_other_content_is_refused(api, schedule):
    made = schedule()
    body = {"name": made.name, **made.body}
    assert api.post("/v1/schedules", body).must(200)["revision"] == 1
    api.post("/v1/schedules", {**body, "cron": "@daily"}).problem(409, "schedule-exists")
    again = api.ask("PUT", made.path, made.body).must(200)
    assert again["revision"] == 1 and len(made.history()) == 1


def test_post_makes_one_and_says_where(api, story):
    story.register(story.step("go"))
    body = {"name": f"{story.name}.nightly", "definition": {"name": story.name, "version": 1}, "cron": "@daily", "paused": True}
    answer = api.post("/v1/schedules", body, key=new_id())
    assert answer.must(201)["definition"] == {"name": story.name, "version": 1} and answer.json["paused"]
    assert api.get(answer.header("location")).must()["next_at"] is None


def test_a_change_honours_if_match_and_keeps_the_pause(api, schedule):
    made = schedule()
    made.do("pause")
    changed = {**made.body, "cron": "30 4 * * *"}
    assert api.ask("PUT", made.path, changed, {"If-Match": '"1"'}).problem(412, "stale")
    after = api.ask("PUT", made.path, {**changed, "reason": "earlier"}, {"If-Match": '"2"'}).must(200)
    assert after["revision"] == 3 and after["paused"] and after["cron"] == "30 4 * * *"
    assert made.do("resume")["next_at"].endswith("T04:30:00.000Z")
    entries = made.history()
    assert [entry["kind"] for entry in entries] == ["resumed", "changed", "paused", "created"]
    assert entries[1]["reason"] == "earlier" and all(entry["actor"] for entry in entries)
    api.ask("PUT", "/v1/schedules/" + made.name + "x", changed, {"If-Match": '"1"'}).problem(412, "stale")


def test_a_dry_run_shows_the_next_times_and_makes_nothing(api, story):
    story.register(story.step("go"))
    body = {"definition": story.name, "cron": "30 2 29 3 *", "time_zone": "Europe/Berlin"}
    shown = api.ask("PUT", f"/v1/schedules/{story.name}", body, dry_run="true").must(200)
    assert len(shown["next"]) == 5 and all(entry["local"][5:10] == "03-29" for entry in shown["next"])
    api.get(f"/v1/schedules/{story.name}").problem(404, "schedule-not-found")


def test_the_preview_knows_daylight_saving_for_years(api, schedule):
    made = schedule(cron="30 2 * 3,10 SUN", time_zone="Europe/Berlin")
    times = api.get(f"{made.path}/preview", count=100).must()["items"]
    moments = [parse(entry["at"]) for entry in times]
    assert len(times) == 100 and moments == sorted(set(moments))
    for entry in times:
        local = datetime.datetime.fromisoformat(entry["local"])
        assert int(local.timestamp() * 1000) == parse(entry["at"])
        last = local.day > 24  # the Sunday of a change
        assert local.strftime("%H:%M") == ("03:00" if last and local.month == 3 else "02:30"), entry
        assert entry["local"].endswith("+02:00" if (local.month == 10 or last) else "+01:00"), entry
    api.get(f"{made.path}/preview", count=101).problem(400, "invalid-query")
    api.get(f"{made.path}/preview", counts=1).problem(400, "invalid-query")


BAD = [
    ({"cron": "0 0 30 2 *"}, "/cron", "never fires"), ({"cron": "61 * * * *"}, "/cron", "0 to 59"), ({"cron": ""}, "/cron", "five"),
    ({"cron": "* * * * * *"}, "/cron", "five"), ({"cron": "1" * 300}, "/cron", "200"), ({"cron": 5}, "/cron", "string"),
    ({"cron": "* * * * \u0000"}, "/cron", ""), ({"time_zone": "Mars/Olympus"}, "/time_zone", "IANA"), ({"time_zone": "europe/berlin"}, "/time_zone", "IANA"),
    ({"time_zone": "CEST"}, "/time_zone", "IANA"), ({"time_zone": "posix/UTC"}, "/time_zone", "IANA"), ({"time_zone": ""}, "/time_zone", "IANA"),
    ({"time_zone": "U\u0000"}, "/time_zone", "IANA"), ({"time_zone": "x" * 500}, "/time_zone", "IANA"), ({"time_zone": "UTC+3"}, "/time_zone", "IANA"),
    ({"definition": "nobody-knows"}, "/definition", "registered"), ({"definition": {"inline": {}}}, "/definition/inline", "register"),
    ({"definition": {"name": "x", "version": 0}}, "/definition/version", "from 1"), ({"definition": 7}, "/definition", ""),
    ({"catch_up": "some"}, "/catch_up", "none"), ({"overlap": "maybe"}, "/overlap", "queue"), ({"catch_up_window": "30s"}, "/catch_up_window", "1m"),
    ({"catch_up_window": "400d"}, "/catch_up_window", "366d"), ({"catch_up_window": "soon"}, "/catch_up_window", "duration"),
    ({"paused": "yes"}, "/paused", "true or false"), ({"colour": 1}, "/colour", "unknown"), ({"reason": ""}, "/reason", ""),
    ({"name": "another"}, "/name", "path"),
]


@pytest.mark.parametrize("wrong,pointer,cure", BAD, ids=[str(n) for n in range(len(BAD))])
def test_what_is_wrong_is_told_with_its_place_and_cure(api, story, wrong, pointer, cure):
    story.register(story.step("go"))
    body = {"definition": story.name, "cron": "@daily", **wrong}
    errors = api.ask("PUT", f"/v1/schedules/{story.name}", body).problem(422)["errors"]
    assert [error["pointer"] for error in errors] == [pointer] and cure in errors[0]["detail"], errors


def test_other_bad_input_has_clear_answers(api, story, schedule):
    made = schedule()
    api.ask("PUT", made.path, {**made.body, "input": "x" * (256 * 1024)}).problem(413, "input-too-large")
    api.ask("PUT", made.path, b"{").problem(400, "invalid-json")
    assert set(api.ask("PUT", made.path, {}).pointers()) == {"/definition", "/cron"}
    assert api.post("/v1/schedules", {"definition": story.name, "cron": "@daily"}).pointers() == ["/name"]
    for name in ("-x", "a b", "%C3%A4", "a" * 101):
        assert api.ask("PUT", f"/v1/schedules/{name.replace(' ', '%20')}", made.body).pointers() == ["/name"]
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/trigger"), ("GET", "/preview"), ("GET", "/history")):
        api.ask(method, f"/v1/schedules/nobody{path}").problem(404, "schedule-not-found")
        assert api.ask(method, f"/v1/schedules/%00{path}").status in (400, 404)
    api.post(f"{made.path}/pause", {"because": 1}).problem(422)
    api.post(f"{made.path}/pause", {"reason": 1}).problem(422)
    assert "PUT" in api.ask("PATCH", made.path, {}).header("allow")
    api.get("/v1/schedules", cursor="abc").problem(400, "invalid-cursor")
    story.register(story.step("go"), attributes={"order": "${input.order.id + 1}"})
    assert api.ask("PUT", made.path, {**made.body, "input": {"order": {"id": "a"}}}).pointers() == ["/input"]


def test_an_input_that_breaks_the_schema_is_refused_and_later_shown_as_failing(api, story, schedule):
    made = schedule(input={"n": "one"})
    story.register(story.step("go"), input_schema={"type": "object", "properties": {"n": {"type": "integer"}}})
    assert api.ask("PUT", made.path, {**made.body, "cron": "@daily"}).pointers() == ["/input/n"]
    made.do("trigger", 202)
    error = made.wait("failed", failed=1)["last_error"]
    assert error["code"] == "invalid" and error["detail"].startswith("/input/n "), error


def test_a_key_is_remembered_with_the_change(api, schedule):
    made, key = schedule(), new_id()
    first = made.do("trigger", 202, key=key)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(made.do("trigger", 202, key=key))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answer["triggered"] == first["triggered"] for answer in answers)
    made.wait("one saga", started=1, waiting=0)
    assert len(made.history("triggered")) == 1 and len(made.sagas()) == 1
    api.post(f"{made.path}/pause", key=key).problem(422, "key-reused")


def test_a_deleted_schedule_leaves_its_history_and_a_new_one_begins_anew(api, schedule):
    made = schedule(input={"n": 1})
    saga = made.do("trigger", 202)["triggered"]["saga"]
    made.wait("started", started=1)
    assert api.ask("DELETE", made.path, {"reason": "moved"}, {"If-Match": '"9"'}).problem(412)
    assert api.ask("DELETE", made.path, {"reason": "moved"}).must(200)["started"] == 1
    assert [entry["kind"] for entry in made.history()] == ["deleted", "started", "triggered", "created"]
    assert made.history("deleted")[0]["reason"] == "moved" and api.wait(saga)["state"] == "succeeded"
    api.ask("DELETE", made.path).problem(404)
    assert api.ask("PUT", made.path, made.body).must(201)["started"] == 0


# ---- fired --------------------------------------------------------------------------------

def test_it_fires_at_its_minute_once_and_says_what_it_started(api, schedule, participant, own_time):
    made = schedule(cron="* * * * *", input={"who": "cron"})
    now = int(time.time() * 1000)
    minute = now // MINUTE * MINUTE + MINUTE
    made.sql(CLOCK.format(minute - now - 1500) + f"""; update sagad.schedule set next_at = {minute}, wake_at = {minute},
             turn = turn + 1 where name = '{made.name}'""")
    found = made.wait("started", started=1)
    saga = api.wait(found["last_saga"])
    assert saga["labels"]["schedule"] == made.name and parse(saga["labels"]["scheduled_at"]) == minute
    assert saga["input"] == {"who": "cron"} and saga["state"] == "succeeded"
    assert parse(found["next_at"]) == minute + MINUTE and parse(found["last_at"]) >= minute
    entry = made.history("started")[0]
    assert (entry["saga"], parse(entry["scheduled_at"]), entry["actor"]) == (saga["id"], minute, None)
    assert len(made.sagas()) == 1


def test_nothing_missed_is_caught_up_with_none(schedule):
    made = schedule(cron="* * * * *", catch_up="none")
    made.do("pause")
    made.set_back(10 * MINUTE)
    found = made.do("resume")
    assert found["missed"] == 11 and parse(found["next_at"]) > parse(found["updated_at"]) and not made.sagas()


def test_one_stands_for_all_that_were_missed(schedule):
    made = schedule(cron="0 * * * *", catch_up="one")
    made.do("pause")
    made.set_back(5 * HOUR)
    made.do("resume")
    found = made.wait("caught up", started=1)
    assert found["missed"] >= 4 and len(made.sagas()) == 1
    assert [entry["count"] for entry in made.history("missed")] == [found["missed"]]


def test_all_that_were_missed_within_the_window_start_in_order(api, schedule):
    made = schedule(cron="0 * * * *", catch_up="all", catch_up_window="3h")
    made.set_back(2 * DAY)
    found = made.wait("caught up", started=3)
    times = [parse(entry["scheduled_at"]) for entry in made.history("started")]
    assert times == sorted(times, reverse=True) and times[0] - times[2] == 2 * HOUR
    assert found["missed"] >= 45 and len({saga["id"] for saga in made.sagas()}) == 3


def test_while_the_previous_saga_is_open_a_time_is_skipped(api, story, stack):
    story.register(story.step("go", silence))
    made = Schedule(story, stack, overlap="skip")
    first = made.do("trigger", 202)["triggered"]["saga"]
    made.wait("started", started=1)
    made.do("trigger", 202)
    found = made.wait("skipped", skipped=1, waiting=0)
    assert found["started"] == 1 and found["last_saga"] == first and made.history("skipped")[0]["count"] == 1
    api.command(first, "terminate").must(202)
    made.do("trigger", 202)
    made.wait("started again", started=2)
    api.command(made.now()["last_saga"], "terminate").must(202)


def test_a_queue_starts_the_next_when_the_previous_ends(api, story, stack):
    story.register(story.step("go", silence))
    made = Schedule(story, stack, overlap="queue")
    ids = [made.do("trigger", 202)["triggered"]["saga"] for _ in range(3)]
    for n, id_ in enumerate(ids):
        found = made.wait("the next", started=n + 1, waiting=2 - n)
        assert found["last_saga"] == id_ and ("waiting" in found["attention"]) == (n < 2)
        story.answer(story.sent(id_, "go"), ok({}))
        api.wait(id_, "succeeded")
    assert made.now()["skipped"] == 0


def test_a_full_queue_is_told(api, story, stack):
    story.register(story.step("go", silence))
    made = Schedule(story, stack, overlap="queue")
    made.do("trigger", 202)
    made.wait("started", started=1)
    made.sql(f"update sagad.schedule set turn = turn + 1, waiting = (select string_agg(int8send(i), '') from generate_series(1, 100) i)"
             f" where name = '{made.name}'")
    api.post(f"{made.path}/trigger").problem(409, "not-allowed")
    api.command(made.now()["last_saga"], "terminate").must(202)
    api.ask("DELETE", made.path).must(200)


def test_overlap_is_allowed_where_nothing_else_is_said(api, story, stack):
    story.register(story.step("go", silence))
    made = Schedule(story, stack)
    for _ in range(2):
        made.do("trigger", 202)
    made.wait("both", started=2, waiting=0)
    for saga in made.sagas():
        assert saga["state"] == "running"
        api.command(saga["id"], "terminate").must(202)


def test_a_paused_schedule_can_be_triggered(schedule):
    made = schedule(cron="* * * * *", catch_up="all")
    made.do("pause")
    made.set_back(HOUR)
    made.do("trigger", 202)
    found = made.wait("triggered", started=1, waiting=0)
    assert found["paused"] and found["next_at"] is None and found["attention"] == ["paused"]


def test_a_start_that_is_refused_is_shown_as_failing(api, story, schedule):
    made = schedule()
    api.post(f"/v1/definitions/{story.name}/versions/1/deprecate").must(200)
    made.do("trigger", 202)
    found = made.wait("failed", failed=1, waiting=0)
    assert found["attention"] == ["failing"] and found["last_error"]["code"] == "definition-deprecated" and found["last_saga"] is None
    assert "deprecated" in made.history("failed")[0]["detail"]
    api.ask("PUT", made.path, {**made.body, "cron": "@daily"}).problem(409, "definition-deprecated")
    api.post(f"/v1/definitions/{story.name}/versions/1/restore").must(200)
    made.do("trigger", 202)
    found = made.wait("good again", started=1)
    assert found["last_error"] is None and not found["attention"]


def test_a_paused_definition_holds_what_is_started(api, story, schedule):
    made = schedule()
    api.post(f"/v1/definitions/{story.name}/pause").must(200)
    made.do("trigger", 202)
    saga = made.wait("started", started=1)["last_saga"]
    assert api.saga(saga)["state"] == "pending"
    api.post(f"/v1/definitions/{story.name}/resume").must(200)
    api.wait(saga, "succeeded")


def test_a_start_that_was_not_written_down_is_not_made_again(api, story, schedule):
    made = schedule(catch_up="all")  # the first of January comes next
    made.set_back(HOUR // 2)
    saga = made.wait("started", started=1)["last_saga"]
    api.wait(saga, "succeeded")
    story.register(story.step("go"), description="a newer version")
    # The database forgets the firing, as if the node had died before it could write it down.
    made.sql(f"delete from sagad.schedule_event where name = '{made.name}' and kind = 'started'")
    made.set_back(HOUR // 2)
    found = made.wait("found", started=2)
    assert found["last_saga"] == saga and len(made.sagas()) == 1
    # It forgets only that the schedule had moved on, as a slower node does: then it is not counted twice.
    made.set_back(HOUR // 2)
    made.wait("moved on", next_at=found["next_at"])
    assert made.now()["started"] == 2 and len(made.history("started")) == 1


def test_two_nodes_and_a_restart_start_each_time_once(api, story, stack, schedule):
    made = schedule(cron="* * * * *", catch_up="all", catch_up_window="1h")
    other = stack.another_node()
    try:
        made.set_back(40 * MINUTE)
        until(lambda: made.now()["started"] > 5, 60, "under way")
        other.kill()
        until(lambda: parse(made.now()["next_at"]) > time.time() * 1000, 60, "all")
        times = [parse(saga["labels"]["scheduled_at"]) for saga in made.sagas()]
        assert len(times) == len(set(times)) == made.now()["started"] >= 40
    finally:
        other.close()
        api.ask("DELETE", made.path).must(200)


def test_its_metrics_are_counted(stack, schedule):
    made = schedule()
    made.do("trigger", 202)
    made.wait("started", started=1)
    text = made.api.get("/metrics").raw.decode()
    assert 'saga_cron_firings_total{result="started"}' in text and "saga_cron_delay_seconds_count" in text
