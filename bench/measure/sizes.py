"""How much of everything is measured."""

FULL = {
    "sagas": 60000, "trips": 200000, "idle": 300, "half_s": 8, "open": [1, 10, 50, 200, 1000, 3000],
    "waiting": 1_000_000, "finished": 10_000_000, "grown_rate": 3000, "retired": 500_000, "overload_s": 60,
}
QUICK = {
    "sagas": 12000, "trips": 50000, "idle": 100, "half_s": 3, "open": [1, 200, 3000],
    "waiting": 20_000, "finished": 50_000, "grown_rate": 2000, "retired": 20_000, "overload_s": 8,
}
