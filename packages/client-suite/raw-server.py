"""A server whose every word is written by hand: what a client is told by a server that is broken, or wants to harm it.

Orders are JSON objects, one a line, on standard input; each has one answer on standard output. Node.js can send no descriptors.
"""

import array
import base64
import fcntl
import json
import mmap
import os
import socket
import sys

SEALS = 0x2 | 0x4  # F_SEAL_SHRINK, F_SEAL_GROW
F_ADD_SEALS = 1033

listener = None
client = None
received = b""
descriptors = 0
files = []


def accept(order):
    global client, received, descriptors
    listener.settimeout(order["timeout"] / 1000)
    client, _ = listener.accept()
    received, descriptors = b"", 0
    return {}


def listen(order):
    global listener
    where = order["where"]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0" + where[1:] if where.startswith("@") else where)
    listener.listen(8)
    return {}


def take():
    """Some more bytes of the client's: False at its end."""
    global received, descriptors
    bytes_, ancillary, _, _ = client.recvmsg(65536, socket.CMSG_SPACE(64 * 4))
    for _, kind, data in ancillary:
        if kind == socket.SCM_RIGHTS:
            numbers = array.array("i")
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
            descriptors += len(numbers)
            for number in numbers:
                os.close(number)
    received += bytes_
    return len(bytes_) > 0


def line(order):
    """The client's next line, or null if it has hung up before it was complete."""
    global received
    client.settimeout(order["timeout"] / 1000)
    try:
        while b"\n" not in received:
            if not take():
                return {"line": None, "descriptors": descriptors}
    except ConnectionResetError:
        return {"line": None, "descriptors": descriptors}
    text, _, received = received.partition(b"\n")
    return {"line": text.decode("utf-8", "replace"), "descriptors": descriptors}


def rest(order):
    """All that the client says until it hangs up."""
    global received
    client.settimeout(order["timeout"] / 1000)
    try:
        while take():
            pass
    except ConnectionResetError:
        pass
    text, received = received, b""
    return {"text": text.decode("utf-8", "replace"), "descriptors": descriptors}


def memory(order):
    """A new memory file; its number is that of the answer."""
    fd = os.memfd_create(order.get("name", "raw server"), os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    os.ftruncate(fd, order["bytes"])
    if order.get("sealed", True):
        fcntl.fcntl(fd, F_ADD_SEALS, SEALS)
    mapping = mmap.mmap(fd, order["bytes"]) if order["bytes"] > 0 else None
    files.append((fd, mapping))
    return {"file": len(files) - 1}


def write(order):
    _, mapping = files[order["file"]]
    data = base64.b64decode(order["base64"])
    mapping[order["at"] : order["at"] + len(data)] = data
    return {}


def read(order):
    _, mapping = files[order["file"]]
    return {"base64": base64.b64encode(mapping[order["at"] : order["at"] + order["count"]]).decode()}


def opened(what):
    """A new descriptor: of a memory file by its number, or of something else by its path."""
    if isinstance(what, str):
        if what == "pipe":
            ends = os.pipe()
            os.close(ends[1])
            return ends[0]
        return os.open(what, os.O_RDONLY | os.O_CLOEXEC)
    flags = os.O_RDWR if what.get("writable") else os.O_RDONLY
    return os.open("/proc/self/fd/%d" % files[what["file"]][0], flags | os.O_CLOEXEC)


def send(order):
    """Bytes, in one piece or in pieces of so many bytes, with descriptors at the first of them."""
    data = base64.b64decode(order["base64"])
    size = order.get("pieces", len(data)) or 1
    fds = [opened(what) for what in order.get("descriptors", [])]
    client.settimeout(order["timeout"] / 1000)
    try:
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            if at == 0 and fds:
                sent = socket.send_fds(client, [piece], fds)
                piece = piece[sent:]
            client.sendall(piece)
    except (BrokenPipeError, ConnectionResetError):
        return {"gone": True}
    finally:
        for fd in fds:
            os.close(fd)
    return {"gone": False}


def hang_up(order):
    client.close()
    return {}


ORDERS = {
    "listen": listen,
    "accept": accept,
    "line": line,
    "rest": rest,
    "memory": memory,
    "write": write,
    "read": read,
    "send": send,
    "hangUp": hang_up,
}

for text in sys.stdin:
    order = json.loads(text)
    try:
        answer = ORDERS[order["do"]](order)
    except Exception as error:
        answer = {"failed": "%s: %s" % (type(error).__name__, error)}
    print(json.dumps(answer), flush=True)
