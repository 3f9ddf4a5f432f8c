#!/bin/bash
# run.sh - build the libFuzzer harnesses and let each look for SECONDS (30), two at a time.
#
#	tests/fuzz/run.sh [SECONDS [NAME]...]       NAME: as in fuzz_NAME.c
#
# Starts from tests/fuzz/seeds/NAME and from what earlier runs found new (build/fuzz/corpus/NAME);
# tests/fuzz/NAME.dict is used where it is there.  An input that breaks something is kept in
# build/fuzz/findings/NAME: run build/fuzz/tests/fuzz/fuzz_NAME FILE to see it again, and put it
# among the seeds once it is mended.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$top/build/fuzz
seconds=30

# A finding must end the run; memory and time for one input are bounded.
fuzz_one() {
	local name=$1 seconds=$2 code=0
	local seeds=$top/tests/fuzz/seeds/$name dictionary=$top/tests/fuzz/$name.dict
	local corpus=$build/corpus/$name findings=$build/findings/$name log=$build/log/$name.log
	mkdir -p "$corpus" "$findings" "$build/log"
	local arguments=(-max_total_time="$seconds" -max_len=65536 -rss_limit_mb=1024
		-malloc_limit_mb=512 -timeout=20 -print_final_stats=1 -artifact_prefix="$findings/")
	[ ! -f "$dictionary" ] || arguments+=(-dict="$dictionary")
	arguments+=("$corpus")
	[ ! -d "$seeds" ] || arguments+=("$seeds")
	env -u http_proxy -u https_proxy \
		ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1 \
		UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
		"$build/tests/fuzz/fuzz_$name" "${arguments[@]}" > "$log" 2>&1 < /dev/null || code=$?
	if [ "$code" -eq 0 ]; then
		printf 'fuzz %-12s ok: %s; corpus %s files\n' "$name" \
			"$(grep -a '^Done ' "$log" | tail -n 1)" "$(find "$corpus" -type f | wc -l)"
	else
		printf 'fuzz %-12s FAILED (exit %s); inputs in %s; the end of %s:\n' \
			"$name" "$code" "$findings" "$log"
		tail -n 60 "$log"
		return 1
	fi
}

harnesses() {
	local source
	for source in "$top"/tests/fuzz/fuzz_*.c; do
		source=${source##*/fuzz_}
		printf '%s\n' "${source%.c}"
	done
}

main() {
	local names
	if [ $# -gt 0 ]; then
		seconds=$1
		shift
	fi
	[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "fuzz: \"$seconds\" is no number of seconds" >&2; exit 2; }
	names=("$@")
	[ $# -gt 0 ] || mapfile -t names < <(harnesses)
	cd "$top"
	cmake --preset fuzz > /dev/null
	cmake --build --preset fuzz --target "${names[@]/#/fuzz_}"
	printf '%s\0' "${names[@]}" |
		xargs -0 -P 2 -I '{}' "$top/tests/fuzz/run.sh" --one '{}' "$seconds"
}

if [ "${1:-}" = --one ]; then
	fuzz_one "$2" "$3"
else
	main "$@"
fi
