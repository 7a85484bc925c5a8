"""`sagad maintain`: what a node does every ten minutes, on demand."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

from servers import SKIPPED, Daemon, Postgres  # noqa: E402

WEEKS_AGO_4 = "(sagad.now_ms() - 2419200000)"


class Maintain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres()
        cls.addClassCleanup(cls.postgres.close)
        cls.sagad = Daemon(cls.postgres.url, "127.0.0.1:1")
        assert cls.sagad.tool("migrate", "--database-url", cls.postgres.url).returncode == 0

    def number(self, sql):
        return int(self.postgres.sql(sql)[0][0])

    def maintain(self, *flags):
        done = self.sagad.tool("maintain", "--database-url", self.postgres.url, *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def given_old_sagas(self, count, finished):
        self.postgres.sql("insert into sagad.namespace (name) values ('default') on conflict do nothing")
        self.postgres.sql(f"select sagad.make_week(sagad.week_of({WEEKS_AGO_4}))")
        self.postgres.sql(f"""
            insert into sagad.saga (namespace_id, id, definition_id, created_at, odd_id, node, revision, attention,
                                    state, paused, finished_at, packed)
            select n.id, (lpad(to_hex({WEEKS_AGO_4}), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'))::uuid,
                   1, {WEEKS_AGO_4}, false, 0, 1, 0, 3, false, {f'{WEEKS_AGO_4} + 1' if finished else 'null'}, ''
              from sagad.namespace n, generate_series(1, {count}) i where n.name = 'default'
            on conflict do nothing""")
        for table, columns in (("saga_start (namespace_id, definition_id, id, input)", "namespace_id, 1, id, '{}'"),
                               ("saga_tag", "namespace_id, 'l', 'n', 'v', id")):
            self.postgres.sql(f"insert into sagad.{table} select {columns} from sagad.saga on conflict do nothing")

    def test_what_is_old_goes_when_it_is_asked_for(self):
        self.given_old_sagas(2500, finished=True)

        self.assertEqual(self.maintain("--retention-days", "0"), "")
        self.assertEqual(self.number("select count(*) from sagad.saga"), 2500)
        self.assertIn("let go: 2500 sagas, 1 weeks, 0 dead letters", self.maintain("--retention-days", "7"))

        for table in ("saga", "saga_start", "saga_tag"):
            self.assertEqual(self.number(f"select count(*) from sagad.{table}"), 0)
        self.assertEqual(self.number(f"""select count(*) from pg_class
            where relname = 'history_w' || sagad.week_of({WEEKS_AGO_4})"""), 0)
        self.assertIn("let go: 0 sagas, 0 weeks", self.maintain("--retention-days", "7"))

    def test_words_are_refused_and_a_database_is_wanted(self):
        self.assertEqual(self.sagad.tool("maintain", "now").returncode, 2)
        self.assertEqual(self.sagad.tool("maintain").returncode, 2)


if __name__ == "__main__":
    try:
        Postgres.find()
    except FileNotFoundError as missing:
        print(missing)
        sys.exit(SKIPPED)
    unittest.main()
