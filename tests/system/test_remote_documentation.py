"""docs/remote.md: each platform that Cloudflare's guide to Origin CA certificates names leads to a
section of the documentation, and what it says of keys is what the program knows."""

import pathlib
import re

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
SOURCE = DOCS.parent / "agent/config/target.c"

# https://developers.cloudflare.com/ssl/origin-configuration/origin-ca/ ("Install Origin CA
# certificate on origin server"), and the type of target that each is.
PLATFORMS = {
    "Apache httpd": "apache", "GoDaddy Hosting": "cpanel", "Microsoft IIS 7": "iis",
    "Microsoft IIS 8 and 8.5": "iis", "Microsoft IIS 10": "iis", "NGINX": "nginx",
    "Apache Tomcat": "tomcat", "Amazon Web Services": "aws-acm", "Apache cPanel": "cpanel",
    "Ubuntu Server with Apache2": "apache",
}


def sections(name):
    """The sections of a page by the anchors that they have on GitHub."""
    found, anchor = {}, None
    for line in (DOCS / name).read_text().splitlines():
        heading = re.match(r"#+ (.+)", line)
        if heading:
            anchor = re.sub(r"[^\w\- ]", "", heading.group(1).lower()).replace(" ", "-")
            found[anchor] = ""
        elif anchor:
            found[anchor] += line + "\n"
    return found


def table_of(text):
    """The rows of a section's tables, as lists of cells."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()
            if line.startswith("| ") and not line.startswith("| ---")]


def test_every_platform_of_the_guide_has_a_section_with_an_example():
    rows = table_of(sections("remote.md")["every-platform-of-cloudflares-guide"])[1:]
    assert {row[0] for row in rows} == set(PLATFORMS)
    for platform, how in rows:
        page, anchor = re.search(r"\]\(([\w.]*)#([\w-]+)\)", how).groups()
        text = sections(page or "remote.md").get(anchor)
        assert text is not None, f"{platform}: there is no section #{anchor}"
        kind = PLATFORMS[platform]
        assert f"type = {kind}" in how
        if "**is cPanel**" in text:             # GoDaddy: everything above holds
            text = sections("remote.md")["cpanel"]
        assert "```ini" in text, f"{platform}: no example"
        assert f"type = {kind}" in text or f"targets = {kind}" in text, platform


def test_each_link_within_the_page_leads_somewhere():
    text = (DOCS / "remote.md").read_text()
    for page, anchor in re.findall(r"\]\(([\w.]*)#([\w-]+)\)", text):
        assert anchor in sections(page or "remote.md"), anchor


def test_each_key_that_is_told_of_is_known_and_each_that_is_remote_is_told_of():
    known = set(re.findall(r'^\t\{"(\w+)", ', SOURCE.read_text(), re.M))
    scopes = (SOURCE.parent / "target_remote.c").read_text()
    remote = set(re.findall(r'\{"(\w+)", (?:CPANEL|ACM|IIS)(?: |,)', scopes))
    told = set()
    for anchor in ("cpanel", "amazon-web-services", "iis-8-and-later"):
        for row in table_of(sections("remote.md")[anchor]):
            told |= set(re.findall(r"`(\w+)`", row[0])) & (known | remote)
    assert remote <= told and told <= known
    assert len(remote) == 16
