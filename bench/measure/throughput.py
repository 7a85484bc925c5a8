"""Sagas finished a second: by number open, refused, long and wide."""
from measure import machine
from measure.bed import say
from measure.goals import Goal
from measure.plot import line_chart

CLOSED_MAX = 50  # up to here each start waits for its end; above, bulk starts and a look at /metrics
DIP = 0.93       # a point this far below an earlier one is a dip, not noise

CURVE_GOALS = (
    Goal("sagas_per_s_at_3000", "3-step sagas finished, 3,000 open", at_least=10000, broker="kafka", unit="1/s"),
    Goal("sagas_per_s_at_200", "3-step sagas finished, 200 open", at_least=4000, broker="kafka", unit="1/s"),
    Goal("ratio_to_bare_loop_at_3000", "of the bare loop, 3,000 open", at_least=0.5, floor=0.4),
    Goal("ratio_to_bare_loop_at_200", "of the bare loop, 200 open", at_least=0.5, floor=0.25),
    Goal("ratio_to_bare_loop_at_1", "of the bare loop, one at a time", at_least=0.5, floor=0.3),
    Goal("sagas_per_s", "3-step sagas finished at best", at_least=7000, broker="embedded", unit="1/s"),
    Goal("rises", "lowest of a point by the best before it (no dip)", at_least=DIP),
    Goal("sagad_cpu_s_per_1000", "CPU of sagad per 1,000 sagas", below=0.06, unit="s"),
    Goal("wal_bytes_per_saga", "WAL a saga, 100-byte payloads", below=2500, unit="B"),
)


def count_at(opened, sagas):
    """How many sagas make a fair point: a few seconds at any number open."""
    return {1: sagas // 150, 10: sagas // 20, 50: sagas // 7, 200: sagas // 3}.get(opened, sagas)


def curve(bed, _found):
    """Each point of the bare loop directly before sagad's."""
    size, result = bed.size, {"transport_limit_round_trips_per_s": bed.transport_limit}
    say(f"bare transport          {bed.transport_limit:>8,} round trips/s at 2,000 open")
    say(f"{'open':>8} {'bare loop/s':>12} {'sagad/s':>9} {'ratio':>6}   CPU s per 1,000: sagad PostgreSQL broker"
        f"   WAL B a saga")
    points = []
    for opened in size["open"]:
        sagas = max(count_at(opened, size["sagas"]), 2 * opened)
        bare = bed.bare_loop(sagas, opened)
        found = bed.saturate("bench-three", sagas, opened, "closed" if opened <= CLOSED_MAX else "saturate")
        found.update(open=opened, bare_loop_sagas_per_s=bare)
        points.append(found)
        say(f"{opened:>8,} {bare:>12,} {found['sagas_per_s']:>9,} {found['sagas_per_s'] / bare:>6.0%}   "
            f"{found['sagad_cpu_s_per_1000']:>22} {found['postgres_cpu_s_per_1000']:>10} "
            f"{found['broker_cpu_s_per_1000']:>6}   {found['wal_bytes_per_saga']:>12,}")
    result["curve"] = [{key: point[key] for key in ("open", "sagas_per_s", "bare_loop_sagas_per_s",
                                                    "sagad_cpu_s_per_1000", "wal_bytes_per_saga")}
                       for point in points]
    best = max(points, key=lambda point: point["sagas_per_s"])
    result.update({key: best[key] for key in ("sagas_per_s", "open", "sagad_cpu_s_per_1000", "wal_bytes_per_saga",
                                              "postgres_cpu_s_per_1000", "broker_cpu_s_per_1000",
                                              "bare_loop_sagas_per_s")})
    result["ratio_to_bare_loop"] = round(best["sagas_per_s"] / best["bare_loop_sagas_per_s"], 3)
    for point in points:
        result[f"sagas_per_s_at_{point['open']}"] = point["sagas_per_s"]
        result[f"ratio_to_bare_loop_at_{point['open']}"] = round(
            point["sagas_per_s"] / point["bare_loop_sagas_per_s"], 3)
    result["rises"] = lowest_rise([point["sagas_per_s"] for point in points])
    result["rss_loaded_mb"] = machine.rss_mb(bed.pid)
    return result


def lowest_rise(rates):
    """The lowest quotient of a rate and the best before it: 1 or more for a curve that only rises."""
    return round(min(rate / max(rates[:i]) for i, rate in enumerate(rates) if i > 0), 3)


def plot_curve(results):
    """The curves of all brokers in one picture."""
    series = {}
    for broker, result in results.items():
        series[f"sagad, {broker}"] = [(point["open"], point["sagas_per_s"]) for point in result["curve"]]
        series[f"bare loop, {broker}"] = [(point["open"], point["bare_loop_sagas_per_s"])
                                          for point in result["curve"]]
    return line_chart("3-step sagas finished a second", "open at a time", "sagas/s", series, log_x=True)


SHAPE_GOALS = (
    Goal("refused_ratio", "step 3 refused, of the success rate", at_least=0.6),
    Goal("ten_steps_ratio", "steps/s of 10-step sequence, of 3-step", at_least=1.0),
    Goal("wide_steps_ratio", "steps/s of 10-wide DAG, of 3-step", at_least=1.0),
)


def shapes(bed, found):
    """Other sagas than three steps that succeed, at the number open that was best for those."""
    opened, sagas = found["open"], bed.size["sagas"]
    three = bed.saturate("bench-three", sagas // 2, opened)["sagas_per_s"]
    refused = bed.saturate("bench-refused", sagas // 2, opened)["sagas_per_s"]
    ten = bed.saturate("bench-ten", sagas // 6, opened)["sagas_per_s"] * 10
    wide = bed.saturate("bench-wide", sagas // 6, opened)["sagas_per_s"] * 10
    say(f"at {opened:,} open: 3 steps {three:,} sagas/s ({three * 3:,} steps/s); step 3 refused {refused:,} sagas/s "
        f"undone; 10 steps {ten:,} steps/s; 10 wide {wide:,} steps/s")
    return {"compensated_per_s": refused, "refused_ratio": round(refused / three, 3),
            "ten_steps_per_s": ten, "ten_steps_ratio": round(ten / three / 3, 3),
            "wide_steps_per_s": wide, "wide_steps_ratio": round(wide / three / 3, 3)}
