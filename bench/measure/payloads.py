"""Large payloads, beside the bare database and the bare loop with the same bytes."""
from measure.bed import say
from measure.goals import Goal

BATCH, OPEN = 50, 200
SAGAS = 2000  # in a run of 400 the beginning and the end would be most of it

GOALS = (
    Goal("payload_64k_ratio_to_database", "64 KB kept, of the bare database", at_least=0.6, floor=0.37,
         broker="embedded"),
    Goal("payload_64k_ratio_to_database", "64 KB kept, of the bare database", at_least=0.6, floor=0.3, broker="kafka"),
    Goal("payload_64k_ratio_to_loop", "64 KB sent thrice, of the bare loop", at_least=0.6, floor=0.5,
         broker="embedded"),
    Goal("payload_64k_ratio_to_loop", "64 KB sent thrice, of the bare loop", at_least=0.6, floor=0.37, broker="kafka"),
)


def clean(bed):
    """The bed with no page in memory that is still to be written: each writes its own, not those of the one before."""
    bed.postgres.sql("checkpoint")
    return bed


def payloads(bed, _found):
    """64 KB in each input: kept alone, and sent to a participant with each of three commands."""
    size, sagas = 64 * 1024, SAGAS
    limit = clean(bed).bare_rows("database", sagas, BATCH, INPUT_BYTES=size)
    kept = clean(bed).saturate("bench-kept", sagas, OPEN, INPUT_BYTES=size)
    loop = clean(bed).bare_loop(sagas // 2, OPEN, INPUT_BYTES=size)
    sent = clean(bed).saturate("bench-three", sagas // 2, OPEN, INPUT_BYTES=size)
    say(f"64 KB inputs: kept {kept['sagas_per_s']:,} sagas/s (bare database {limit:,}), WAL "
        f"{kept['wal_bytes_per_saga']:,} B; sent with three commands {sent['sagas_per_s']:,} (bare loop {loop:,})")
    return {"payload_64k_kept_sagas_per_s": kept["sagas_per_s"], "payload_64k_sent_sagas_per_s": sent["sagas_per_s"],
            "payload_64k_database_sagas_per_s": limit, "payload_64k_loop_sagas_per_s": loop,
            "payload_64k_wal_bytes_per_saga": kept["wal_bytes_per_saga"],
            "payload_64k_ratio_to_database": round(kept["sagas_per_s"] / limit, 3),
            "payload_64k_ratio_to_loop": round(sent["sagas_per_s"] / loop, 3)}
