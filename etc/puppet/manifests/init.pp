# Cloudflare Origin CA certificates on this host's web servers. No distribution has the package: build it
# (README, "Install"), bring it to the host and name it as `package_file`, or put it into a repository of
# your own and leave that out.
#
#   class { 'origin_ca_agent':
#     package_file => '/var/cache/origin-ca-agent_0.1.0-1_amd64.deb',
#     token        => lookup('origin_ca_token'),       # eyaml or another back end, as Sensitive
#     certificates => {
#       'example.com' => { 'hostnames' => ['example.com', '*.example.com'], 'targets' => 'nginx' },
#     },
#   }
class origin_ca_agent (
  Sensitive[String[1]]               $token,
  Hash[String[1], Hash[String, Any]] $certificates = {},
  Optional[String[1]]                $package_file = undef,
) {
  package { 'origin-ca-agent':
    ensure => installed,
    source => $package_file,
  }

  file { '/etc/origin-ca-agent/api-token':
    ensure    => file,
    owner     => 'root',
    group     => 'origin-ca-agent',
    mode      => '0640',
    content   => Sensitive("${token.unwrap}\n"),
    show_diff => false,
    require   => Package['origin-ca-agent'],
    notify    => Exec['origin-ca-agent pass'],
  }

  $certificates.each |$name, $keys| {
    $lines = $keys.map |$key, $value| {
      $text = $value ? {
        Array   => $value.join("\n    "),
        true    => 'yes',
        false   => 'no',
        default => $value,
      }
      "${key} = ${text}\n"
    }
    file { "/etc/origin-ca-agent/conf.d/${name}.ini":
      ensure  => file,
      owner   => 'root',
      group   => 'root',
      mode    => '0644',
      content => "; Managed by Puppet.\n[certificate ${name}]\n${lines.join}",
      require => Package['origin-ca-agent'],
      notify  => Exec['origin-ca-agent pass'],
    }
  }

  # 1: not served yet, as the line in the server's configuration may come later in this run.
  exec { 'origin-ca-agent pass':
    command     => '/usr/sbin/origin-ca-agent --renew-now',
    returns     => [0, 1],
    tries       => 12,
    try_sleep   => 5,
    timeout     => 1800,
    refreshonly => true,
  }

  service { 'origin-ca-agent':
    ensure  => running,
    enable  => true,
    require => File['/etc/origin-ca-agent/api-token'],
  }
}
