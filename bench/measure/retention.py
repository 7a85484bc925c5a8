"""Old weeks dropped while sagas run: does anybody wait?"""
import http.client
import json
import threading
import time

from measure import grown
from measure.bed import say
from measure.goals import Goal

DAYS, AGO, WEEKS = 90, 20, 2  # of the default of --retention-days; the old sagas are 18 to 20 weeks old

GOALS = (Goal("retention_pause_ms", "longest start while weeks are dropped", below=50, unit="ms"),)


class Prober:
    """Starts sagas one at a time, without a pause, and knows how long the longest took."""

    def __init__(self, bed):
        self.host, self.longest, self.count, self.over = bed.daemon.url.removeprefix("http://"), 0.0, 0, False
        self.thread = threading.Thread(target=self.probe)
        self.thread.start()

    def probe(self):
        connection = http.client.HTTPConnection(self.host, timeout=60)
        body = json.dumps({"definition": "bench-three", "input": {}})
        while not self.over:
            begun = time.perf_counter()
            connection.request("POST", "/v1/sagas", body, {"Content-Type": "application/json"})
            connection.getresponse().read()
            self.longest, self.count = max(self.longest, time.perf_counter() - begun), self.count + 1
        connection.close()

    def end(self):
        self.over = True
        self.thread.join()
        return self.longest * 1000


def retention(bed, _found):
    """The same probe for the same time with and without `sagad maintain`."""
    count = bed.size["retired"]
    bed.saturate("bench-three", 3000, 200)
    grown.fill(bed.postgres, count, WEEKS, AGO)
    prober, begun = Prober(bed), time.monotonic()
    done = bed.daemon.tool("maintain", "--retention-days", DAYS, "--database-url", bed.postgres.url, timeout=900)
    took, pause = time.monotonic() - begun, prober.end()
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    left = int(bed.postgres.sql("select count(*) from sagad.saga where created_at < "
                                f"{int(time.time() * 1000)} - {DAYS} * 86400000::bigint")[0][0])
    calm = Prober(bed)
    time.sleep(min(took, 20))
    usual = calm.end()
    say(f"retention: {count:,} old sagas gone in {took:.1f} s ({left:,} left), longest of {prober.count:,} starts "
        f"meanwhile {pause:.0f} ms, of {calm.count:,} without it {usual:.0f} ms")
    return {"retention_pause_ms": round(pause, 1), "retention_usual_pause_ms": round(usual, 1),
            "retention_sagas": count, "retention_left": left, "retention_s": round(took, 2)}
