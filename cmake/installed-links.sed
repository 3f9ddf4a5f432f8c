# What a document of the source tree links to, by where it is once it is installed.
s|](docs/|](|g
s|\[etc\](etc)|[examples](examples)|g
s|\[tests/sandbox/README.md\](tests/sandbox/README.md)|origin-ca-sandbox(1)|g
s|](\.\./etc/prometheus/|](../../origin-ca-agent/prometheus/|g
s|](\.\./etc/grafana/|](../../origin-ca-agent/grafana/|g
