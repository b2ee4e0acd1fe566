# SPDX-License-Identifier: Apache-2.0
"""An event channel of docs/RPC.md: messages of protobuf without a library."""
import socket

from rpc_wire import Connection


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def message(data):
    fields, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        fields[key >> 3] = value
    return fields


class Events:
    def __init__(self, name, seconds):
        self.s, other = socket.socketpair()
        self.s.settimeout(seconds)
        self.given = Connection(name, seconds).call("casemate.Events", {}, [other.fileno()])["success"]
        other.close()

    def next(self):
        """(kind, fields), or None at the end."""
        length = self.s.recv(1)
        if not length:
            return None
        while length[-1] >= 0x80:
            length += self.s.recv(1)
        data = self.s.recv(varint(length, 0)[0], socket.MSG_WAITALL)
        event = message(data)
        return event[1].decode().rsplit(".", 1)[1], message(event[2])

    def time(self, event, field):
        return message(event[field])[1]
