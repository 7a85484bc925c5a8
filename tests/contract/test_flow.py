"""What is full: a topic's window, and the number of open sagas."""
import pytest

from conftest import Stack
from participant import no, ok, silence
from servers import until
from story import Story

CROWD, FREE = "crowd.commands", "free.commands"
WINDOW, PER_DEFINITION, ALL = 10, 8, 40


@pytest.fixture(scope="module")
def stack():
    """One of our own: it is small. One worker: two may take the last place of a window at once."""
    made = Stack(extra=("--workers", "1", "--window-max", str(WINDOW), "--open-max", str(ALL), "--open-max-per-definition", str(PER_DEFINITION)),
                 topics=(CROWD, FREE))
    yield made
    made.close()


@pytest.fixture
def story(stack):
    yield Story(stack.api, stack.participant)
    stack.daemon.must_live()
    for saga in list(stack.api.pages("/v1/sagas", state=["running", "compensating", "stuck", "pending"])):
        stack.api.command(saga["id"], "terminate")


def waiting(story):
    return story.api.get(f"/v1/topics/{CROWD}").must()["waiting"]


def test_when_the_window_is_full_undo_goes_before_what_is_in_flight_before_what_is_new(stack, story):
    new = Story(stack.api, stack.participant)
    fill = story.register(story.step("fill", silence, topic=CROWD))
    fillers = [story.api.start(fill) for _ in range(8)]  # what new sagas may have of the window
    filled = [story.sent(id_, "fill") for id_ in fillers]

    late = new.register(new.step("new", topic=CROWD))
    news = [story.api.start(late) for _ in range(2)]
    until(lambda: waiting(story) == 2, 60, "the new ones wait")
    flying = [story.start(story.step("one", topic=FREE), story.step("two", silence, topic=CROWD), name=f"{story.name}f{n}") for n in range(3)]
    until(lambda: all(story.api.step(id_, "two")["state"] == "dispatched" for id_ in flying), 60, "what is in flight has its turn")
    undone = [story.start(story.step("one", topic=FREE, undo=(silence,), undo_with={"topic": CROWD}), story.step("two", no("sold_out"), topic=FREE),
                          name=f"{story.name}u{n}") for n in range(3)]
    until(lambda: all(story.api.saga(id_)["state"] == "compensating" for id_ in undone), 60, "undo has its turn")

    def arrived():
        names = {**dict.fromkeys(news, "new"), **dict.fromkeys(flying, "two"), **dict.fromkeys(undone, "undo one")}
        return [name for id_, name in names.items() if name in story.calls(id_)]

    assert "new" not in arrived()
    for command in filled:
        story.answer(command, ok({}))
        story.api.wait(command.saga, "succeeded")
    until(lambda: len(arrived()) == 8, 60, "all of them are sent")
    sent_at = {name: sorted(story.participant.of(id_, name)[0].sent_ms for id_ in ids)
               for ids, name in ((news, "new"), (flying, "two"), (undone, "undo one"))}
    assert max(sent_at["undo one"] + sent_at["two"]) <= sent_at["new"][0]


def refused(story, definition):
    answer = story.api.post("/v1/sagas", {"definition": definition})
    problem = answer.problem(429, "overloaded")
    assert int(answer.header("Retry-After")) > 0 and problem["retryable"]
    return problem["detail"]


def test_a_definition_with_as_many_open_sagas_as_may_be_takes_no_more(stack, story):
    definition = story.register(story.step("pay", silence, topic=FREE))
    ids = [story.api.start(definition) for _ in range(PER_DEFINITION)]

    assert "of this definition" in refused(story, definition)
    bulk = story.api.post("/v1/sagas/bulk", {"items": [{"definition": definition}] * 2}).must(200)
    assert [item["status"] for item in bulk["items"]] == [429, 429]
    assert story.api.get("/v1/sagas/count", definition=story.name).must()["count"] == PER_DEFINITION
    stack.daemon.stop()
    stack.daemon.start()
    assert "of this definition" in refused(story, definition)

    story.api.command(ids[0], "terminate").must(202)
    more = story.api.start(definition)
    assert "of this definition" in refused(story, definition)
    for id_ in [*ids[1:], more]:
        story.answer(story.sent(id_, "pay"), ok({}))
        story.api.wait(id_, "succeeded")
    story.api.start(definition)


def test_the_namespace_has_a_cap_of_its_own(story):
    definitions = [story.register(story.step(f"pay{n}", silence, topic=FREE), name=f"{story.name}n{n}") for n in range(ALL // PER_DEFINITION + 1)]
    ids = [story.api.start(definition) for definition in definitions[:-1] for _ in range(PER_DEFINITION)]

    assert "open-max)" in refused(story, definitions[-1])
    story.api.command(ids[0], "terminate").must(202)
    story.api.start(definitions[-1])
    refused(story, definitions[-1])


def test_what_has_a_place_keeps_it_whatever_is_refused(story):
    definition = story.register(story.step("pay", silence))
    for _ in range(PER_DEFINITION - 1):
        story.api.start(definition)
    story.api.post("/v1/sagas", {"definition": definition, "id": "no uuid"}).problem(422)
    story.api.post("/v1/sagas", {"definition": {"name": story.name, "version": 99}}).problem(422)

    body = {"definition": definition}
    last = story.api.post("/v1/sagas", body, key=story.name).must(201)
    refused(story, definition)
    story.answer(story.sent(last["id"], "pay"), ok({}))
    story.api.wait(last["id"], "succeeded")
    assert story.api.post("/v1/sagas", body, key=story.name).must(201)["id"] == last["id"]
    story.api.start(definition)
