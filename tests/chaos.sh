#!/bin/bash
# chaos.sh - the system tests against an API that misbehaves at random.
#
#	sudo tests/chaos.sh [--short] [SEED]
#
# One request of five is answered with 429, an error of the Origin CA, an HTML page, half a body, the
# other form of dates, or not at all, be it before or after the certificate was made.  The seed is
# random and printed; given again, the sandboxes misbehave in the same way.  Tests that order a
# misbehaviour of their own, or count what the API is asked, are not run (marker "calm").
# --short: an API at its worst and a few of the files, others for each seed, within four minutes.
# ORIGIN_CA_BUILD names the build, as for the system tests.  Exit code: pytest's.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
limit=0
files=("$top"/tests/system/test_*.py)

# Small ones in which all kinds of certificates are asked for; one of them joins the two that always
# run.
always=(api_chaos rotation)
in_turn=(first_certificate rollback drift restore two_servers full_look dry_run many_certificates)

choose() {                       # $1: seed
	local name
	files=()
	for name in "${always[@]}" "${in_turn[$1 % ${#in_turn[@]}]}"; do
		files+=("$top/tests/system/test_$name.py")
	done
}

short=
if [ "${1:-}" = --short ]; then
	short=yes
	shift
fi
seed=${1:-$((RANDOM * 32768 + RANDOM))}
case $seed in
'' | *[!0-9]*)
	sed -n '4s/^#\t/usage: /p' "$0" >&2
	exit 2
	;;
esac
if [ -n "$short" ]; then
	limit=240
	choose "$seed"
fi
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
export ORIGIN_CA_CHAOS=$seed ORIGIN_CA_SYSTEM=all    # of what is chosen here
echo "chaos: seed $seed; tests/chaos.sh ${short:+--short }$seed does the same again"
# a signal that lets pytest end its hosts
exec timeout --foreground --signal=INT --kill-after=60 "$limit" /usr/bin/python3 -m pytest -q \
	--color=no -n "$((2 * $(nproc)))" --dist loadfile "${files[@]}"
