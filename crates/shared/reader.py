#!/usr/bin/env python3
"""Prints the states and lanes of a file of atomik-shared as JSON: reader.py FILE. Python's standard library is enough."""
import fcntl, json, mmap, operator, os, struct, sys, zlib
from functools import reduce

STATES = ["unused", "dead", "dead", "returned"]  # of a lane that nobody has locked

with open(sys.argv[1], "rb") as file:
    data = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    header = data[:128]
    magic, version, least, order, algebra, kind = struct.unpack_from("=8sIIQII", header)
    fields = struct.unpack_from("=9Q", header, 32)
    length, lanes, planes, stride, descriptors, descriptor_stride, metadata, metadata_bytes, size = fields
    checksum, _, ready = struct.unpack_from("=I4s8s", header, 112)
    if magic != b"ATOMIKSH" or order != 0x0102030405060708 or least > 1:
        sys.exit("not a file of atomik-shared that this reader knows")
    if sorted(ready) != sorted(b"READY\0\0\0") or checksum != zlib.crc32(header[:112]) or len(data) != size:
        sys.exit("damaged or truncated")
    words = memoryview(data).cast("Q")  # whole words, by one load each
    compose = [operator.xor, lambda a, b: (a + b) % 2**64][algebra]
    total = lambda addr: reduce(compose, (words[(planes + lane * stride) // 8 + addr] for lane in range(lanes)))
    states = {addr: total(addr) for addr in range(length)}
    owners = []
    for at in range(descriptors, descriptors + lanes * descriptor_stride * kind, descriptor_stride or 1):
        lock = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, at, 1, 0)
        is_free = struct.unpack("hhqqi", fcntl.fcntl(file, fcntl.F_OFD_GETLK, lock))[0] == fcntl.F_UNLCK
        state, pid, label = words[at // 8], words[at // 8 + 1], data[at + 32 : at + 128].rstrip(b"\0")
        phase = STATES[state % 256] if is_free else "alive"
        owners.append({"state": phase, "incarnation": state >> 8, "pid": pid, "label": label.decode(errors="replace")})
    entries, at, end = [], metadata + 128, metadata + 128 + (words[metadata // 8] if metadata_bytes else 0)
    while at < end:
        entries.append(data[at + 8 : at + 8 + words[at // 8]].decode(errors="replace"))
        at += 8 + (words[at // 8] + 7) // 8 * 8
print(json.dumps({"states": {addr: state for addr, state in states.items() if state}, "lanes": owners, "metadata": entries}))
