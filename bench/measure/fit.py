"""The cost model of docs/capacity.md and its constants.

    seconds a saga = (c0 + c1 * KB) / cores + (l0 + l1 * sync) / open

The first part is work, shared by the cores; the second is waiting, shared by the sagas that are open. It is
linear in its four constants, so that least squares of the relative error find them.
"""


def terms(point):
    cores, opened = point["cores"], point["open"]
    return [1 / cores, point["bytes"] / 1024 / cores, 1 / opened, point["sync_ms"] / 1000 / opened]


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
    """(c0, c1, l0, l1); each point counts alike, by its relative error."""
    lines = [[term * point["sagas_per_s"] for term in terms(point)] for point in points]
    size = len(lines[0])
    matrix = [[sum(line[i] * line[j] for line in lines) for j in range(size)] for i in range(size)]
    return solve(matrix, [sum(line[i] for line in lines) for i in range(size)])


def predicted(model, point):
    """Sagas a second."""
    return 1 / sum(constant * term for constant, term in zip(model, terms(point)))
