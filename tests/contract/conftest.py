"""One PostgreSQL, one broker, one sagad and one participant for all; one story for each test."""
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from client import Api  # noqa: E402
from participant import Participant  # noqa: E402
from servers import Daemon, EmbeddedBroker, Postgres, until  # noqa: E402
from story import NOBODY, TOPIC, Story  # noqa: E402

OWN_TOPICS = [prefix + name for prefix in ("", "blue.") for name in ("saga.replies", "saga.events", "saga.signals", "saga.replies.dlt")]


class Stack:
    def __init__(self, extra=(), topics=(), unread=()):
        self.postgres = Postgres()
        self.broker = EmbeddedBroker([TOPIC, NOBODY, *topics, *unread, *OWN_TOPICS])
        self.daemon = Daemon(self.postgres.url, self.broker.brokers, extra=extra)
        done = self.daemon.tool("migrate", "--database-url", self.postgres.url)
        assert done.returncode == 0, done.stderr
        self.daemon.start()
        self.participant = Participant(self.broker.brokers, [TOPIC, *topics])
        self.api = Api(self.daemon.url)

    def another_node(self, *words):
        """A second sagad on the same database and broker; the caller closes it."""
        return Daemon(self.postgres.url, self.broker.brokers, extra=[*self.daemon.extra, *words]).start()

    def close(self):
        self.participant.close()
        for server in (self.daemon, self.broker, self.postgres):
            server.close()


@pytest.fixture(scope="session")
def stack():
    made = Stack()
    yield made
    if os.environ.get("KEEP_LOG"):
        Path(os.environ["KEEP_LOG"]).write_text(made.daemon.tail(10_000_000))
    made.close()


@pytest.fixture(scope="session")
def api(stack):
    return stack.api


@pytest.fixture(scope="session")
def participant(stack):
    return stack.participant


@pytest.fixture
def story(stack):
    before = len(stack.participant.errors)
    yield Story(stack.api, stack.participant)
    assert not stack.participant.errors[before:], "the participant itself failed"
    stack.daemon.must_live()
