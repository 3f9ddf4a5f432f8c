"""A share whose server is away: `hanging_share.py DIRECTORY` mounts a file system there (FUSE) that
says what it is and then answers nothing any more. Who touches it waits in the kernel and cannot be
killed, as in an NFS mount that is `hard`, until this process ends."""

import ctypes
import os
import struct
import sys
import time

INIT, ROOT_MODE = 26, "40000"


def main(directory):
    if not os.path.exists("/dev/fuse"):
        os.mknod("/dev/fuse", 0o20600, os.makedev(10, 229))
    device = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode={ROOT_MODE},user_id=0,group_id=0,allow_other"
    if libc.mount(b"share", directory.encode(), b"fuse.share", 0, options.encode()) < 0:
        raise OSError(ctypes.get_errno(), directory)
    while True:
        request = os.read(device, 1 << 20)
        _, opcode, unique = struct.unpack_from("=IIQ", request)
        if opcode == INIT:
            # fuse_out_header, and fuse_init_out of protocol 7.31
            body = struct.pack("=IIIIHHIIHHI28x", 7, 31, 65536, 0, 16, 12, 65536, 1, 0, 0, 0)
            os.write(device, struct.pack("=IiQ", 16 + len(body), 0, unique) + body)
        else:
            time.sleep(0)          # taken, and never answered


if __name__ == "__main__":
    main(sys.argv[1])
