"""Ten million finished sagas in the tables: throughput, latency and lists as with none; a week dropped."""
import http.client
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from measure.bed import now_ms, say
from measure.goals import Goal
from measure.latency import at_rate

OPEN, CHUNK, FILLERS, TEMPLATES = 1000, 100_000, 2, 1000
WEEK_MS, WEEKS = 604_800_000, 8
TIMES = ("created_at", "finished_at", "at", "start_at")
KEYS = {"saga": "id", "saga_start": "id", "history": "saga_id"}  # the tables that a finished saga leaves rows in

GOALS = (
    Goal("grown_throughput_ratio", "throughput, of an empty database", at_least=0.8),
    Goal("grown_p99_ratio", "p99 at half load, empty by grown", at_least=0.8),
    Goal("grown_lists_ratio", "slowest list query, empty by grown", at_least=0.8),
)

LISTS = {
    "newest": "/v1/sagas?limit=50",
    "succeeded": "/v1/sagas?state=succeeded&limit=50",
    "compensated": "/v1/sagas?state=compensated&limit=50",
    "stuck": "/v1/sagas?attention=stuck&limit=50",
    "definition": "/v1/sagas?definition=bench-three&limit=50",
    "definition and state": "/v1/sagas?definition=bench-refused&state=compensated&limit=50",
    "since": "/v1/sagas?created_after={hour_ago}&limit=50",
}


def grown(bed, _found):
    """Everything on the empty tables, then the rows, then everything again."""
    count = bed.size["finished"]
    empty = figures(bed)
    fill(bed.postgres, count)
    full = figures(bed)
    lists = {name: empty["lists"][name] / full["lists"][name] for name in LISTS}
    say(f"{count:,} finished sagas, {size_gb(bed.postgres):.1f} GB: {full['sagas_per_s']:,} sagas/s "
        f"({empty['sagas_per_s']:,} empty), p99 at {full['rate']:,}/s {full['p99']:.0f} ms ({empty['p99']:.0f} ms)")
    for name in LISTS:
        say(f"  list {name:<22} p50 {full['lists'][name]:.2f} ms ({empty['lists'][name]:.2f} ms empty)")
    return {"grown_sagas": count, "grown_sagas_per_s": full["sagas_per_s"],
            "grown_empty_sagas_per_s": empty["sagas_per_s"], "grown_p99_ms": full["p99"],
            "grown_empty_p99_ms": empty["p99"], "grown_lists_ms": full["lists"], "grown_empty_lists_ms": empty["lists"],
            "grown_throughput_ratio": round(full["sagas_per_s"] / empty["sagas_per_s"], 3),
            "grown_p99_ratio": round(empty["p99"] / full["p99"], 3),
            "grown_lists_ratio": round(min(lists.values()), 3)}


def figures(bed):
    sagas = bed.size["sagas"]
    bed.saturate("bench-refused", 2000, OPEN)
    rates = [bed.saturate("bench-three", sagas, OPEN)["sagas_per_s"] for _ in range(2)]
    rate = bed.size["grown_rate"]
    tails = [at_rate(bed, rate, bed.size["half_s"])[1] for _ in range(2)]
    return {"sagas_per_s": max(rates), "rate": rate, "p99": min(tails), "lists": list_times(bed)}


def list_times(bed):
    """p50 in ms of each list query, over one connection."""
    host = bed.daemon.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=60)
    hour_ago = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
    found = {}
    for name, path in LISTS.items():
        took = []
        for _ in range(41):
            begun = time.perf_counter()
            connection.request("GET", path.format(hour_ago=hour_ago))
            answer = connection.getresponse()
            body = answer.read()
            took.append((time.perf_counter() - begun) * 1000)
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status} {body[:300]}")
        found[name] = round(statistics.median(took), 3)
    connection.close()
    return found


# ---- rows by SQL --------------------------------------------------------------------------

def fill(postgres, count, weeks=WEEKS, ago=WEEKS):
    """Finished sagas, copies of such as sagad wrote, with ids and times over some weeks from `ago` weeks ago on."""
    begun = time.monotonic()
    first = now_ms() - ago * WEEK_MS
    postgres.sql(f"select sagad.make_partitions({first} + w::bigint * {WEEK_MS}) from generate_series(0, {weeks}) as w")
    prepare_templates(postgres)
    step = weeks * WEEK_MS // count
    chunks = [(first, step, done, min(CHUNK, count - done)) for done in range(0, count, CHUNK)]
    with ThreadPoolExecutor(FILLERS) as fillers:
        for _ in fillers.map(lambda chunk: fill_some(postgres, *chunk), chunks):
            pass
    drop_templates(postgres)
    postgres.sql("vacuum analyze; checkpoint", timeout=3600)
    say(f"  {count:,} finished sagas written in {time.monotonic() - begun:.0f} s")


def prepare_templates(postgres):
    """The rows of some finished sagas, small enough for memory; n tells the sagas apart."""
    postgres.sql(f"""
        create unlogged table template as
            select row_number() over (order by md5(s.id::text)) - 1 as n, s.id, s.created_at
              from sagad.saga s join sagad.definition d on d.id = s.definition_id
             where s.finished_at is not null and d.name in ('bench-three', 'bench-refused')
             order by md5(s.id::text)
             limit {TEMPLATES}""")
    for table, key in KEYS.items():
        postgres.sql(f"""
            create unlogged table template_{table} as
                select t.n, t.created_at as template_at, r.*
                  from template t join sagad.{table} r on r.{key} = t.id;
            analyze template_{table}""")


def drop_templates(postgres):
    for table in ("", *("_" + table for table in KEYS)):
        postgres.sql(f"drop table template{table}")


def fill_some(postgres, first_ms, step_ms, done, count):
    """Saga number n of all copies the template n modulo their number; one transaction."""
    templates = int(postgres.sql("select count(*) from template")[0][0])
    at = f"({first_ms} + number * {step_ms}::bigint)"
    digits = f"lpad(to_hex({at}), 12, '0')"
    statements = []
    for table, key in KEYS.items():
        columns = [row[0] for row in postgres.sql(f"""
            select column_name from information_schema.columns
             where table_schema = 'sagad' and table_name = '{table}' and is_generated = 'NEVER'
             order by ordinal_position""")]
        moved = {key: f"({digits} || substr(replace(r.{key}::text, '-', ''), 13))::uuid",
                 **{name: f"r.{name} - r.template_at + {at}" for name in TIMES}}
        values = ", ".join(moved.get(name, f"r.{name}") for name in columns)
        statements.append(f"insert into sagad.{table} ({', '.join(columns)}) select {values} "
                          f"from generate_series({done}, {done + count - 1}) as number "
                          f"join template_{table} r on r.n = number % {templates}")
    postgres.sql("begin; " + "; ".join(statements) + "; commit", timeout=600)


def size_gb(postgres):
    return int(postgres.sql("select pg_database_size(current_database())")[0][0]) / 1e9
