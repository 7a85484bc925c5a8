#!/bin/sh
# make_updates.sh [COUNT [SEED]] > updates.jsonl: content-state updates, one JSON object a line.
# The same count and seed give the same bytes. SAGACTL names the program when it is not on the PATH.
exec "${SAGACTL:-sagactl}" demo updates --count "${1:-2000}" --seed "${2:-7}"
