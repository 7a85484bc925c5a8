"""Two nodes on one database against one, and how many commands they send."""
from measure.bed import say, until
from measure.goals import Goal

OPEN = 3000

GOALS = (
    Goal("two_nodes_ratio", "two nodes, of one node", at_least=1.0),
    Goal("two_nodes_duplicate_commands", "commands sent twice by two nodes", below=1),
)


def nodes(bed, _found):
    """The same load on one node, then on both; the topic's length tells how many commands were sent."""
    sagas = bed.size["sagas"]
    one = max(bed.saturate("bench-three", sagas, OPEN)["sagas_per_s"] for _ in range(2))
    second = bed.new_daemon()
    try:
        second.start()
        both = f"{bed.daemon.where[1]},{second.where[1]}"
        bed.load("saturate", "bench-three", sagas // 4, OPEN, url=both)  # partitions move, both get warm
        until(lambda: bed.open_sagas() == 0, 60, "no saga open", 0.2)
        before = bed.commands_sent()
        two = bed.load("saturate", "bench-three", sagas, OPEN, url=both)["sagas_per_s"]
        duplicates = bed.commands_sent() - before - 3 * sagas
    finally:
        second.close()
    say(f"two nodes: {two:,} sagas/s, one {one:,}; {duplicates} commands more than {3 * sagas:,}")
    return {"one_node_sagas_per_s": one, "two_nodes_sagas_per_s": two, "two_nodes_ratio": round(two / one, 3),
            "two_nodes_duplicate_commands": duplicates}
