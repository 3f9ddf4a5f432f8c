#!/bin/bash
# demo.sh - the program at work, on a throw-away host of this machine: a real systemd, a real nginx,
# and a local Origin CA in Cloudflare's place.  No account, no network, nothing left behind.
#
#	sudo tests/demo.sh
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
name=example.com
snippet=/var/lib/origin-ca-agent/snippets/nginx/$name.conf
step=0
tree=''

# Colours on a terminal only.
if [ -t 1 ]; then
	bold=$'\e[1m' blue=$'\e[1;34m' green=$'\e[32m' red=$'\e[1;31m' plain=$'\e[0m'
else
	bold='' blue='' green='' red='' plain=''
fi

headline() {
	step=$((step + 1))
	printf '\n%s\n%s%d. %s%s\n' \
		'----------------------------------------------------------------' \
		"$blue" "$step" "$*" "$plain"
}

show() {                         # runs a command inside, as it would be typed, and shows it
	printf '\n   %s# %s%s\n' "$bold" "$*" "$plain"
	sd "$@" 2>&1 | sed 's/^/   /'
}

proves() {
	printf '\n   %s=> %s%s\n' "$green" "$*" "$plain"
}

fail() {
	printf '\n%sFAILED in step %d: %s%s\n' "$red" "$step" "$*" "$plain" >&2
	if [ -n "$sd_init" ]; then
		sd journalctl --no-pager --quiet -n 40 >&2 || true
	fi
	exit 1
}

equal() {                        # $1: what, $2: wanted, $3: is
	[ "$2" = "$3" ] || fail "$1: wanted \"$2\", is \"$3\""
}

# The leaf that nginx shows to a new connection, as openssl's lines; options go to s_client.  Fails
# when the handshake does.
served() {
	# shellcheck disable=SC2016 # expands inside
	sd sh -euc 'openssl s_client -connect 127.0.0.1:443 -servername "$@" < /dev/null \
			> /srv/handshake 2>&1 || { cat /srv/handshake >&2; exit 1; }
		openssl x509 -in /srv/handshake -noout -serial -subject -issuer -enddate \
			-ext subjectAltName' served "$@"
}

served_serial() {
	served "www.$name" | sed -n 's/^serial=//p'
}

requests_to_api() {
	sd curl --silent --fail --cacert /srv/sandbox/ca.pem \
		-H "Authorization: Bearer $(sd cat /srv/sandbox/token)" \
		https://127.0.0.1:8443/sandbox/stats | jq -r '.result.issued'
}

end() {
	sd_stop || true
	[ -z "$tree" ] || rm -rf "$tree"
}

build() {
	"$top/tests/setup.sh"
	cd "$top"
	echo "Building the release ..."
	cmake --preset release > /dev/null
	cmake --build --preset release > build/demo-build.log 2>&1 ||
		{ tail -n 40 build/demo-build.log >&2; exit 1; }
	tree=$(mktemp -d /tmp/origin-ca-demo.XXXXXX)
	chmod 755 "$tree"
	DESTDIR=$tree cmake --install build/release > /dev/null
}

boot() {
	headline "A host: systemd $(systemctl --version | awk 'NR == 1 { print $2 }') as PID 1, over this" \
		"machine's packages, with the program installed"
	SD_ADD=$tree SD_BIND_RO=$top
	# shellcheck disable=SC2016 # $root is the new host's
	SD_PRE='for file in "$root"/usr/lib/sysusers.d/origin-ca-agent*.conf; do
		[ ! -e "$file" ] || systemd-sysusers --root="$root" "${file##*/}"
	done'
	sd_boot > /dev/null || fail "the host does not boot"
	show systemctl is-system-running
	show origin-ca-agent --version
}

start_sandbox() {
	headline "origin-ca-sandbox stands in for Cloudflare's API"
	sd systemd-run --quiet --collect --unit=origin-ca-sandbox --service-type=exec \
		"$top/build/release/tests/sandbox/origin-ca-sandbox" --state /srv/sandbox \
		--zone "$name"
	local _
	for _ in {1..200}; do
		! sd test -e /srv/sandbox/endpoint || break
		sleep 0.05
	done
	show cat /srv/sandbox/endpoint
	equal "certificates issued so far" 0 "$(requests_to_api)"
}

start_nginx() {
	headline "nginx as it is before: a certificate made by hand, about to expire"
	sd sh -eu -s "$name" << 'INSIDE' > /dev/null 2>&1
name=$1
rm -f /etc/nginx/sites-enabled/default
mkdir -p /etc/nginx/by-hand
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
	-keyout /etc/nginx/by-hand/key.pem -out /etc/nginx/by-hand/cert.pem \
	-subj "/CN=$name" -addext "subjectAltName=DNS:$name,DNS:*.$name"
cat > "/etc/nginx/conf.d/$name.conf" << SERVER
server {
	listen 127.0.0.1:443 ssl;
	server_name $name *.$name;
	ssl_certificate /etc/nginx/by-hand/cert.pem;
	ssl_certificate_key /etc/nginx/by-hand/key.pem;
	return 200 "hello from $name\n";
}
SERVER
systemctl start nginx.service
INSIDE
	served "www.$name" | sed 's/^/   /'
	serial_by_hand=$(served_serial)
	[ -n "$serial_by_hand" ] || fail "nginx does not answer"
	proves "this is what visitors get today; in two days it is error 526"
}

configure() {
	headline "What the administrator writes: the agent's configuration ..."
	sd sh -eu << 'INSIDE'
umask 077
cp /srv/sandbox/token /etc/origin-ca-agent/api-token
umask 022
cp /srv/sandbox/ca.pem /etc/origin-ca-agent/sandbox-ca.pem
cat > /etc/origin-ca-agent/agent.ini << INI
[api]
endpoint = https://127.0.0.1:8443/client/v4
ca_file = /etc/origin-ca-agent/sandbox-ca.pem
$(sed -n '/^root_url/p; /^root_sha256/,$p' /srv/sandbox/agent.ini)
INI
INSIDE
	sd tee "/etc/origin-ca-agent/conf.d/$name.ini" > /dev/null << INI
[certificate $name]
targets = nginx
INI
	show cat /etc/origin-ca-agent/agent.ini "/etc/origin-ca-agent/conf.d/$name.ini"

	printf '\n   ... and in the server block, one include instead of two lines:\n'
	sd sed -i -e "s,ssl_certificate /.*,include $snippet;," -e '/ssl_certificate_key/d' \
		"/etc/nginx/conf.d/$name.conf"
	show cat "/etc/nginx/conf.d/$name.conf"
}

check() {
	headline "origin-ca-agent check: what would fail, before anything is done"
	show origin-ca-agent check || fail "exit code $?"
	equal "still served" "$serial_by_hand" "$(served_serial)"
	equal "certificates issued" 0 "$(requests_to_api)"
	proves "nothing was changed and nothing was issued"
}

first_pass() {
	headline "origin-ca-agent --renew-now: issue, deploy, reload, prove"
	show origin-ca-agent --renew-now || fail "exit code $?: not everything is current"
	equal "certificates issued" 1 "$(requests_to_api)"
	sd curl --silent --fail --cacert /srv/sandbox/ca.pem \
		https://127.0.0.1:8443/ssl/static/origin_ca_ecc_root.pem -o /srv/root.pem
	printf '\n   The snippet that nginx includes, replaced by one rename:\n'
	show cat "$snippet"
	printf '\n   Cloudflare in mode Full (strict), which trusts the Origin CA root, now gets:\n'
	show curl --silent --show-error --fail --cacert /srv/root.pem \
		--resolve "www.$name:443:127.0.0.1" "https://www.$name/" ||
		fail "curl does not verify the certificate"
	printf '\n   A visitor now sees, verified against the Origin CA root:\n'
	served "www.$name" -CAfile /srv/root.pem -verify_hostname "www.$name" \
		-verify_return_error | sed 's/^/   /' || fail "the handshake does not verify"
	serial_first=$(served_serial)
	[ "$serial_first" != "$serial_by_hand" ] || fail "the old certificate is still served"
	! served "www.$name" -CAfile /srv/sandbox/ca.pem -verify_return_error > /dev/null 2>&1 ||
		fail "a handshake verifies against a root that did not sign it"
	proves "the certificate is issued, served, and trusted as Full (strict) trusts it"
}

second_pass() {
	headline "--renew-now again: there is nothing to do"
	show origin-ca-agent --renew-now || fail "exit code $?"
	equal "certificates issued" 1 "$(requests_to_api)"
	equal "served" "$serial_first" "$(served_serial)"
	proves "the agent never asks twice for one need"
}

forced_pass() {
	headline "--renew-now --force $name, while a visitor keeps asking"
	local main_pid visitor failures requests
	main_pid=$(sd systemctl show -P MainPID nginx.service)
	# shellcheck disable=SC2016 # expands inside
	sd sh -c 'while [ ! -e /srv/enough ]; do
			if curl --silent --fail --cacert /srv/root.pem --resolve "$1:443:127.0.0.1" \
				"https://$1/" > /dev/null; then echo ok; else echo failed; fi
			sleep 0.02
		done > /srv/visits' visitor "$name" &
	visitor=$!
	while ! sd test -s /srv/visits; do sleep 0.05; done
	show origin-ca-agent --renew-now --force "$name" || fail "exit code $?"
	sd touch /srv/enough
	wait "$visitor"
	requests=$(sd grep -c . /srv/visits)
	failures=$(sd grep -c failed /srv/visits || true)
	serial_second=$(served_serial)
	printf '\n   served before: %s\n   served after:  %s\n' "$serial_first" "$serial_second"
	printf '   %s requests meanwhile, %s failed\n' "$requests" "$failures"
	[ "$serial_second" != "$serial_first" ] || fail "the certificate was not replaced"
	equal "failed requests" 0 "$failures"
	equal "nginx's main process" "$main_pid" "$(sd systemctl show -P MainPID nginx.service)"
	equal "certificates issued" 2 "$(requests_to_api)"
	proves "nginx was reloaded, not restarted; key and certificate never disagreed"
}

broken_neighbour() {
	headline "Somebody breaks another server block; then a renewal is due"
	sd sh -c 'echo "server { listen 443 ssl; ssl_certificate /nowhere; }" > /etc/nginx/conf.d/zz.conf'
	if show origin-ca-agent --renew-now --force "$name"; then
		fail "the reload was refused, but the exit code is 0"
	fi
	equal "still served" "$serial_second" "$(served_serial)"
	equal "nginx" active "$(sd systemctl is-active nginx.service)"
	proves "a working server is never made worse: the old certificate is served, and the exit code," \
		"the message and 'status' say what is wrong"
	sd rm /etc/nginx/conf.d/zz.conf
	local before
	before=$(requests_to_api)
	show origin-ca-agent --renew-now || fail "exit code $?: not repaired"
	equal "certificates issued by the repair" "$before" "$(requests_to_api)"
	[ "$(served_serial)" != "$serial_second" ] || fail "the waiting certificate is not served"
	proves "once the block is mended, the certificate that waited goes live; none is issued anew"
}

status() {
	headline "origin-ca-agent status"
	show origin-ca-agent status || fail "exit code $?"
	show find /var/lib/origin-ca-agent -mindepth 1 -maxdepth 3
}

service() {
	headline "The agent as a service: it renews by itself from now on"
	show systemctl start origin-ca-agent.service || fail "the service does not start"
	equal "the service" active "$(sd systemctl is-active origin-ca-agent.service)"
	local _
	for _ in {1..100}; do
		sd systemctl show -P StatusText origin-ca-agent.service | grep -q 'next:' && break
		sleep 0.1
	done
	show systemctl show -P StatusText origin-ca-agent.service
	show ps -o user,cmd -p "$(sd systemctl show -P MainPID origin-ca-agent.service)"
	show find /etc/origin-ca-agent/api-token /var/lib/origin-ca-agent -maxdepth 1 \
		-printf '%M %u:%g %p\n'
	equal "files of the state that are root's" "" \
		"$(sd find /var/lib/origin-ca-agent -user root)"
	printf '\n   systemd-analyze security: %s\n' \
		"$(sd systemd-analyze security --no-pager origin-ca-agent.service | tail -n 1)"
	show systemctl stop origin-ca-agent.service || fail "the service does not stop"
	proves "idle until something is due, as a user without privileges; it loads neither libcurl" \
		"nor OpenSSL while it waits"
}

main() {
	if [ "$(id -u)" -ne 0 ]; then
		echo "demo: booting a host needs root: sudo $0" >&2
		exit 2
	fi
	exec < /dev/null
	# shellcheck source=system/sdboot.sh
	. "$top/tests/system/sdboot.sh"
	trap end EXIT
	build
	boot
	start_sandbox
	start_nginx
	configure
	check
	first_pass
	second_pass
	forced_pass
	broken_neighbour
	status
	service
	printf '\nAll %d steps did what they should.\n' "$step"
}

main "$@"
