# manual.awk - docs/configuration.md as origin-ca-agent.ini(5), in scdoc: awk -f manual.awk FILE
#
# Knows what that file uses of Markdown: headings, paragraphs, fenced text, tables, lists, links.
# A table of keys (its first column is "key") becomes a list of keys.

BEGIN {
	print "origin-ca-agent.ini(5)"
	print ""
	print "# NAME"
	print ""
	print "origin-ca-agent.ini - configuration of origin-ca-agent(8)"
}

# What scdoc would take for its own.
function plain(text) {
	gsub(/\\/, "&&", text)
	gsub(/\*/, "\\*", text)
	gsub(/_/, "\\_", text)
	gsub(/`/, "\\`", text)
	return text
}

# Code becomes bold, a link its text.
function inline(text,    out, parts, count, i) {
	while (match(text, /\[[^]]*\]\([^)]*\)/)) {
		out = substr(text, RSTART + 1, RLENGTH - 1)
		sub(/\]\(.*$/, "", out)
		text = substr(text, 1, RSTART - 1) out substr(text, RSTART + RLENGTH)
	}
	out = ""
	count = split(text, parts, "`")
	for (i = 1; i <= count; i++) {
		if (i % 2 == 0 && parts[i] != "")
			out = out "*" plain(parts[i]) "*"
		else {
			gsub(/\*/, "", parts[i])
			out = out plain(parts[i])
		}
	}
	return out
}

function trim(text) {
	gsub(/^[ \t]+|[ \t]+$/, "", text)
	return text
}

# The cells of "| one | two |", in `cells`; a "\|" is no border.
function row(text, cells,    count, i) {
	gsub(/\\\|/, "\001", text)
	sub(/^\|/, "", text)
	sub(/\|[ \t]*$/, "", text)
	count = split(text, cells, "|")
	for (i = 1; i <= count; i++) {
		gsub(/\001/, "|", cells[i])
		cells[i] = trim(cells[i])
	}
	return count
}

function table(text,    cells, count, i) {
	count = row(text, cells)
	if (text ~ /^\|[-| :]+\|[ \t]*$/)
		return
	if (!in_table) {
		in_table = 1
		keys = cells[1] == "key"
		for (i = 1; i <= count; i++)
			heads[i] = cells[i]
		return
	}
	text = ""
	for (i = 2; i <= count; i++)
		if (cells[i] != "")
			text = text (text != "" ? "++\n" : "\t") label(i, count) inline(cells[i])
	print ""
	print inline(cells[1])
	print text
}

# What stands before a cell of a table of keys.
function label(i, count) {
	return !keys || i == count ? "" : heads[i] == "default" ? "Default: " : "Example: "
}

# A paragraph or an item of a list, of several lines.
function flush() {
	if (paragraph != "")
		print paragraph ~ /^- / ? "- " inline(substr(paragraph, 3)) : inline(paragraph)
	paragraph = ""
}

/^(```|#+ |\||- |$)/ {
	if (!in_text)
		flush()
}
/^```/ {
	in_text = !in_text
	if (in_text)
		print ""
	print "```"
	next
}
in_text {
	print
	next
}
/^# / { # the title
	print ""
	print "# DESCRIPTION"
	next
}
/^#+ / {
	in_table = 0
	level = $1
	sub(/^#+ /, "")
	print ""
	print (level == "##" ? "# " : "## ") plain($0)
	print ""
	next
}
/^\|/ {
	table($0)
	next
}
/^Keys: \[/ || skipping { # the list of links
	skipping = $0 != ""
	next
}
$0 == "" {
	in_table = 0
	print ""
	next
}
{
	paragraph = paragraph (paragraph != "" ? " " : "") trim($0)
}

END {
	flush()
	print ""
	print "# FILES"
	print ""
	print "_/etc/origin-ca-agent/agent.ini_, _/etc/origin-ca-agent/conf.d/\\*.ini_"
	print ""
	print "# SEE ALSO"
	print ""
	print "*origin-ca-agent*(8), *origin-ca-agent-templates*(5)"
}
