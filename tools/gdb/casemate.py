# SPDX-License-Identifier: Apache-2.0
"""gdb helpers for the sentry: from a core (`casemate debug ID core FILE`) or a live attach (`casemate debug ID gdb`).

    gdb -x tools/gdb/casemate.py sentry.elf FILE

cm-tasks                 all tasks: ids, state, vCPU, name, where they sleep
cm-bt TID                the sentry's stack of a task that sleeps
cm-vmas PID              mappings of a process
cm-pgtable ADDR [PID]    the page-table walk of an address, in a process or in the kernel
cm-virtqueue [RING]      a struct ring (an expression), or all that the drivers have

What is read may be damaged: lists are cut after MAX links, and an address that cannot be read is an error of that command alone.
"""
import gdb

MAX = 65536
PAGE = 4096
DIRECT_MAP = 0xFFFF888000000000
KERNEL_BASE = 0xFFFFFFFF80000000
GPA_RAM = 0x100000000
PTE_ADDR = 0x000FFFFFFFFFF000
PTE_BITS = ((1 << 63, "NX"), (0x1, "P"), (0x2, "W"), (0x4, "U"), (0x20, "A"), (0x40, "D"), (0x80, "PS"), (0x100, "G"))
STATES = {0: "R", 1: "D", 2: "S", 3: "Z"}


def u64(value):
    return int(value) & 0xFFFFFFFFFFFFFFFF


def symbol(name):
    value = gdb.lookup_static_symbol(name) or gdb.lookup_global_symbol(name)
    if value is None:
        raise gdb.GdbError("no symbol '%s': is the sentry's ELF file loaded?" % name)
    return value.value()


def read(address, size):
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size))
    except gdb.MemoryError:
        raise gdb.GdbError("cannot read %d bytes at %#x" % (size, address))


def read_phys(gpa, size):
    return read(gpa + DIRECT_MAP, size)


def word(data):
    return int.from_bytes(data, "little")


def container(node, type_name, member):
    """The object around the list_head or rb_node at address `node`."""
    t = gdb.lookup_type(type_name)
    at = node
    for part in member.split("."):
        field = next(f for f in t.fields() if f.name == part)
        at -= field.bitpos // 8
        t = field.type
    return gdb.Value(at).cast(gdb.lookup_type(type_name).pointer())


def each(head, type_name, member):
    end = u64(head.address)
    at = u64(head["next"])
    for _ in range(MAX):
        if at in (end, 0):
            return
        yield container(at, type_name, member)
        at = word(read(at, 8))
    print("(list cut after %d links)" % MAX)


def text(value, limit=255):
    """A char array or pointer, printable."""
    out = ""
    for i in range(limit):
        c = int(value[i]) & 0xFF
        if c == 0:
            break
        out += chr(c) if 0x20 <= c < 0x7F else "\\x%02x" % c
    return out


def tasks():
    for group in each(symbol("pid_ns_root")["groups"], "struct group", "ns_link"):
        for task in each(group["tasks"], "struct task", "group_link"):
            yield group, task


def find_task(tid):
    for group, task in tasks():
        if int(task["tid"]) == tid:
            return group, task
    raise gdb.GdbError("no task %d" % tid)


def number(word_, what):
    try:
        return int(gdb.parse_and_eval(word_))
    except gdb.error:
        raise gdb.GdbError("%s '%s': not a number" % (what, word_))


def frames(pc, fp, low, high):
    """(pc) by frame pointers, within one stack."""
    yield pc
    for _ in range(64):
        if fp % 8 or not low <= fp <= high - 16:
            return
        data = read(fp, 16)
        fp, pc = word(data[:8]), word(data[8:])
        if pc == 0:
            return
        yield pc


def sleeping(task):
    """Program counters of a task that runs nowhere, innermost first."""
    thread = task["thread"]
    low = u64(thread["stack"])
    sp = u64(thread["ksp"])
    size = 16384
    if not low <= sp <= low + size - 56:
        raise gdb.GdbError("its stack pointer %#x is not in its stack" % sp)
    saved = read(sp, 56)  # r15 r14 r13 r12 rbx rbp, return address
    return frames(word(saved[48:]), word(saved[40:48]), low, low + size)


def name_of(pc):
    block = gdb.block_for_pc(pc - 1)
    while block and not block.function:
        block = block.superblock
    if block:
        return "%s+%#x" % (block.function.name, pc - block.start)
    return gdb.execute("info symbol %#x" % pc, to_string=True).strip()


def channel(task):
    skip = ("sched_", "arch_switch", "waitq_", "mutex_", "rwsem_", "wait_")
    if bool(task["thread"]["on_cpu"]):
        return "(runs)"
    try:
        for pc in sleeping(task):
            name = name_of(pc)
            if not name.startswith(skip):
                return name
    except gdb.GdbError:
        pass
    return "?"


class Command(gdb.Command):
    """Checks the number of words; `run` does the rest."""

    least = most = 0

    def __init__(self, name):
        super().__init__(name, gdb.COMMAND_DATA)
        self.name = name

    def invoke(self, arg, from_tty):
        words = gdb.string_to_argv(arg)
        if not self.least <= len(words) <= self.most:
            raise gdb.GdbError("usage: %s %s" % (self.name, self.usage))
        self.run(words)


class Tasks(Command):
    """cm-tasks: all tasks of the sentry."""

    usage = ""

    def run(self, words):
        print("%7s %7s %7s S CPU %-16s %s" % ("PID", "TID", "PPID", "NAME", "IN"))
        for group, task in tasks():
            parent = group["parent"]
            thread = task["thread"]
            state = "Z" if bool(task["dead"]) or not u64(thread) else STATES.get(int(thread["state"]), "?")
            print(
                "%7d %7d %7d %s %3d %-16s %s"
                % (
                    int(group["pid"]),
                    int(task["tid"]),
                    int(parent["pid"]) if u64(parent) else 0,
                    state,
                    int(thread["cpu"]) if u64(thread) else -1,
                    text(task["comm"], 16),
                    channel(task) if state != "Z" else "",
                )
            )


class Backtrace(Command):
    """cm-bt TID: the sentry's stack of a task that sleeps."""

    usage = "TID"
    least = most = 1

    def run(self, words):
        _, task = find_task(number(words[0], "task"))
        if bool(task["thread"]["on_cpu"]):
            raise gdb.GdbError("it runs on vCPU %d: thread %d, bt" % (int(task["thread"]["cpu"]), int(task["thread"]["cpu"]) + 1))
        for i, pc in enumerate(sleeping(task)):
            where = gdb.find_pc_line(pc - 1)
            print("#%-2d %#018x %s %s" % (i, pc, name_of(pc), "at %s:%d" % (where.symtab.filename, where.line) if where.symtab else ""))


def path_of(file):
    names, mnt, dentry = [], file["path"]["mnt"], file["path"]["dentry"]
    for _ in range(256):
        if not u64(mnt) or not u64(dentry):
            break
        if u64(dentry) in (u64(mnt["root"]), u64(dentry["parent"])):
            dentry, mnt = mnt["mountpoint"], mnt["parent"]
            continue
        names.append(text(dentry["name"], int(dentry["len"])))
        dentry = dentry["parent"]
    return "/" + "/".join(reversed(names))


def nodes(node):
    stack = []
    for _ in range(MAX):
        while u64(node):
            stack.append(node)
            node = node["left"]
            if len(stack) > 64:
                raise gdb.GdbError("the tree is too deep to be one")
        if not stack:
            return
        node = stack.pop()
        yield node
        node = node["right"]


class Vmas(Command):
    """cm-vmas PID: the mappings of a process."""

    usage = "PID"
    least = most = 1

    def run(self, words):
        _, task = find_task(number(words[0], "process"))
        space = task["as"]
        if not u64(space):
            raise gdb.GdbError("it has no memory any more")
        for node in nodes(space["vmas"]["node"]):
            v = container(u64(node), "struct vma", "node")
            flags = int(v["flags"])
            print(
                "%016x-%016x %s%s%s%s %10x %s"
                % (
                    u64(v["start"]),
                    u64(v["end"]),
                    "r" if flags & 1 else "-",
                    "w" if flags & 2 else "-",
                    "x" if flags & 4 else "-",
                    "s" if flags & 8 else "p",
                    int(v["pgoff"]) * PAGE,
                    path_of(v["file"]) if u64(v["file"]) else self.special(flags),
                )
            )

    def special(self, flags):
        for bit, name in ((0x10000, "[stack]"), (0x20000, "[heap]"), (0x40000, "[vdso]"), (0x80000, "[vvar]")):
            if flags & bit:
                return name
        return ""


class PageTable(Command):
    """cm-pgtable ADDR [PID]: the walk of an address, in a process or in the kernel."""

    usage = "ADDR [PID]"
    least = 1
    most = 2

    def run(self, words):
        va = number(words[0], "address") & 0xFFFFFFFFFFFFFFFF
        if len(words) == 2:
            space = find_task(number(words[1], "process"))[1]["as"]
            if not u64(space):
                raise gdb.GdbError("it has no memory any more")
            table = u64(space["pt"]["root"])
        else:
            table = u64(symbol("pcpus")[0]["root"])
        table &= PTE_ADDR
        for level, name in ((3, "PML4"), (2, "PDPT"), (1, "PD"), (0, "PT")):
            shift = 12 + 9 * level
            index = va >> shift & 511
            entry = word(read_phys(table + 8 * index, 8))
            bits = " ".join(n for bit, n in PTE_BITS if entry & bit)
            print("%-4s %#012x [%3d] = %#018x  %s" % (name, table, index, entry, bits or "-"))
            if not entry & 1:
                print("not mapped")
                return
            if level == 0 or (level < 3 and entry & 0x80):
                mask = (1 << shift) - 1
                print("%#x -> %#x, a page of %d KiB" % (va, (entry & PTE_ADDR & ~mask) | (va & mask), (1 << shift) >> 10))
                return
            table = entry & PTE_ADDR


class VirtQueue(Command):
    """cm-virtqueue [RING]: a struct ring, or all that the drivers have."""

    usage = "[RING]"
    most = 1

    def run(self, words):
        if words:
            value = gdb.parse_and_eval(words[0])
            self.show(words[0], value.dereference() if value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR else value)
            return
        for name, ring in self.known():
            self.show(name, ring)

    def known(self):
        vsock = symbol("vd")["ring"]
        for i in range(vsock.type.range()[1] + 1):
            yield "vsock %d" % i, vsock[i]
        chans = symbol("fs_chans")
        for n in range(chans.type.range()[1] + 1):
            if not u64(chans[n]):
                continue
            rings = chans[n]["ring"]
            for i in range(rings.type.range()[1] + 1):
                yield "fs %d %d" % (n, i), rings[i]

    def show(self, name, ring):
        if not u64(ring["desc"]):
            print("%s: not set up" % name)
            return
        print(
            "%s: size %d, free %d, avail.idx %d (published %d), used.idx %d (seen %d), in flight %d%s"
            % (
                name,
                int(ring["size"]),
                int(ring["nfree"]),
                word(read(u64(ring["avail"]) + 2, 2)),
                int(ring["published"]),
                word(read(u64(ring["used"]) + 2, 2)),
                int(ring["seen"]),
                int(ring["in_flight"]),
                ", BROKEN" if bool(ring["broken"]) else "",
            )
        )
        desc = u64(ring["desc"])
        for i in range(min(int(ring["size"]), 256)):
            if not int(ring["chain_len"][i]):
                continue
            at, chain = i, []
            for _ in range(int(ring["chain_len"][i])):
                d = read(desc + 16 * at, 16)
                chain.append("%s %#x+%d" % ("in" if d[12] & 2 else "out", word(d[:8]), word(d[8:12])))
                at = word(d[14:16]) & 255
            print("  head %d: %s" % (i, ", ".join(chain)))


Tasks("cm-tasks")
Backtrace("cm-bt")
Vmas("cm-vmas")
PageTable("cm-pgtable")
VirtQueue("cm-virtqueue")
