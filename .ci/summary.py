"""summary.py RESULTS: what ctest's JUnit file says, in the lines that a person wants at the end."""
import sys
import xml.etree.ElementTree as xml


def reason(case):
    """A skipped test says why in its last line."""
    lines = [line for line in (case.findtext("system-out") or "").strip().split("\n") if line.strip()]
    return lines[-1].strip().removeprefix("skipped: ") if lines else "it did not say why"


root = xml.parse(sys.argv[1]).getroot()
cases = list(root.iter("testcase"))
skipped = [case for case in cases if case.find("skipped") is not None]
failed = [case for case in cases if case.find("failure") is not None]
slowest = sorted(cases, key=lambda case: -float(case.get("time", 0)))[:5]

print("\nSlowest: " + ", ".join(f"{case.get('name')} {float(case.get('time', 0)):.0f} s" for case in slowest))
for case in skipped:
    print(f"Skipped: {case.get('name')}: {reason(case)}")
for case in failed:  # with the end of what it said: a reader of .ci/run sees no more than this
    print(f"Failed:  {case.get('name')}")
    for line in (case.findtext("system-out") or "").strip().split("\n")[-25:]:
        print(f"    {line[:400]}")
print(f"{len(cases) - len(skipped) - len(failed)} passed, {len(failed)} failed, {len(skipped)} skipped")
