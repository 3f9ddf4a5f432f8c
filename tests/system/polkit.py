"""What an administrator grants the agent's user beside the packaged rule."""

from agent import USER

# As units/origin-ca-agent.rules and docs/configuration.md tell to write it.
RULE = """polkit.addRule(function(action, subject) {{
	if (action.id == "org.freedesktop.systemd1.manage-units" &&
	    subject.user == "{user}" && action.lookup("unit") == "{unit}" &&
	    ["reload", "try-restart", "start"].indexOf(action.lookup("verb")) >= 0)
		return polkit.Result.YES;
}});
"""
RULES = "/etc/polkit-1/rules.d"


def rule_path(unit):
    return f"{RULES}/50-origin-ca-agent-{unit.removesuffix('.service')}.rules"


def permit(host, unit):
    """The agent may reload, restart and start `unit` from now on. A polkitd that runs is ended: it
    would see the new rule a moment later only."""
    host.write(rule_path(unit), RULE.format(user=USER, unit=unit))
    host.run(["systemctl", "stop", "polkit.service"])


def forbid(host, unit):
    host.remove(rule_path(unit))
    host.run(["systemctl", "stop", "polkit.service"])
