#!/bin/sh
# ExecStop= of a service with sanitizers; systemd gives MAINPID. After SIGTERM systemd sends SIGCONT,
# which takes away the SIGSTOP that LeakSanitizer's tracer may be waiting for at that moment: both
# wait for ever. So the program is told here, and systemd finds it gone. A file, not a line of the
# unit: systemd 252 writes "$" and ";" of a transient unit in a way that it does not read again after
# a daemon-reload.
set -eu
kill -TERM "$MAINPID"
while kill -0 "$MAINPID" 2> /dev/null; do
	sleep 0.01
done
