# SPDX-License-Identifier: Apache-2.0
"""What scripts that test the control socket share: points, calls, each on a connection of its own, and shells in the root container's files."""
import json, os

from rpc_wire import Connection

patience = int(os.environ.get("CASEMATE_TEST_PATIENCE", "1"))
socket_name, interface, shells = "", "", 0


def connect(path, methods=""):
    """Calls go to this socket, whose directory becomes the current one; `methods` is the interface of methods that are named without one."""
    global socket_name, interface
    directory, socket_name = os.path.split(path)
    interface = methods
    os.chdir(directory)


def connection(seconds=60):
    return Connection(socket_name, seconds * patience)


def check(good, text):
    print(("ok " if good else "not ok: ") + text, flush=True)


def call(method, arg=None, fds=(), wait=True):
    """The reply; None when the connection was ended, or is not waited for."""
    c = connection()
    request = {"method": method if "." in method else interface + method}
    if arg is not None:
        request["arg"] = arg
    try:
        c.send(json.dumps(request).encode(), fds)
    except (BrokenPipeError, ConnectionResetError):
        return None
    return c.receive() if wait else None


def good(method, arg=None, fds=(), text=""):
    """A call that works: its result."""
    r = call(method, arg, fds)
    check(r and r["success"], "%s %s%s" % (method, text, "" if r and r["success"] else ": %r" % r))
    return r and r["result"]


def bad(method, arg, errno, text, fds=()):
    """A call that is refused: the words."""
    r = call(method, arg, fds)
    right = r is not None and not r["success"] and r["errno"] == errno and r["err"]
    check(right, "%s %s is refused%s" % (method, text, "" if right else ": %r" % r))
    return r and r["err"]


def read_all(fd):
    """What comes until the end; fd is closed."""
    parts = []
    while True:
        part = os.read(fd, 1 << 20)
        if not part:
            os.close(fd)
            return b"".join(parts)
        parts.append(part)


def shell(script, option="-c"):
    """Output and status of a shell in the root container's files, with all capabilities; the reply and -1 when it is refused."""
    global shells
    shells += 1
    cid = "shell%d" % shells
    r, w = os.pipe()
    reply = call("Lifecycle.StartContainer", {"container_id": cid, "filename": "/bin/sh", "argv": ["sh", option, script], "envv": ["PATH=/bin"], "donated_fds": [1, 2]}, [w, w])
    os.close(w)
    text = read_all(r).decode(errors="replace")
    if not reply["success"]:
        return repr(reply), -1
    status = call("containerManager.Wait", cid)["result"]
    call("containerManager.DestroySubcontainer", cid)
    return text, status
