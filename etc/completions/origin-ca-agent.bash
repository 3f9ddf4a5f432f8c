# bash completion for origin-ca-agent(8)                              -*- shell-script -*-

_origin_ca_agent_certificates() {
	sed -nE 's/^\[certificate ([^]]+)\].*/\1/p' /etc/origin-ca-agent/agent.ini \
		/etc/origin-ca-agent/conf.d/*.ini 2> /dev/null
}

_origin_ca_agent() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word command=
	local commands='init run renew check status render probe list show revoke adopt prune'
	local options='--config --renew-now --json --dry-run --force --zone --verbose --help --version
		--watch --html'
	local of_init='--hostnames --name --target --token-file --endpoint --ca-file --enable
		--no-enable --yes'
	COMPREPLY=()
	case $previous in
	-c | --config | --token-file | --ca-file)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	--target)
		mapfile -t COMPREPLY < <(compgen -W 'nginx apache tomcat haproxy none' -- "$current")
		return
		;;
	--hostnames | --endpoint | --zone)
		return
		;;
	--name)
		mapfile -t COMPREPLY < <(compgen -W "$(_origin_ca_agent_certificates)" -- "$current")
		return
		;;
	esac
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		--renew-now) command=renew ;;
		-*) ;;
		*) [ -n "$command" ] || [[ " $commands " != *" $word "* ]] || command=$word ;;
		esac
	done
	if [[ $current == -* ]]; then
		[ "$command" != init ] || options="--config --force --verbose --help $of_init"
		[ "$command" != revoke ] || options="$options --yes"
		[ "$command" != adopt ] || options="$options --name"
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
		return
	fi
	case $command in
	'') mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current") ;;
	adopt)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		;;
	renew | status | render | probe | show | revoke | prune)
		mapfile -t COMPREPLY < <(compgen -W "$(_origin_ca_agent_certificates)" -- "$current")
		;;
	esac
}

complete -F _origin_ca_agent origin-ca-agent
