#!/usr/bin/env bash
# Benchmarks of the release build. --short: the form that CI runs.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cmake -S "$top" --preset release > /dev/null
cmake --build "$top/build/release" --target origin-ca-agent origin-ca-supervisor origin-ca-sandbox \
	minimal-issue > /dev/null
exec /usr/bin/python3 "$top/tests/bench/bench.py" "$top/build/release" "$@"
