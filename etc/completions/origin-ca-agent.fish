# fish completion for origin-ca-agent(8)

function __origin_ca_agent_certificates
    sed -nE 's/^\[certificate ([^]]+)\].*/\1/p' /etc/origin-ca-agent/agent.ini \
        /etc/origin-ca-agent/conf.d/*.ini 2>/dev/null
end

set -l commands init run renew check status render probe list show revoke adopt prune
set -l named renew status render probe show revoke prune

complete -c origin-ca-agent -f
complete -c origin-ca-agent -n "not __fish_seen_subcommand_from $commands" -a init \
    -d 'first run: token, certificate, server'
complete -c origin-ca-agent -n "not __fish_seen_subcommand_from $commands" -a run \
    -d 'run as the agent'
complete -c origin-ca-agent -n "not __fish_seen_subcommand_from $commands" -a renew \
    -d 'one pass now'
complete -c origin-ca-agent -n "not __fish_seen_subcommand_from $commands" -a check \
    -d 'what would fail, and the remedy'
complete -c origin-ca-agent -n "not __fish_seen_subcommand_from $commands" -a status \
    -d 'certificates, targets, expiry, errors'
complete -c origin-ca-agent -n "not __fish_seen_subcommand_from $commands" -a render \
    -d 'print a snippet'
complete -c origin-ca-agent -n "not __fish_seen_subcommand_from $commands" -a probe \
    -d 'handshake now'
complete -c origin-ca-agent -n "not __fish_seen_subcommand_from $commands" -a list \
    -d 'certificates at Cloudflare'
complete -c origin-ca-agent -n "not __fish_seen_subcommand_from $commands" -a show \
    -d 'one certificate at Cloudflare'
complete -c origin-ca-agent -n "not __fish_seen_subcommand_from $commands" -a revoke \
    -d 'revoke a certificate that nobody needs'
complete -c origin-ca-agent -n "not __fish_seen_subcommand_from $commands" -a adopt \
    -d 'take over a certificate that is here'
complete -c origin-ca-agent -n "not __fish_seen_subcommand_from $commands" -a prune \
    -d 'remove the files of what is configured no longer'
complete -c origin-ca-agent -n '__fish_seen_subcommand_from adopt' -F
complete -c origin-ca-agent -n '__fish_seen_subcommand_from list' -l zone -x -d 'name or id'
complete -c origin-ca-agent -n "__fish_seen_subcommand_from $named" \
    -a '(__origin_ca_agent_certificates)'

complete -c origin-ca-agent -s c -l config -r -F -d 'instead of agent.ini'
complete -c origin-ca-agent -l renew-now -d 'one pass now'
complete -c origin-ca-agent -l json -d 'one JSON object on standard output'
complete -c origin-ca-agent -l dry-run -d 'say what would be done, do nothing'
complete -c origin-ca-agent -l force -d 'issue anew; with init: replace files'
complete -c origin-ca-agent -s v -l verbose -d 'more lines on standard error'
complete -c origin-ca-agent -s h -l help -d 'a short text'
complete -c origin-ca-agent -l version -d 'the version'
complete -c origin-ca-agent -l watch -d 'status: go on showing it'
complete -c origin-ca-agent -l html -d 'status: one page for a browser'

set -l init '__fish_seen_subcommand_from init'
complete -c origin-ca-agent -n $init -l hostnames -x -d 'names of the certificate'
complete -c origin-ca-agent -n $init -l name -x -d 'name of the certificate'
complete -c origin-ca-agent -n $init -l target -x -a 'nginx apache tomcat haproxy none' \
    -d 'the server'
complete -c origin-ca-agent -n $init -l token-file -r -F -d 'where the API token is'
complete -c origin-ca-agent -n $init -l endpoint -x -d 'address of the API'
complete -c origin-ca-agent -n $init -l ca-file -r -F -d 'authorities of the endpoint'
complete -c origin-ca-agent -n $init -l enable -d 'enable and start the service'
complete -c origin-ca-agent -n $init -l no-enable -d 'leave the service alone'
complete -c origin-ca-agent -n $init -l yes -d 'ask nothing'
