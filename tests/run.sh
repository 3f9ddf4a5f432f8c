#!/bin/bash
# run.sh - everything that says whether this tree is good.
#
#	sudo tests/run.sh [STAGE]...
#
# Stages, in this order when none is named:
#	lint      format, file sizes, shellcheck, cppcheck
#	build     with gcc and with clang, warnings are errors
#	unit      unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
#	sandbox   tests of the local Origin CA API
#	system    the installed program on real systemd hosts with real web servers, sanitizers on
#	          (ORIGIN_CA_SYSTEM=short, as in continuous integration: what matters most, and a
#	          quarter of the rest, another one each day)
#	tidy      clang-tidy of half of the sources, with an eighth of its analysis, others each day
#	          (tests/lint.sh tidy: all of it)
#	bench     the release build, measured (short form)
#	soak      everything at once happens to one host (short form)
#	chaos     some of the system tests with an API that misbehaves at random (short form)
#	fuzz      every parser of outside input, for FUZZ_SECONDS (15) each
#
# What fails while several hosts share the machine's processors is tried once more, two at a time, and
# the stage says so: a defect fails again.
#
# A stage that fails does not keep the following from running.  Exit code: 0 all passed, 1 not all,
# 2 usage, or not root.  Logs are in build/log.  Installs missing packages (tests/setup.sh).
# What is chosen or happens at random follows the day, so that a run can be repeated for a day, and
# the next day tries something else: ORIGIN_CA_DAY=N does again what that day did.
# ORIGIN_CA_CHAOS=SEED lets every sandbox of the system tests misbehave at random.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
self=$top/tests/run.sh
logs=$top/build/log
stages=(lint build unit sandbox system tidy bench soak chaos fuzz)

# The versions that setup.sh installs, not others that come first on someone's path; and nothing
# between the tests and their servers on loopback.
environment() {
	export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
	unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
	unset SSL_CERT_FILE SSL_CERT_DIR DESTDIR CFLAGS LDFLAGS
	export ORIGIN_CA_DAY=${ORIGIN_CA_DAY:-$(($(date +%s) / 86400))}
	export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1
	export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
}

preset_build() {                 # $1: preset; then options of the configuration
	cmake --preset "$@" > /dev/null
	cmake --build --preset "$1"
}

release_build() {                # what is shipped, and what measures and drives it
	cmake --preset release "$@" > /dev/null
	cmake --build --preset release --target origin-ca-agent origin-ca-supervisor \
		origin-ca-sandbox documentation minimal-issue crash-driver turned-clock
}

clang_build() {                  # agent/ for the fuzzers, with clang's own warnings as errors
	cmake --preset fuzz > /dev/null
	cmake --build --preset fuzz --target origin-ca-agent origin-ca-supervisor
}

run_pytest() {
	/usr/bin/python3 -m pytest --color=no "$@"
}

stage_lint() {
	tests/lint.sh format size shell python cppcheck
}

stage_tidy() {
	ORIGIN_CA_TIDY=short tests/lint.sh tidy
}

stage_build() {
	# optimised, gcc sees more; the stage "bench" measures this build
	release_build -D ORIGIN_CA_WERROR=ON
	# what is fuzzed is all of agent/; nobody runs the tests that clang would make
	clang_build
	tests/lint.sh clang
}

stage_unit() {
	preset_build sanitizers
	# the sandbox's tests are a stage of their own
	ctest --preset sanitizers --no-tests=error --exclude-regex '^sandbox$' -j "$(nproc)"
}

stage_sandbox() {
	preset_build sanitizers
	# Mostly waiting for answers that come late or never: several at once.
	ORIGIN_CA_SANDBOX=$top/build/sanitizers/tests/sandbox/origin-ca-sandbox \
		run_pytest -n "$((2 * $(nproc)))" tests/sandbox
}

stage_system() {
	local log=$logs/system.first status=0 again
	preset_build sanitizers
	export ORIGIN_CA_BUILD=$top/build/sanitizers
	export ORIGIN_CA_CRASH_SEED=${ORIGIN_CA_CRASH_SEED:-$ORIGIN_CA_DAY}
	export ORIGIN_CA_YEARS_SEED=${ORIGIN_CA_YEARS_SEED:-$ORIGIN_CA_DAY}
	# Hosts are independent and mostly wait: several at once.
	run_pytest -n "$((2 * $(nproc)))" --dist loadfile tests/system | tee "$log" || status=$?
	[ "$status" -eq 1 ] || return "$status"
	mapfile -t again < <(grep -aoE '^(FAILED|ERROR) tests/[^: ]+' "$log" | cut -d' ' -f2 | sort -u)
	[ "${#again[@]}" -gt 0 ] && [ "${#again[@]}" -le 8 ] || return 1
	printf '\nsystem: failed beside others, tried again by itself: %s\n' "${again[@]}"
	run_pytest -n "$(nproc)" --dist loadfile "${again[@]}"
}

stage_chaos() {
	preset_build sanitizers
	ORIGIN_CA_BUILD=$top/build/sanitizers tests/chaos.sh --short "${ORIGIN_CA_CHAOS:-$ORIGIN_CA_DAY}"
}

stage_soak() {
	release_build
	export ORIGIN_CA_SOAK=${ORIGIN_CA_SOAK:-$ORIGIN_CA_DAY}
	ORIGIN_CA_BUILD=$top/build/release tests/soak.sh --short
}

stage_bench() {
	tests/bench/run.sh --short
}

stage_fuzz() {
	tests/fuzz/run.sh "${FUZZ_SECONDS:-15}"
}

# Runs a stage in a process of its own (errexit is in force there), on the terminal and in its log.
stage_run() {
	local stage=$1 began=$SECONDS result=PASS
	printf '\n===== %s =====\n' "$stage"
	if ! "$self" --stage "$stage" 2>&1 | tee "$logs/$stage.log"; then
		result=FAIL
	fi
	printf '===== %s: %s (%d s) =====\n' "$stage" "$result" $((SECONDS - began))
	summary+=("$(printf '%-8s %s %5d s' "$stage" "$result" $((SECONDS - began)))")
	[ "$result" = PASS ]
}

# Only booting hosts needs root (and what is missing, to be installed): setup.sh says so itself.
require_root() {
	local stage
	[ "$(id -u)" -ne 0 ] || return 0
	for stage in "$@"; do
		case $stage in
		system | chaos | soak | bench)
			echo "run: the stage \"$stage\" boots hosts, which needs root: sudo $0" >&2
			exit 2
			;;
		esac
	done
}

# With sudo, what was built stays the caller's.
give_back() {
	if [ -n "${SUDO_UID:-}" ] && [ -n "${SUDO_GID:-}" ] && [ -d "$top/build" ]; then
		chown -R --no-dereference "$SUDO_UID:$SUDO_GID" "$top/build"
	fi
}

main() {
	local stage chosen=("$@") failed=0
	[ $# -gt 0 ] || chosen=("${stages[@]}")
	for stage in "${chosen[@]}"; do
		if ! declare -F "stage_$stage" > /dev/null || [ "$stage" = run ]; then
			echo "run: there is no stage \"$stage\"; there are: ${stages[*]}" >&2
			exit 2
		fi
	done
	require_root "${chosen[@]}"
	exec < /dev/null
	tests/setup.sh
	environment
	rm -rf "$logs"
	mkdir -p "$logs"
	trap give_back EXIT
	summary=()
	for stage in "${chosen[@]}"; do
		stage_run "$stage" || failed=1
	done
	printf '\n===== summary =====\n'
	printf '%s\n' "${summary[@]}" | tee "$logs/summary"
	exit "$failed"
}

cd "$top"
if [ "${1:-}" = --stage ]; then
	"stage_$2"
else
	main "$@"
fi
