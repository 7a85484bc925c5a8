"""Twenty times what it finishes, for a minute: what ends meanwhile, and how soon it is itself again."""
import json
import statistics
import subprocess
import time

from measure import machine
from measure.bed import program, say
from measure.goals import Goal
from measure.plot import line_chart

OPEN, TIMES = 3000, 20
CALM = 3  # normal again: not above so many times what it was before
GIVE_UP_S = 120
FULL_AFTER_S = 5  # from then on it counts: whatever fills up at first is full

GOALS = (
    Goal("overload_goodput_ratio", "finished/s under 20x overload, of the peak", at_least=0.8),
    Goal("overload_recovery_s", "until latency is normal again", below=10, unit="s"),
)


def overload(bed, _found):
    peak = max(bed.saturate("bench-three", bed.size["sagas"], OPEN)["sagas_per_s"] for _ in range(2))
    bed.drain()
    normal = statistics.median(one_at_a_time(bed) for _ in range(50))
    seconds = bed.size["overload_s"]
    samples, offered = under_load(bed, peak * TIMES, seconds)
    full, last = next(one for one in samples if one[0] >= FULL_AFTER_S), samples[-1]
    finished = (last[1] - full[1]) / (last[0] - full[0])
    recovery, after = recover(bed, normal)
    memory = max(sample[2] for sample in samples)
    say(f"overload: of {peak * TIMES:,}/s {offered['offered_per_s']:,}/s were offered (a caller waits for its answer), "
        f"{offered['refused_per_s']:,}/s refused; {finished:,.0f}/s finished meanwhile (peak {peak:,}); memory up to "
        f"{memory} MB; latency {normal:.1f} ms before, normal again after {recovery:.1f} s")
    return {"overload_peak_sagas_per_s": peak, "overload_offered_per_s": offered["offered_per_s"],
            "overload_refused_per_s": offered["refused_per_s"], "overload_finished_per_s": round(finished),
            "overload_rss_mb": memory,
            "overload_goodput_ratio": round(finished / peak, 3), "overload_recovery_s": round(recovery, 1),
            "overload_samples": [[round(at, 1), count] for at, count, _ in samples],
            "overload_recovery_samples": after}


def one_at_a_time(bed):
    """Start to finish of one saga, in ms; what a refused start makes of it counts as endless."""
    begun = time.perf_counter()
    status, answer = bed.daemon.call("POST", "/v1/sagas", {"definition": "bench-three", "input": {}},
                                     headers={"Prefer": "wait=2"}, timeout=30)
    ended = status == 201 and answer["finished_at"] is not None
    return (time.perf_counter() - begun) * 1000 if ended else float("inf")


def under_load(bed, rate, seconds):
    """[(second, sagas finished, MB)] while more is offered than can be done."""
    begun, first = time.monotonic(), bed.counter("saga_finished_total")
    load = subprocess.Popen([program("saga-load"), "overload", bed.daemon.where[1], "bench-three", str(seconds),
                             str(rate)], stdout=subprocess.PIPE, text=True)
    samples = []
    while load.poll() is None:
        time.sleep(0.5)
        samples.append((time.monotonic() - begun, bed.counter("saga_finished_total") - first, machine.rss_mb(bed.pid)))
    text = load.stdout.read()
    if load.returncode != 0:
        raise RuntimeError(f"saga-load overload ended with {load.returncode}: {text}")
    return samples, json.loads(text)


def recover(bed, normal):
    """Seconds until nine of ten new sagas in a row are as quick as before."""
    begun, window, samples = time.monotonic(), [], []
    while time.monotonic() - begun < GIVE_UP_S:
        took = one_at_a_time(bed)
        window = [*window, took][-10:]
        samples.append([round(time.monotonic() - begun, 2), None if took == float("inf") else round(took, 1)])
        if len(window) == 10 and sorted(window)[8] <= CALM * normal:
            return time.monotonic() - begun, samples
    return GIVE_UP_S, samples


def plot_overload(results):
    series = {}
    for broker, result in results.items():
        samples = result["overload_samples"]
        series[f"finished/s, {broker}"] = [(b[0], (b[1] - a[1]) / (b[0] - a[0])) for a, b in zip(samples, samples[1:])]
        series[f"peak, {broker}"] = [(0, result["overload_peak_sagas_per_s"]),
                                     (samples[-1][0], result["overload_peak_sagas_per_s"])]
    return line_chart("Sagas finished a second under 20x overload", "seconds", "sagas/s", series)
