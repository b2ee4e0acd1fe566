#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""busy_sandbox.py DIRECTORY COMMAND...: runs the command while the control socket in a container's directory answers EAGAIN three times;
the next call goes to the sandbox itself. Prints how often it was asked, whether the record was there each time, and the exit code."""
import json
import os
import socket
import subprocess
import sys

directory, command = sys.argv[1], sys.argv[2:]
path = os.path.join(directory, "control.sock")
real = path + ".real"
os.rename(path, real)
listener = socket.socket(socket.AF_UNIX)
os.chdir(directory)
listener.bind("control.sock")
listener.listen()
child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
asked, kept = 0, True
while asked < 3:
    client, _ = listener.accept()
    client.recv(4096)
    asked += 1
    kept = kept and os.path.exists("state.json")
    if asked == 3:
        os.rename(real, path)
    client.sendall(json.dumps({"success": False, "err": "busy", "errno": 11}).encode())
    client.close()
said = child.communicate()[1].strip()
print("asked %d times, record %s, %d%s" % (asked, "kept" if kept else "gone", child.returncode, said and ": " + said))
