#!/usr/bin/env python3
"""Includes go one way: includes.py TOP

The table is section "Includes" of tests/lint/README.md.  Refused are an include that the table does
not allow, a header cycle, a cycle between the folders of one program, and I/O in deciding files.
"""
import posixpath
import re
import sys

import sources

PROGRAMS = ("controlplane", "worker", "objstore", "fsmount", "cli", "console")
# The one door from a program into another.
OPEN_TO_ALL = {"objstore/client/objstore.h"}
# The order inside a program where it is more than "no cycles": a folder may include those before it.
ORDERS = {"controlplane": ("state", "replica", "dispatch", "api")}

LIBRARIES = {
    "uv": r"uv\.h|uv/", "openssl": r"openssl/", "sqlite": r"sqlite3\.h", "protobuf-c": r"protobuf-c/",
    "raft": r"raft(\.h|/)", "microhttpd": r"microhttpd\.h", "libs3": r"libs3\.h",
    "curl": r"curl/", "seccomp": r"seccomp\.h", "archive": r"archive(_entry)?\.h",
    "jansson": r"jansson\.h", "libxml2": r"libxml/", "inih": r"ini\.h", "zlib": r"zlib\.h",
    "lz4": r"lz4[a-z]*\.h", "fuse": r"fuse3?/|fuse.*\.h",
}
C_LIBRARY = re.compile(
    r"(sys|linux|net|netinet|arpa|asm)/.*|(assert|byteswap|complex|ctype|dirent|dlfcn|elf|endian|err|errno|fcntl|"
    r"fenv|fnmatch|float|ftw|getopt|glob|grp|ifaddrs|inttypes|iso646|langinfo|libgen|limits|link|locale|malloc|"
    r"math|mntent|netdb|paths|poll|pthread|pty|pwd|regex|sched|semaphore|setjmp|signal|spawn|stdalign|"
    r"stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|syslog|termios|"
    r"threads|time|uchar|unistd|utime|wchar|wctype|immintrin|cpuid|x86intrin|emmintrin|nmmintrin|execinfo)\.h")
# What deciding code may see of the C library: nothing that reaches a file, a clock or a thread.
DECIDING_C = re.compile(
    r"(assert|ctype|endian|errno|float|inttypes|limits|stdalign|stdarg|stdbool|stddef|stdint|stdio|"
    r"stdlib|string|strings)\.h")
DECIDING = re.compile(r"controlplane/state/[^/]*|.*_(plan|rules)\.[ch]")
# Third-party libraries by folder; None allows all.
ALLOWED_LIBRARIES = (
    # The two libraries of base that only their glue may know.
    (re.compile(r"base/http_server[^/]*"), {"uv", "openssl", "microhttpd"}),
    (re.compile(r"base/config[^/]*"), {"uv", "openssl", "inih"}),
    (re.compile(r"base/.*"), {"uv", "openssl"}),
    (re.compile(r"proto/.*"), {"protobuf-c"}),
    (re.compile(r"controlplane/state/.*"), {"sqlite", "protobuf-c"}),
    # Parsers and libraft's step are functions of their input as well.
    (re.compile(r".*_(plan|rules)\.[ch]"), {"protobuf-c", "jansson", "raft"}),
    (re.compile(r".*"), None),
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.M)


def includes_of(text):
    """(line, name, quoted) of each include."""
    for match in INCLUDE.finditer(sources.without_comments(text)):
        line = text.count("\n", 0, match.start()) + 1
        yield line, match.group(1) or match.group(2), match.group(1) is not None


def folder(path):
    return path.split("/")[0]


def wrong_own(path, name):
    """Why `path` may not include our `name`; None when it may."""
    source, target = folder(path), folder(name)
    if "/" not in name or ".." in name:
        return "name it from the top of the tree"
    if source in ("tests", "samples"):
        return None
    if target == "base":
        return None
    if source == "base":
        return "base/ includes only base/"
    if target == "proto":
        return None
    if source == "proto":
        return "proto/ includes only base/ and proto/"
    if path.startswith("controlplane/state/") and not name.startswith("controlplane/state/"):
        return "controlplane/state includes only itself, base/ and proto/"
    if source not in PROGRAMS:
        return f"{source}/ is not a folder that tests/lint/includes.py knows"
    if target != source and name not in OPEN_TO_ALL:
        return f"programs meet only in proto/ and {', '.join(sorted(OPEN_TO_ALL))}"
    return wrong_order(path, name) if target == source else None


def wrong_order(path, name):
    order = ORDERS.get(folder(path), ())
    parts, wanted = path.split("/"), name.split("/")
    if len(parts) < 3 or len(wanted) < 3 or parts[1] not in order or wanted[1] not in order:
        return None
    if order.index(wanted[1]) > order.index(parts[1]):
        return f"{folder(path)}/{parts[1]} lies below {wanted[1]}"
    return None


def wrong_library(path, name):
    """Why `path` may not include <name>; None when it may."""
    library = next((key for key, pattern in LIBRARIES.items() if re.match(pattern, name)), None)
    if library is None:
        if not C_LIBRARY.fullmatch(name):
            return "unknown header: add its library to tests/lint/includes.py"
        if DECIDING.fullmatch(path) and not DECIDING_C.fullmatch(name):
            return "deciding code sees no clock, socket, file or thread"
        return None
    if folder(path) in ("tests", "samples"):
        return None
    allowed = next(kinds for pattern, kinds in ALLOWED_LIBRARIES if pattern.fullmatch(path))
    if allowed is not None and library not in allowed:
        return f"{library} is not for this folder"
    return None


def cycle(graph):
    """One cycle of `graph` (name -> names) as a list, or None."""
    state = {}

    def visit(name, way):
        state[name] = "open"
        for other in sorted(graph.get(name, ())):
            if state.get(other) == "open":
                return way[way.index(other):] + [other] if other in way else [name, other]
            if other not in state:
                found = visit(other, way + [other])
                if found:
                    return found
        state[name] = "done"
        return None

    for name in sorted(graph):
        if name not in state:
            found = visit(name, [name])
            if found:
                return found
    return None


def main():
    top, problems, headers, folders = sys.argv[1], [], {}, {}
    for path in sources.files(top, ".c", ".h"):
        for line, name, quoted in includes_of(sources.read(top, path)):
            wrong = (wrong_own if quoted else wrong_library)(path, name)
            if wrong:
                problems.append(f"{path}:{line}: {name}: {wrong}")
            if not quoted:
                continue
            if path.endswith(".h"):
                headers.setdefault(path, set()).add(name)
            here, there = posixpath.dirname(path), posixpath.dirname(name)
            if here != there and folder(here) == folder(there) and folder(here) in PROGRAMS:
                if "/" in here and "/" in there:  # a program's main.c ties its folders together
                    folders.setdefault(here, set()).add(there)
    for what, graph in (("headers", headers), ("folders", folders)):
        found = cycle(graph)
        if found:
            problems.append(f"cycle of {what}: {' -> '.join(found)}")
    sources.finish(problems)


main()
