#!/bin/bash
# setup.sh - install, by apt and without questions, what building, running and testing need.
# Does nothing, quickly, when all is there.  No daemon is started: the tests run theirs in hosts
# of their own.
set -euo pipefail

packages=(
	build-essential cmake ninja-build ccache pkg-config git
	clang clang-tidy clang-format llvm cppcheck shellcheck
	libcurl4-openssl-dev libcjson-dev libssl-dev libsystemd-dev libinih-dev libidn2-dev
	libmicrohttpd-dev libcmocka-dev
	python3 python3-pytest python3-pytest-xdist python3-pytest-timeout
	python3-cryptography
	systemd systemd-sysv dbus polkitd util-linux procps iproute2
	nginx apache2 haproxy lighttpd lighttpd-mod-openssl
	tomcat10 tomcat10-admin default-jre-headless
	openssl ca-certificates curl jq diffutils
	gnutls-bin python3-botocore awscli
	scdoc man-db lintian rpm zsh fish bash-completion ansible-core python3-apt puppet-agent
	prometheus python3-jsonschema chromium chromium-driver fonts-dejavu-core
)
policy=/usr/sbin/policy-rc.d
policy_mark='# made by origin-ca-agent/tests/setup.sh, and removed by it'

# Prints which of the packages given are not completely installed.
packages_missing() {
	comm -23 <(printf '%s\n' "$@" | sort -u) \
		<(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2> /dev/null |
			awk '$1 == "installed" { print $2 }' | sort -u)
}

# clang's sanitizer and fuzzer runtimes are packaged by version: the one that clang stands for.
packages_of_clang() {
	local version
	version=$(dpkg-query -W -f '${Depends}' clang 2> /dev/null |
		sed -nE 's/(.*, *)?clang-([0-9]+).*/\2/p')
	[ -z "$version" ] || echo "libclang-rt-$version-dev"
}

policy_remove() {
	if grep -qsF "$policy_mark" "$policy"; then
		rm -f "$policy"
	fi
}

# Keeps Debian's maintainer scripts from starting daemons; someone else's policy stays in force.
policy_place() {
	policy_remove
	[ ! -e "$policy" ] || return 0
	trap policy_remove EXIT
	trap 'exit 130' INT TERM HUP
	(set -C && printf '%s\n' '#!/bin/sh' "$policy_mark" 'exit 101' > "$policy")
	chmod 755 "$policy"
}

packages_install() {
	echo "setup: installing $*"
	DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get install --yes --quiet \
		--no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" < /dev/null
}

main() {
	local missing
	mapfile -t missing < <(packages_missing "${packages[@]}" "$(packages_of_clang)")
	[ "${#missing[@]}" -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "setup: not installed, and installing needs root: ${missing[*]}" >&2
		exit 2
	fi
	policy_place
	DEBIAN_FRONTEND=noninteractive apt-get update --quiet -o DPkg::Lock::Timeout=300 < /dev/null
	packages_install "${missing[@]}"
	mapfile -t missing < <(packages_missing "$(packages_of_clang)")
	[ "${#missing[@]}" -eq 0 ] || packages_install "${missing[@]}"
	policy_remove
	echo "setup: all packages are installed"
}

main "$@"
