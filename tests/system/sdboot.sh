# shellcheck shell=bash
# sdboot.sh - a throw-away host for tests: the machine's own systemd as PID 1 of new pid, mount,
# cgroup, uts, ipc and network namespaces, over an overlay of "/" whose upper layer is a tmpfs.
# What is installed on the machine is there; nothing that is written inside stays.
#
#	. sdboot.sh; trap sd_stop EXIT; sd_boot; sd COMMAND...; sd_stop
#
# Needs root, overlayfs, a mounted cgroup2, util-linux, systemd and dbus; no terminal.
# The pitfalls are told in README.md beside this file.
SD_LOWER=${SD_LOWER:-/}          # overlay lower layers, as mount(8) takes them
SD_ADD=${SD_ADD:-}               # a tree laid over the root, as a package would be unpacked
SD_BIND=${SD_BIND:-}             # directories shared read-write, blank separated
SD_BIND_RO=${SD_BIND_RO:-}       # directories shared read-only, blank separated
SD_PRE=${SD_PRE:-}               # shell code run before PID 1 starts; $root is the new root
SD_TIMEOUT=${SD_TIMEOUT:-60}     # seconds allowed for the boot
SD_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
sd_dir='' sd_cg='' sd_unshare='' sd_init=''

sd_mount_api() {                 # $1: root.  What reaches the machine's kernel is read-only
	local root=$1 name
	mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
	mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs "$root/run"
	for name in sys sysrq-trigger irq bus fs; do
		[ -e "$root/proc/$name" ] || continue
		mount --bind "$root/proc/$name" "$root/proc/$name"
		mount -o remount,bind,ro,nosuid,nodev,noexec "$root/proc/$name"
	done
	# the journal tells boots apart by this: without one of its own, every host is one boot
	name=$root/proc/sys/kernel/random/boot_id
	cat /proc/sys/kernel/random/uuid > "$root/run/boot_id"
	mount --bind "$root/run/boot_id" "$name"
	mount -o remount,bind,ro,nosuid,nodev,noexec "$name"
	mount -t sysfs -o nosuid,nodev,noexec,ro sysfs "$root/sys"
	mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
	mount -t tmpfs -o nosuid,mode=755,size=1m tmpfs "$root/dev"
	for name in null zero full random urandom tty; do
		: > "$root/dev/$name"
		mount --bind "/dev/$name" "$root/dev/$name"
		# devices can be written all the same, but not have the machine's modes changed
		mount -o remount,bind,ro,nosuid,noexec "$root/dev/$name"
	done
	mkdir "$root/dev/pts" "$root/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
	mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$root/dev/shm"
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
	for name in 0:stdin 1:stdout 2:stderr; do
		ln -s "/proc/self/fd/${name%:*}" "$root/dev/${name#*:}"
	done
	mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$root/tmp"
}

sd_bind() {                      # $1: root, $2: mount options, or nothing; then directories
	local root=$1 options=$2 dir
	shift 2
	for dir in "$@"; do
		mkdir -p "$root$dir"
		mount --bind "$dir" "$root$dir"
		[ -z "$options" ] || mount -o "remount,bind,$options" "$root$dir"
	done
}

sd_forget() {                    # $1: root.  What the machine has enabled: only our target runs
	local root=$1 unit
	rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/systemd/system/default.target
	: > "$root/etc/fstab"
	for unit in systemd-journald-audit.socket systemd-udevd.service systemd-udev-trigger.service \
		systemd-remount-fs.service sys-kernel-debug.mount sys-kernel-tracing.mount \
		sys-fs-fuse-connections.mount dev-hugepages.mount systemd-firstboot.service; do
		ln -sfn /dev/null "$root/etc/systemd/system/$unit"
	done
	# they look for disks, consoles and scripts of old, at each boot and each daemon-reload
	mkdir -p "$root/etc/systemd/system-generators"
	for unit in "$root"/lib/systemd/system-generators/*; do
		ln -sfn /dev/null "$root/etc/systemd/system-generators/${unit##*/}"
	done
	printf '%s\n' '[Unit]' 'Requires=basic.target dbus.service' \
		'After=basic.target dbus.service' > "$root/etc/systemd/system/sdtest.target"
	# a machine identity of its own, and with it a journal of its own
	rm -f "$root/etc/machine-id"
	tr -d - < /proc/sys/kernel/random/uuid > "$root/etc/machine-id"
	# in memory, complete, and without flushing from one place to the other
	mkdir -p "$root/etc/systemd/journald.conf.d"
	printf '%s\n' '[Journal]' Storage=volatile RateLimitIntervalSec=0 RuntimeMaxUse=64M \
		> "$root/etc/systemd/journald.conf.d/90-sdtest.conf"
	# the product's own traces, should the machine run it
	rm -rf "$root/etc/origin-ca-agent" "$root/var/lib/origin-ca-agent"
}

sd_stage2() {                    # is PID 1 of the new pid namespace, and becomes systemd
	set -e
	local dir=$1 root=$1/root
	mount -t tmpfs -o mode=755 sdtest "$dir"
	mkdir "$dir/upper" "$dir/work" "$root"
	mount -t overlay overlay \
		-o "lowerdir=$SD_LOWER,upperdir=$dir/upper,workdir=$dir/work" "$root"
	sd_mount_api "$root"
	sd_forget "$root"
	if [ -n "$SD_ADD" ]; then
		# not a lower layer: overlayfs refuses layers that lie within each other; and a /lib in
		# the tree must follow the machine's symlink, as it does when dpkg unpacks
		tar -C "$SD_ADD" -c . | tar -C "$root" -x --keep-directory-symlink --no-overwrite-dir
	fi
	# shellcheck disable=SC2086 # blank separated, as documented
	sd_bind "$root" '' $SD_BIND
	# shellcheck disable=SC2086
	sd_bind "$root" ro $SD_BIND_RO
	eval "$SD_PRE"
	mkdir "$root/.old"
	cd "$root"
	pivot_root . .old
	cd /
	umount -l /.old
	rmdir /.old
	mount --make-rshared /         # else LoadCredential= yields an empty directory, silently
	exec setpriv \
		--bounding-set=-sys_module,-sys_time,-sys_rawio,-syslog,-audit_control,-audit_read \
		env -i container=sdtest LANG=C.UTF-8 PATH="$SD_PATH" \
		/lib/systemd/systemd --system --unit=sdtest.target --show-status=no
}

sd_rmdir() {                     # $1: a cgroup that may have others in it, all empty
	[ -d "$1" ] || return 0
	find "$1" -depth -type d -exec rmdir {} \; 2> /dev/null
	[ ! -d "$1" ]
}

sd_sweep() {                     # $1: cgroup2.  What a SIGKILLed run left: empty directories
	local dir name pid
	for dir in /tmp/sdtest.*/; do
		dir=${dir%/} name=${dir##*/} pid=${name#sdtest.} pid=${pid%.*}
		if [ ! -d "$dir" ] || kill -0 "$pid" 2> /dev/null; then
			continue
		fi
		sd_rmdir "$1/$name" || true
		rm -f "$dir.log"
		rmdir "$dir" 2> /dev/null || true
	done
}

sd_boot() {                      # not in a subshell: init dies with the calling shell
	local cgroup2 end name state=''
	cgroup2=$(findmnt -nro TARGET -t cgroup2 | head -n 1)
	[ -n "$cgroup2" ] || { echo "sd_boot: no cgroup2 is mounted" >&2; return 1; }
	sd_sweep "$cgroup2"
	sd_dir=$(mktemp -d "/tmp/sdtest.$$.XXXXXX")
	sd_cg=$cgroup2/${sd_dir##*/}
	mkdir "$sd_cg"
	export SD_LOWER SD_ADD SD_BIND SD_BIND_RO SD_PRE SD_PATH
	# joins the cgroup first, so that unshare --cgroup makes it the namespace's root
	# shellcheck disable=SC2016 # expands in the inner shell
	setpriv --pdeathsig KILL bash -c 'echo $$ > "$1/cgroup.procs"
		exec unshare --mount --pid --cgroup --uts --ipc --net --fork --kill-child=KILL \
			--propagation private bash -c "$2; sd_stage2 \"\$1\"" sdinit "$3"' \
		sdboot "$sd_cg" "$(declare -f sd_stage2 sd_mount_api sd_bind sd_forget)" "$sd_dir" \
		< /dev/null > "$sd_dir.log" 2>&1 &
	sd_unshare=$!
	end=$((SECONDS + SD_TIMEOUT))
	while [ "$SECONDS" -lt "$end" ] && kill -0 "$sd_unshare" 2> /dev/null; do
		# no newline at the end of this file: read succeeds and says otherwise
		read -r sd_init 2> /dev/null < "/proc/$sd_unshare/task/$sd_unshare/children" || true
		sd_init=${sd_init%% *}
		name=''
		read -r name 2> /dev/null < "/proc/${sd_init:-x}/comm" || true
		if [ "$name" = systemd ] &&
			[ -S "/proc/$sd_init/root/run/dbus/system_bus_socket" ]; then
			state=$(sd timeout "$SD_TIMEOUT" systemctl is-system-running --wait 2>&1) || true
			case $state in
			running | degraded)
				echo "sd_boot: $state"
				return 0
				;;
			esac
		fi
		sleep 0.02
	done
	echo "sd_boot: failed (${state:-systemd did not start})" >&2
	cat "$sd_dir.log" >&2
	kill -KILL "$sd_unshare" 2> /dev/null || true
	return 1
}

sd() {                           # run a command inside
	nsenter -t "$sd_init" -a -- \
		env -i container=sdtest HOME=/root LANG=C.UTF-8 PATH="$SD_PATH" "$@"
}

sd_kill_entered() {              # what sd() started and still runs; seen inside, its parent is 0
	sd ps -eo pid=,ppid= 2> /dev/null | awk '$2 == 0 && $1 != 1 { print $1 }' |
		xargs -r nsenter -t "$sd_init" -p -m kill -KILL 2> /dev/null
}

sd_stop() {                      # clean power-off, then force; leaves nothing behind
	local end=$((SECONDS + 30)) _
	[ -n "$sd_dir" ] || return 0
	trap '' INT TERM HUP
	if [ -n "$sd_init" ]; then
		# these would stall the shutdown: systemd-shutdown SIGSTOPs them, so their nsenter
		# stops itself too and never reaps them
		sd_kill_entered || true
		kill -s RTMIN+4 "$sd_init" 2> /dev/null || true      # starts poweroff.target
	fi
	if [ -n "$sd_unshare" ]; then
		while kill -0 "$sd_unshare" 2> /dev/null && [ "$SECONDS" -lt "$end" ]; do
			sleep 0.02
		done
		if kill -KILL "$sd_unshare" 2> /dev/null; then
			echo "sd_stop: forced" >&2
		fi
		wait "$sd_unshare" 2> /dev/null || true  # 130 = reboot(POWER_OFF) in a pid namespace
	fi
	sd_unshare='' sd_init=''
	for _ in {1..100}; do
		sd_rmdir "$sd_cg" && break
		sleep 0.05
	done
	rm -f "$sd_dir.log"
	rmdir "$sd_dir" || true
	trap - INT TERM HUP
	if [ -d "$sd_cg" ] || [ -d "$sd_dir" ]; then
		echo "sd_stop: left behind: $sd_cg or $sd_dir" >&2
		return 1
	fi
	sd_dir='' sd_cg=''
}
