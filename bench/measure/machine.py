"""What processes use, read from /proc."""
import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return {"parent": int(fields[1]), "own": int(fields[11]) + int(fields[12]),
            "ended_children": int(fields[13]) + int(fields[14])}


def family(pid):
    """The process and its children."""
    found = [pid]
    for path in Path("/proc").iterdir():
        other = _stat(path.name) if path.name.isdigit() else None
        if other and other["parent"] == pid:
            found.append(int(path.name))
    return found


def cpu_seconds(pid, children=False):
    """CPU of a process; with its children, living and ended, where asked."""
    me = _stat(pid)
    if me is None:
        return 0.0
    ticks = me["own"]
    if children:
        ticks += me["ended_children"]
        ticks += sum((_stat(child) or {"own": 0})["own"] for child in family(pid)[1:])
    return ticks / TICKS


def rss_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().split("\n"):
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def open_files(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:  # it ended meanwhile
        return 0
