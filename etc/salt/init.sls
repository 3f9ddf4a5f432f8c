# Cloudflare Origin CA certificates on this host's web servers. No distribution has the package: build
# it (README, "Install") and name it, or put it into a repository of your own and leave `package` out.
# Pillar, encrypted where it is kept:
#
#   origin_ca_agent:
#     package: salt://origin-ca-agent_0.1.0-1_amd64.deb    # or a URL, or a path on the minion
#     token: ...
#     certificates:
#       example.com:
#         hostnames: [example.com, "*.example.com"]
#         targets: nginx
{% set agent = salt['pillar.get']('origin_ca_agent', {}) %}

origin-ca-agent:
  pkg.installed:
{%- if agent.get('package') %}
    - sources:
      - origin-ca-agent: {{ agent.package }}
{%- else %}
    - name: origin-ca-agent
{%- endif %}
  service.running:
    - enable: true
    - require:
      - file: /etc/origin-ca-agent/api-token

/etc/origin-ca-agent/api-token:
  file.managed:
    - contents_pillar: origin_ca_agent:token
    - show_changes: false
    - user: root
    - group: origin-ca-agent
    - mode: "0640"
    - require:
      - pkg: origin-ca-agent

{% for name, keys in agent.get('certificates', {}).items() %}
/etc/origin-ca-agent/conf.d/{{ name }}.ini:
  file.managed:
    - user: root
    - group: root
    - mode: "0644"
    - require:
      - pkg: origin-ca-agent
    - contents: |
        ; Managed by Salt.
        [certificate {{ name }}]
{%- for key, value in keys.items() %}
{#- A list goes on in indented lines: one line has a limit. A boolean is yes or no, as in the INI. #}
        {{ key }} = {% if value is sameas true %}yes{% elif value is sameas false %}no
{%- elif value is iterable and value is not string %}{{ value | join('\n            ') }}
{%- else %}{{ value }}{% endif %}
{%- endfor %}
    - onchanges_in:
      - cmd: origin-ca-agent-pass
{% endfor %}

# 1: not served yet, as the line in the server's configuration may come later in this run.
origin-ca-agent-pass:
  cmd.run:
    - name: origin-ca-agent --renew-now
    - success_retcodes: [1]
    - onchanges:
      - file: /etc/origin-ca-agent/api-token
