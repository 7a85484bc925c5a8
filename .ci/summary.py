"""summary.py RESULTS...: what ctest's JUnit files say, in the lines that a person wants at the end; a later one
speaks for what it ran again. --only-the-mock-broker RESULTS: exit 0 when nothing but an assertion of
librdkafka's mock broker ended the tests that failed."""
import re
import sys
import xml.etree.ElementTree as xml


def reason(case):
    """A skipped test says why in its last line."""
    lines = [line for line in (case.findtext("system-out") or "").strip().split("\n") if line.strip()]
    return lines[-1].strip().removeprefix("skipped: ") if lines else "it did not say why"


def read(paths):
    return list({case.get("name"): case for path in paths for case in xml.parse(path).getroot().iter("testcase")}.values())


MOCK_BROKER = re.compile(r"rdkafka_mock\w*\.c:\d+: .*Assertion")
if sys.argv[1] == "--only-the-mock-broker":
    sys.exit(not all(MOCK_BROKER.search(case.findtext("system-out") or "")
                     for case in read(sys.argv[2:]) if case.find("failure") is not None))
cases = read(sys.argv[1:])
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
