#!/usr/bin/env python3
"""The HTTP API of a real daemon. Every module can also be run alone: test_api.py test_framing.Framing"""
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import support  # noqa: E402


def main():
    modules = sorted(path.stem for path in HERE.glob("test_*.py") if path.stem != "test_api")
    suite = unittest.defaultTestLoader.loadTestsFromNames([word for word in sys.argv[1:] if word != "-v"] or modules)
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    left = support.end()
    print(*left, sep="\n", end="")
    sys.exit(0 if result.wasSuccessful() and not left else 1)


if __name__ == "__main__":
    main()
