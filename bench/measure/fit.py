"""The cost model of docs/capacity.md and its constants.

    seconds a saga = max((event + byte * KB + batch / open) / cores, 4 * sync / open)

Work is shared by the cores: of a saga's own events, of its payload, and of the batches, which are the smaller
the fewer sagas are open. Waiting for the disk, at four commits one after the other, is shared by the sagas
that are open; one batch is worked on while another waits. Work is linear in its three constants, so that
least squares of the relative error find them.
"""

COMMITS = 4  # of a saga of three steps: its start and three replies


def terms(point):
    cores = point["cores"]
    return [1 / cores, point["bytes"] / 1024 / cores, 1 / point["open"] / cores]


def solve(matrix, right):
    """Gauss, with the largest pivot."""
    rows = [[*row, value] for row, value in zip(matrix, right)]
    size = len(rows)
    for i in range(size):
        pivot = max(range(i, size), key=lambda j: abs(rows[j][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for j in range(size):
            if j != i:
                factor = rows[j][i] / rows[i][i]
                rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i])]
    return [rows[i][-1] / rows[i][i] for i in range(size)]


def constants(points):
    """(event, byte, batch) of points that wait for no disk; each counts alike, by its relative error."""
    lines = [[term * point["sagas_per_s"] for term in terms(point)] for point in points]
    size = len(lines[0])
    matrix = [[sum(line[i] * line[j] for line in lines) for j in range(size)] for i in range(size)]
    return solve(matrix, [sum(line[i] for line in lines) for i in range(size)])


def predicted(model, point):
    """Sagas a second."""
    work = sum(constant * term for constant, term in zip(model, terms(point)))
    return 1 / max(work, COMMITS * point["sync_ms"] / 1000 / point["open"])
