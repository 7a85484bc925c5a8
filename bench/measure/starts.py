"""POST /v1/sagas one each and in bulk, beside the bare database writing the rows of the starts."""
from measure.bed import say
from measure.goals import Goal

CONNECTIONS, BULK_CONNECTIONS, BATCH = 512, 8, 500

GOALS = (
    Goal("starts_alone_per_s", "POST one each, starts alone", at_least=20000, unit="1/s"),
    Goal("starts_per_s", "POST one each while the sagas run", at_least=20000, unit="1/s"),
    Goal("bulk_starts_per_s", "bulk starts", at_least=50000, unit="1/s"),
    Goal("starts_ratio_to_database", "POST one each, of the bare rows", at_least=0.25, floor=0.17),
    Goal("bulk_ratio_to_database", "bulk starts, of the bare rows", at_least=0.5, floor=0.32),
)


def starts(bed, _found):
    """Alone: the first step waits on a topic that nobody reads, so nothing but starts happens."""
    sagas = bed.size["sagas"]
    limit = bed.bare_rows("starts", sagas, BATCH)
    bulk = bed.load("bulk", "bench-waiting", sagas, BULK_CONNECTIONS)["starts_per_s"]
    alone = bed.load("starts", "bench-waiting", sagas, CONNECTIONS)
    with_ends = bed.load("starts", "bench-three", sagas, CONNECTIONS)
    bed.forget_waiting()
    say(f"POST /v1/sagas: {alone['starts_per_s']:,}/s one each (p99 {alone['p99_ms']} ms), "
        f"{with_ends['starts_per_s']:,}/s while the sagas run, {bulk:,}/s in bulk; "
        f"the bare rows {limit:,}/s in batches of {BATCH}")
    return {"starts_per_s": with_ends["starts_per_s"], "starts_alone_per_s": alone["starts_per_s"],
            "starts_alone_p99_ms": alone["p99_ms"], "bulk_starts_per_s": bulk, "database_starts_per_s": limit,
            "starts_ratio_to_database": round(alone["starts_per_s"] / limit, 3),
            "bulk_ratio_to_database": round(bulk / limit, 3)}
