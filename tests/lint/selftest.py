#!/usr/bin/env python3
"""Each lint refuses a bad sample and lets a good one pass.

A row: the lint, the files of a small tree, and a piece of what the lint must say (None: it passes).
Samples that another lint would refuse in this file are put together from pieces.
"""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
KEY = "-----BEGIN " + "PRIVATE KEY-----\n"
HOST = "ftp" + ".debian" + ".org"
CHECKOUT = "/ho" + "me/somebody/lapwing"
STATE = "controlplane/state/"


def function(lines, signature="int f(void)"):
    return f"static {signature}\n{{\n" + "    g();\n" * (lines - 2) + "}\n"


NESTED = ("void f(void)\n{\n    if (a) {\n        if (b) {\n            if (c) {\n                g();\n"
          "%s            }\n        }\n    }\n}\n")

ROWS = (
    ("includes", {"base/a.c": '#include "base/b.h"\n#include <uv.h>\n#include <string.h>\n'}, None),
    ("includes", {"base/a.c": '#include "proto/b.h"\n'}, "base/ includes only base/"),
    ("includes", {"base/a.c": "#include <sqlite3.h>\n"}, "sqlite is not for this folder"),
    ("includes", {"base/config.c": "#include <ini.h>\n"}, None),
    ("includes", {"proto/a.c": '#include "worker/b.h"\n'}, "proto/ includes only"),
    ("includes", {"proto/a.c": "#include <openssl/sha.h>\n"}, "openssl is not for"),
    ("includes", {STATE + "a.c": '#include "controlplane/replica/b.h"\n'}, "only itself"),
    ("includes", {STATE + "a.c": "#include <sqlite3.h>\n#include <string.h>\n"}, None),
    ("includes", {STATE + "a.c": "#include <time.h>\n"}, "sees no clock"),
    ("includes", {"worker/agent/life_plan.c": "#include <sys/socket.h>\n"}, "sees no clock"),
    ("includes", {"worker/agent/life_plan.c": "#include <uv.h>\n"}, "uv is not for"),
    ("includes", {"worker/a.c": '#include "objstore/blobs/b.h"\n'}, "meet only in proto/"),
    ("includes", {"worker/a.c": '#include "objstore/client/objstore.h"\n'}, None),
    ("includes", {"worker/a.c": '#include "b.h"\n'}, "from the top"),
    ("includes", {"worker/a.c": "#include <unheard_of.h>\n"}, "unknown header"),
    ("includes", {"elsewhere/a.c": '#include "worker/b.h"\n'}, "not a folder"),
    ("includes", {"controlplane/replica/a.c": '#include "controlplane/api/b.h"\n'}, "lies below"),
    ("includes", {"worker/a.h": '#include "worker/b.h"\n', "worker/b.h": '#include "worker/a.h"\n'},
     "cycle of headers"),
    ("includes", {"worker/agent/a.c": '#include "worker/runtime/b.h"\n',
                  "worker/runtime/b.c": '#include "worker/agent/a.h"\n'}, "cycle of folders"),
    ("includes", {"tests/unit/a.c": '#include "worker/b.h"\n#include <sqlite3.h>\n'}, None),
    ("includes", {"base/a.c": '/* #include "proto/b.h" */\n'}, None),

    ("sql", {STATE + "schema.sql": "-- REAL, in a comment\nCREATE TABLE a (b INTEGER) STRICT;\n"}, None),
    ("sql", {STATE + "schema.sql": "CREATE TABLE a (b INTEGER);\n"}, "not STRICT"),
    ("sql", {STATE + "schema.sql": "CREATE TABLE a (b REAL) STRICT;\n"}, "REAL"),
    ("sql", {STATE + "schema.sql": "CREATE TABLE a (b INTEGER DEFAULT (unixepoch())) STRICT;\n"}, "clock"),
    ("sql", {STATE + "schema.sql": "CREATE TABLE a (b WHATEVER) STRICT;\n"}, "SQLite refuses"),
    ("sql", {STATE + "a.c": 'char *q = "SELECT a "\n          "FROM b WHERE c = random()";\n'}, "random"),
    ("sql", {STATE + "a.c": 'char *q = "UPDATE a SET b = CURRENT_TIMESTAMP";\n'}, "clock"),
    ("sql", {STATE + "a.c": 'char *q = "SELECT a FROM b LIMIT ?1";\n'}, "ORDER BY"),
    ("sql", {STATE + "a.c": 'char *q = "SELECT a FROM b ORDER BY a LIMIT ?1";\n'}, None),
    ("sql", {STATE + "a.c": 'char *text = "a REAL sentence";\n'}, None),

    ("lengths", {"base/a.c": function(70)}, None),
    ("lengths", {"base/a.c": function(71)}, "f: function 71, at most 70"),
    ("lengths", {"base/a.c": "int x;\n" * 801}, "file 801"),
    ("lengths", {"base/a.c": NESTED % ""}, None),
    ("lengths", {"base/a.c": NESTED % "                if (d) {\n                    h();\n                }\n"},
     "nesting 4"),
    ("lengths", {"base/a.c": function(5, "int f(int a, int b, int c, int d, int e, int g)")}, None),
    ("lengths", {"base/a.c": function(5, "int f(int a, int b, int c, int d, int e, int g, int h)")},
     "parameters 7"),
    ("lengths", {"tests/lint/length_exceptions.txt": "# at most 1\nfunction base/a.c:f 90 why\n"}, "not needed any more"),
    ("lengths", {"base/a.c": function(80), "tests/lint/length_exceptions.txt": "# at most 1\nfunction base/a.c:f 75 why\n"},
     "its exception says 75"),

    ("lengths", {"base/a.c": function(80), "tests/lint/length_exceptions.txt": "function base/a.c:f 80 why\n"},
     "its first line says 0"),
    ("lengths", {"base/a.c": function(80),
                 "tests/lint/length_exceptions.txt": "# at most 1\nfunction base/a.c:f 80 why\n"}, None),

    ("places", {"README.md": "nothing of note: www.debian.org\n"}, None),
    ("places", {"a.c": KEY}, "a private key"),
    ("places", {"a.c": "AK" + "IA" + "ABCDEFGHIJKLMNOP\n"}, "an access key"),
    ("places", {"dev": f"deb http://{HOST}/debian stable main\n"}, "package archive"),
    ("places", {"docs/a.md": f"see {CHECKOUT}/README.md\n"}, "one machine"),

    ("format", {"a.c": "int a;\n"}, None),
    ("format", {"a.c": "int   a ;\n"}, "code should be clang-formatted"),

    ("shell", {"a.sh": "#!/bin/sh\necho \"$1\"\n"}, None),
    ("shell", {"a.sh": "#!/bin/sh\nrm $1\n"}, "SC2086"),
)

# Source of an object file, and the symbol that pure.sh must refuse.
PURE_ROWS = (
    ("int f(int a) { return a + 1; }", None),
    ("#include <string.h>\nint f(char *a) { return memcmp(a, a + 1, (unsigned char)a[0]); }", None),
    ("#include <time.h>\nlong f(void) { return time(0); }", "time"),
    ("#include <stdlib.h>\nint f(void) { return rand(); }", "rand"),
    ("#include <stdio.h>\nvoid *f(void) { return (void *)fopen; }", "fopen"),
    ("#include <unistd.h>\nlong f(int d) { return write(d, \"a\", 1); }", "write"),
)


def run(lint, tree):
    script = os.path.join(HERE, lint)
    for ending, runner in ((".py", sys.executable), (".sh", "sh")):
        if os.path.exists(script + ending):
            return subprocess.run([runner, script + ending, tree], capture_output=True, text=True, check=False)
    raise FileNotFoundError(script)


def judge(name, done, want):
    """None, or what is wrong with how a lint ended."""
    said = done.stdout + done.stderr
    if done.returncode == 77:
        return None
    if want is None:
        return None if done.returncode == 0 else f"{name}: refused a good sample:\n{said}"
    if done.returncode == 0:
        return f"{name}: let a bad sample pass; wanted: {want}"
    return None if want in said else f"{name}: wanted {want!r}, said:\n{said}"


def check_tree(lint, tree):
    with tempfile.TemporaryDirectory() as top:
        shutil.copy(os.path.join(HERE, "../../.clang-format"), top)
        for path, text in tree.items():
            os.makedirs(os.path.dirname(os.path.join(top, path)), exist_ok=True)
            with open(os.path.join(top, path), "w", encoding="utf-8") as file:
                file.write(text)
        return run(lint, top)


def check_pure(source):
    with tempfile.TemporaryDirectory() as top:
        path = os.path.join(top, "a.c")
        with open(path, "w", encoding="utf-8") as file:
            file.write(source + "\n")
        subprocess.run(["cc", "-c", path, "-o", path + ".o"], check=True)
        return subprocess.run(["sh", os.path.join(HERE, "pure.sh"), path + ".o"],
                              capture_output=True, text=True, check=False)


def main():
    problems = []
    for number, (lint, tree, want) in enumerate(ROWS, 1):
        problems.append(judge(f"row {number}, {lint}", check_tree(lint, tree), want))
    for source, want in PURE_ROWS:
        problems.append(judge(f"pure, {source!r}", check_pure(source), want))
    problems = [problem for problem in problems if problem]
    print("\n".join(problems))
    print(f"{len(ROWS) + len(PURE_ROWS)} samples, {len(problems)} wrong")
    sys.exit(1 if problems else 0)


main()
