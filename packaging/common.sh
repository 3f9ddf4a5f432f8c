# shellcheck shell=sh
# What the scripts of both packages do; put in the place of "#COMMON#" in each of them.
running_systemd() {
	[ -d /run/systemd/system ]
}

# A token and a certificate: only then there is something to do.
configured() {
	[ -s /etc/origin-ca-agent/api-token ] &&
		grep -qsE '^\[certificate ' /etc/origin-ca-agent/agent.ini \
			/etc/origin-ca-agent/conf.d/*.ini
}

# The agent's user and the state directory, from what the package brings for systemd.
make_user_and_directories() {
	if [ -e /usr/lib/sysusers.d/origin-ca-agent.conf ]; then
		systemd-sysusers origin-ca-agent.conf
	fi
	if [ -e /usr/lib/tmpfiles.d/origin-ca-agent.conf ]; then
		systemd-tmpfiles --create origin-ca-agent.conf
	fi
}

reload_systemd() {
	if running_systemd; then
		systemctl daemon-reload
	fi
	if [ -e /usr/lib/systemd/catalog/origin-ca-agent.catalog ]; then
		journalctl --update-catalog || :
	fi
}
