#!/bin/bash
# lint.sh - what can be said of the sources without running them: format, shellcheck, cppcheck,
# clang-tidy, and the size of files.  Every check runs; the exit code tells whether all passed.
# clang: its warnings in tests/, as errors, without making code; the fuzz build compiles agent/.
#
#	tests/lint.sh [format|size|shell|python|cppcheck|clang|tidy]...
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
self=$top/tests/lint.sh
cd "$top"
jobs=$(nproc)
cache=build/lint                 # what clang-tidy has found clean, by the hash of what it read
day=${ORIGIN_CA_DAY:-$(($(date +%s) / 86400))}
limit=500                        # lines of a source file: more is more than one idea

# Sources that git knows or would add, one a line; in an unpacked archive, what is there.
sources() {
	local name
	{ git -c safe.directory="$top" ls-files --cached --others --exclude-standard -- "$@" 2> /dev/null ||
		find . -path ./build -prune -o -type f -print | sed 's,^\./,,'; } |
		while IFS= read -r name; do
			for pattern in "$@"; do
				# shellcheck disable=SC2053 # a pattern is meant
				if [[ $name == $pattern && -f $name ]]; then
					printf '%s\n' "$name"
					break
				fi
			done
		done | sort -u
}

shell_scripts() {
	{
		sources '*.sh'
		sources '*' | xargs -r awk 'FNR == 1 && /^#!.*sh\>/ { print FILENAME } { nextfile }'
	} | sort -u
}

check_format() {
	sources '*.c' '*.h' | xargs -r -n 20 -P "$jobs" clang-format --dry-run -Werror
}

check_size() {
	sources '*.c' '*.h' '*.py' '*.sh' | xargs -r wc -l |
		awk -v limit="$limit" '$2 != "total" && $1 >= limit {
			print $2 ": " $1 " lines; fewer than " limit " are wanted"; bad = 1
		} END { exit bad }'
}

check_shell() {
	shell_scripts | xargs -r shellcheck -x -P SCRIPTDIR
}

check_python() {
	sources '*.py' | xargs -r /usr/bin/python3 -c '
import ast, pathlib, sys
bad = 0
for name in sys.argv[1:]:
    text = pathlib.Path(name).read_text()
    try:
        ast.parse(text, name)
    except SyntaxError as error:
        bad, _ = 1, print(f"{name}:{error.lineno}: {error.msg}")
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > 100 or line != line.rstrip():
            bad, _ = 1, print(f"{name}:{number}: longer than 100, or blanks at the end")
sys.exit(bad)'
}

check_cppcheck() {
	mkdir -p "$cache/cppcheck"
	# the build directory makes a second run cheap
	cppcheck --enable=warning,performance,portability --inline-suppr --quiet --std=c11 \
		--error-exitcode=1 --template='{file}:{line}: {severity}: {message} [{id}]' \
		--cppcheck-build-dir="$cache/cppcheck" -j "$jobs" --library=tests/cppcheck.cfg \
		-Iagent -Itests/sandbox agent tests
}

# Following every path through a function is most of the cost. It is spent on what runs for others;
# unit tests and measurements run under sanitizers. ORIGIN_CA_TIDY=short: a half of the sources is
# looked at, and an eighth analysed, others each day.
tidy_number() {                  # $1: source
	cksum <<< "$1" | cut -d ' ' -f 1
}

tidy_today() {
	[ "${ORIGIN_CA_TIDY:-}" != short ] || (($(tidy_number "$1") % 2 == day % 2))
}

tidy_checks() {
	local shares=8
	case $1 in
	tests/unit/* | tests/fuzz/* | tests/bench/*) echo '-clang-analyzer-*' ;;
	# stands in for functions of the C library, whose headers name their arguments otherwise
	tests/system/clock/*) echo '-readability-inconsistent-declaration-parameter-name' ;;
	*)
		[ "${ORIGIN_CA_TIDY:-}" = short ] || return 0
		(($(tidy_number "$1") % shares == day % shares)) || echo '-clang-analyzer-*'
		;;
	esac
}

# The preprocessed source, the options and the tool decide what clang-tidy says: one that was clean
# stays clean.
tidy_key() {
	local directory=$1 source=$2
	{
		cat .clang-tidy
		clang-tidy --version
		tidy_checks "$source"
		jq -r --arg file "$top/$source" \
			'.[] | select(.file == $file) | .directory, .command' \
			"$directory/compile_commands.json" | {
			local where command
			IFS= read -r where
			IFS= read -r command
			echo "$command"
			# the compiler's own line, to standard output, without linting or output file
			(cd "$where" && eval "${command%% -o *} -w -E $(printf '%q' "$top/$source")")
		}
		cat "$source"            # comments count: they hold suppressions
	} | sha256sum | cut -d ' ' -f 1
}

tidy_one() {
	local directory=$1 source=$2 key output
	tidy_today "$source" || return 0
	key=$(tidy_key "$directory" "$source")
	[ ! -e "$cache/tidy/$key" ] || return 0
	if output=$(clang-tidy --quiet --checks="$(tidy_checks "$source")" -p "$directory" "$source" \
		2> /dev/null); then
		: > "$cache/tidy/$key"
	else
		printf '%s\n' "$output"
		return 1
	fi
}

compiled() {                     # $1: build directory.  Its sources, relative
	jq -r --arg top "$top/" '.[].file | select(startswith($top)) | ltrimstr($top)' \
		"$1/compile_commands.json" | grep -v '^build/' | sort -u
}

clang_one() {                    # $1: build directory, then sources
	local directory=$1 line where command source
	shift
	for source in "$@"; do
		line=$(jq -r --arg file "$top/$source" '[.[] | select(.file == $file)][0] |
			.directory + "\t" + .command' "$directory/compile_commands.json")
		where=${line%%$'\t'*} command=${line#*$'\t'}
		(cd "$where" && eval "${command%% -o *} -fsyntax-only $(printf '%q' "$top/$source")")
	done
}

check_clang() {
	cmake --preset fuzz > /dev/null
	compiled build/fuzz | sed -n '/^tests\//p' |
		CCACHE_DISABLE=1 xargs -r -n 10 -P "$jobs" "$self" --clang build/fuzz
}

check_tidy() {
	mkdir -p "$cache/tidy"
	cmake --preset development > /dev/null
	cmake --preset fuzz > /dev/null
	{
		compiled build/development | sed 's,^,build/development ,'
		comm -13 <(compiled build/development) <(compiled build/fuzz) | sed 's,^,build/fuzz ,'
	} | xargs -r -L 1 -P "$jobs" "$self" --tidy-one
}

main() {
	local check failed=() checks=("$@")
	[ $# -gt 0 ] || checks=(format size shell python cppcheck clang tidy)
	for check in "${checks[@]}"; do
		if ! declare -F "check_$check" > /dev/null; then
			echo "lint: there is no check \"$check\"" >&2
			exit 2
		fi
		SECONDS=0
		# a process of its own: in the condition of an `if`, errexit is not in force
		if "$self" --check "$check"; then
			printf 'lint: %-9s ok (%d s)\n' "$check" "$SECONDS"
		else
			printf 'lint: %-9s FAILED (%d s)\n' "$check" "$SECONDS"
			failed+=("$check")
		fi
	done
	[ "${#failed[@]}" -eq 0 ] || exit 1
}

case ${1:-} in
--tidy-one) tidy_one "$2" "$3" ;;
--clang) clang_one "${@:2}" ;;
--check) "check_$2" ;;
*) main "$@" ;;
esac
