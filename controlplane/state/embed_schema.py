#!/usr/bin/env python3
"""Turn schema.sql into a C file, so that the program carries its schema.

usage: embed_schema.py schema.sql schema.c

A line "-- cluster_version: N" begins what the command that raises the cluster to N adds, a line
"-- group: NAME" says whose it is.  Each version and group gets one text.
"""
import sys

GROUPS = {"both": ("control", "storage"), "control": ("control",), "storage": ("storage",)}


def read(source):
    """The steps, in order: (cluster version, {group: lines})."""
    steps = []
    groups = None
    with open(source, encoding="ascii") as lines:
        for line in lines:
            line = line.rstrip("\n")
            if line.startswith("-- cluster_version: "):
                version = int(line[len("-- cluster_version: "):])
                if version != len(steps) + 1:
                    sys.exit("%s: cluster_version %d, want %d" % (source, version, len(steps) + 1))
                steps.append((version, {"control": [], "storage": []}))
                groups = None
            elif line.startswith("-- group: "):
                groups = GROUPS[line[len("-- group: "):]]  # an unknown group is an error: KeyError
            code = line.split("--")[0].rstrip()
            if not code:
                continue
            if groups is None or not steps:
                sys.exit(source + ": a statement before the lines that say whose it is")
            for group in groups:
                steps[-1][1][group].append(code)
    return steps


def write_text(out, code):
    for line in code:
        out.write('        "%s\\n"\n' % line.replace("\\", "\\\\").replace('"', '\\"'))
    if not code:
        out.write('        ""\n')


def main(source, target):
    steps = read(source)
    with open(target, "w", encoding="ascii") as out:
        out.write("/* Made from schema.sql by embed_schema.py. */\n")
        out.write('#include "controlplane/state/schema.h"\n\n')
        out.write("#include <stddef.h>\n\n")
        out.write("const struct schema_step schema_steps[] = {\n")
        for version, texts in steps:
            out.write("    { %d,\n" % version)
            write_text(out, texts["control"])
            out.write("        ,\n")
            write_text(out, texts["storage"])
            out.write("    },\n")
        out.write("    { 0, NULL, NULL },\n};\n")


main(sys.argv[1], sys.argv[2])
