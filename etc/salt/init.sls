# Cloudflare Origin CA certificates on this host's web servers. Pillar, encrypted where it is kept:
#
#   origin_ca_agent:
#     token: ...
#     certificates:
#       example.com:
#         hostnames: [example.com, "*.example.com"]
#         targets: nginx
{% set agent = salt['pillar.get']('origin_ca_agent', {}) %}

origin-ca-agent:
  pkg.installed: []
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
        {{ key }} = {{ value | join(' ') if value is iterable and value is not string else value }}
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
