"""The cost model of docs/capacity.md and its constants.

    seconds a saga = (event + byte * KB + batch / open) / cores + syncs * sync / open

Work is shared by the cores: of a saga's own events, of its payload, and of the batches, which are the smaller
the fewer sagas are open. Waiting for the disk is shared by the sagas that are open. It is linear in its
four constants, so that least squares of the relative error find them.
"""

NAMES = ("event", "byte", "batch", "syncs")


def terms(point):
    cores, opened = point["cores"], point["open"]
    return [1 / cores, point["bytes"] / 1024 / cores, 1 / opened / cores, point["sync_ms"] / 1000 / opened]


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
    """As NAMES says; each point counts alike, by its relative error."""
    lines = [[term * point["sagas_per_s"] for term in terms(point)] for point in points]
    size = len(lines[0])
    matrix = [[sum(line[i] * line[j] for line in lines) for j in range(size)] for i in range(size)]
    return solve(matrix, [sum(line[i] for line in lines) for i in range(size)])


def predicted(model, point):
    """Sagas a second."""
    return 1 / sum(constant * term for constant, term in zip(model, terms(point)))
