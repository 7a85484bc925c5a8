"""run.py FILE...: these files under Debian's pytest; skips itself where a package is missing."""
import importlib.util
import os
import sys
from pathlib import Path

NEEDED = {"pytest": "python3-pytest", "confluent_kafka": "python3-confluent-kafka"}
missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
if missing:
    print("skipped: not installed:", " ".join(missing))
    sys.exit(77)

HERE = Path(__file__).resolve().parent
words = [str(HERE / word) if word.endswith(".py") else word for word in sys.argv[1:]] or [str(HERE)]
os.execv(sys.executable, [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short",
                          f"--rootdir={HERE}", *words])
