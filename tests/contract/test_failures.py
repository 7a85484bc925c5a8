"""Failure groups: what is wrong with how many sagas, exact through crashes, also for sagas from before."""
import pytest

from conftest import Stack
from participant import again, no, ok, silence
from servers import sql, until
from story import AMPLE, SLOW, Story


@pytest.fixture(scope="module")
def stack():
    """One of our own: it is broken here."""
    made = Stack()
    yield made
    made.close()


@pytest.fixture
def story(stack):
    yield Story(stack.api, stack.participant)
    stack.daemon.must_live()


def groups(story, **query):
    return list(story.api.pages("/v1/failures", definition=story.name, **query))


def stuck(story, count=1, code="locked"):
    """Sagas whose undo was refused with `code`."""
    steps = (story.step("one", undo=(no(code),)), story.step("pay", no("declined")))
    definition = story.register(*steps)
    ids = [story.api.start(definition) for _ in range(count)]
    for id_ in ids:
        story.api.wait(id_, "stuck")
    return ids


def test_sagas_with_the_same_trouble_are_one_group(story):
    ids = stuck(story, 3)

    [group] = groups(story)

    assert group["count"] == 3 and group["state"] == "stuck" and group["code"] == "locked", group
    assert (group["definition"], group["version"], group["step"], group["op"]) == (story.name, 1, "one", "compensate")
    assert sorted(group["sample"]) == sorted(ids) and group["first_at"] <= group["last_at"]
    assert story.api.get(f"/v1/failures/{group['id']}").must() == group


def test_another_step_code_version_or_state_is_another_group(story):
    stuck(story, 2)
    steps = (story.step("one", undo=(no("locked"),)), story.step("pay", again("busy"), retry=SLOW))
    retried = story.api.start(story.register(*steps))
    story.api.wait_step(retried, "pay", "retrying")

    found = groups(story)

    assert [(g["count"], g["version"], g["state"], g["step"], g["op"], g["code"]) for g in found] == [
        (2, 1, "stuck", "one", "compensate", "locked"), (1, 2, "retrying", "pay", "action", "busy")]
    assert [g["state"] for g in groups(story, state="retrying")] == ["retrying"]
    assert [g["state"] for g in groups(story, state="stuck")] == ["stuck"]
    assert len(groups(story, state=["stuck", "retrying"])) == 2


def test_a_saga_leaves_its_group_in_the_commit_that_lets_it_go_on(story):
    id_, other = stuck(story, 2)
    [group] = groups(story)

    story.api.command(id_, "skip", "one").must(202)
    assert [g["count"] for g in groups(story)] == [1]
    story.api.command(other, "terminate").must(202)

    assert groups(story) == []
    story.api.get(f"/v1/failures/{group['id']}").problem(404, "failure-not-found")


def test_a_timeout_that_is_tried_again_is_a_group_until_it_succeeds(story):
    id_ = story.start(story.step("pay", silence, ok({}), timeout=AMPLE, retry=SLOW))
    story.api.wait_step(id_, "pay", "retrying")
    [group] = groups(story)
    assert (group["state"], group["code"], group["sample"]) == ("retrying", "timeout", [id_])

    story.api.command(id_, "retry", "pay").must(202)
    story.api.wait(id_, "succeeded")

    assert groups(story) == []


def test_pages_are_by_count_and_bound_to_their_filter(story):
    for n, code in enumerate(("first", "second", "third"), 1):
        stuck(story, n, code)

    page = story.api.get("/v1/failures", definition=story.name, limit=2).must()
    assert [g["count"] for g in page["items"]] == [3, 2]
    rest = story.api.get("/v1/failures", definition=story.name, limit=2, cursor=page["next_cursor"]).must()
    assert [g["count"] for g in rest["items"]] == [1] and rest["next_cursor"] is None
    story.api.get("/v1/failures", cursor=page["next_cursor"]).problem(400, "invalid-cursor")


@pytest.mark.parametrize("query", ({"state": "running"}, {"limit": 0}, {"limit": 501}, {"cursor": "x"}, {"code": "busy"}))
def test_bad_queries_are_refused(story, query):
    story.api.get("/v1/failures", **query).problem(400)


@pytest.mark.parametrize("id_", ("x", "s1", "s1-0", "s-", "q1-0000000000000001", "s1-0000000000000001x", "s" + "f" * 40 + "-1",
                                 "sffffffffffffffff-ffffffffffffffff"))
def test_an_id_that_names_nothing_is_404(story, id_):
    story.api.get(f"/v1/failures/{id_}").problem(404, "failure-not-found")


def counted(stack):
    """What the sagas themselves say, against the rows that are kept of them."""
    wrong = sql(stack.postgres.url, "select count(*) from (select id from sagad.saga where attention & 9 <> 0) s"
                " full join sagad.failure f on f.saga_id = s.id where s.id is null or f.saga_id is null")
    return int(wrong[0][0])


def test_a_kill_leaves_no_saga_out_and_none_in(stack, story):
    steps = (story.step("one", undo=(no("locked"),)), story.step("pay", no("declined")))
    definition = story.register(*steps)
    ids = []
    for _ in range(3):
        ids += [story.api.start(definition) for _ in range(20)]
        stack.daemon.kill()
        assert counted(stack) == 0
        stack.daemon.start()
    for id_ in ids:
        story.api.wait(id_, "stuck")

    assert [g["count"] for g in groups(story)] == [60]
    assert counted(stack) == 0


def test_sagas_that_were_stuck_before_are_looked_up_once(stack, story):
    stuck(story, 3)
    retried = story.start(story.step("pay", again("busy"), retry=SLOW))
    story.api.wait_step(retried, "pay", "retrying")
    before = groups(story)
    stack.daemon.stop()
    sql(stack.postgres.url, "delete from sagad.failure; insert into sagad.failure_backfill select id from sagad.namespace")

    stack.daemon.start()

    shape = lambda found: [(g["id"], g["count"], sorted(g["sample"])) for g in found]
    until(lambda: shape(groups(story)) == shape(before), 60, "the groups are back")
    until(lambda: counted(stack) == 0, 60, "every group is back")
    until(lambda: sql(stack.postgres.url, "select count(*) from sagad.failure_backfill") == [["0"]], 60, "looked through")
