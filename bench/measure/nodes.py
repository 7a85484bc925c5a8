"""Two nodes on one database against one, and how many commands they send."""
from statistics import median

from measure.bed import say, until
from measure.goals import Goal

OPEN, ROUNDS = 3000, 3

GOALS = (
    Goal("two_nodes_ratio", "two nodes, of one node", at_least=1.0),
    Goal("two_nodes_duplicate_commands", "commands sent twice by two nodes", below=1),
)


def nodes(bed, _found):
    """The same load on one node, then on both, in turns; the topic's length tells how many commands were sent."""
    rounds = [(one_node(bed), *two_nodes(bed)) for _ in range(ROUNDS)]
    one, two = (median(found[i] for found in rounds) for i in (0, 1))
    duplicates = sum(found[2] for found in rounds)
    say(f"two nodes: {two:,} sagas/s, one {one:,} (in turns: "
        f"{', '.join(f'{both:,} of {alone:,}' for alone, both, _ in rounds)}); {duplicates} commands sent twice")
    return {"one_node_sagas_per_s": one, "two_nodes_sagas_per_s": two, "two_nodes_ratio": round(two / one, 3),
            "two_nodes_duplicate_commands": duplicates}


def one_node(bed):
    """Sagas a second by the bed's node."""
    warm(bed, None)
    return bed.saturate("bench-three", bed.size["sagas"], OPEN)["sagas_per_s"]


def two_nodes(bed):
    """Sagas a second by it and a second one, and commands beyond three a saga."""
    sagas = bed.size["sagas"]
    second = bed.new_daemon()
    try:
        second.start()
        both = f"{bed.daemon.where[1]},{second.where[1]}"
        warm(bed, both)
        before = bed.commands_sent()
        rate = bed.load("saturate", "bench-three", sagas, OPEN, url=both)["sagas_per_s"]
        until(lambda: bed.open_sagas() == 0, 60, "no saga open", 0.2)
        return rate, bed.commands_sent() - before - 3 * sagas
    finally:
        second.close()


def warm(bed, url):
    """Partitions move when a node comes or goes; then plans and caches are made."""
    for _ in range(2):
        bed.load("saturate", "bench-three", bed.size["sagas"] // 4, OPEN, url=url)
        until(lambda: bed.open_sagas() == 0, 60, "no saga open", 0.2)
