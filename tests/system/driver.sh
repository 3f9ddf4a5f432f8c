#!/bin/bash
# driver.sh - keeps one host of sdboot.sh running for host.py: boots it, prints "init PID" (as the
# machine sees it), and powers it off when its standard input has a line or ends.  It ends too when
# the tests die, however they die, so nothing stays behind.
set -euo pipefail
# shellcheck source=sdboot.sh
. "${BASH_SOURCE[0]%/*}/sdboot.sh"
trap sd_stop EXIT
sd_boot >&2
echo "init $sd_init"
read -r _ || true
trap - EXIT
sd_stop
