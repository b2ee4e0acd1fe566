# SPDX-License-Identifier: Apache-2.0
"""A connection to a control socket, by docs/RPC.md alone: one JSON value a message, descriptors as SCM_RIGHTS on its first byte."""
import json, socket


class Connection:
    def __init__(self, name, seconds):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(seconds)
        self.s.connect(name)
        self.rest = ""  # of the next message, which came with the one before

    def send(self, data, fds=()):
        if fds:
            socket.send_fds(self.s, [data[:1]], fds)
            data = data[1:]
        self.s.sendall(data)

    def receive(self):
        """The next reply; None when there is none."""
        text = self.rest.encode()
        while True:
            try:
                value, end = json.JSONDecoder().raw_decode(text.decode())
                self.rest = text.decode()[end:]
                return value
            except ValueError:
                part = self.s.recv(65536)
            if not part:
                return None
            text += part

    def call(self, method, arg=None, fds=()):
        request = {"method": method}
        if arg is not None:
            request["arg"] = arg
        self.send(json.dumps(request).encode(), fds)
        return self.receive()
