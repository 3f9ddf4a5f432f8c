#!/bin/bash
# soak.sh - an hour in which everything happens to a host, and the agent keeps its promises.
#
#	sudo tests/soak.sh [--short | --seconds N]
#
# The service runs under systemd with nginx, Apache and HAProxy and short-lived certificates, against
# a sandbox that misbehaves.  Passes and the supervisor are killed, drop-ins, templates and
# permissions edited, servers restarted, configurations broken, the API goes down.  Visitors from
# outside must be shown a valid leaf all the time, the disk never holds a pair that does not match,
# and at the end everything is current.  The seed is printed; ORIGIN_CA_SOAK=SEED repeats it.
# --short: 40 seconds.  Builds build/release when ORIGIN_CA_BUILD names no build without sanitizers.
# Exit code: 0 every promise was kept, 1 not, 2 usage.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
seconds=3600
renew_after=1500
case ${1:-} in
--short) seconds=40 ;;
--seconds) seconds=${2:?N is missing} ;;
'') ;;
*)
	sed -n '4s/^#\t/usage: /p' "$0" >&2
	exit 2
	;;
esac
[ "$seconds" -gt 600 ] || renew_after=100
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
cd "$top"
exec /usr/bin/python3 tests/system/soak.py --seconds "$seconds" --renew-after "$renew_after" \
	--seed "${ORIGIN_CA_SOAK:-$((RANDOM * 32768 + RANDOM))}"
