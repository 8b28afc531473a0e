#!/usr/bin/env python3
"""Turn schema.sql into a C file with one text a group, so that the program carries its schema.

usage: embed_schema.py schema.sql schema.c
"""
import sys


def main(source, target):
    texts = {"both": [], "control": [], "storage": []}
    group = None
    with open(source, encoding="ascii") as lines:
        for line in lines:
            line = line.rstrip("\n")
            if line.startswith("-- group: "):
                group = texts[line[len("-- group: "):]]  # an unknown group is an error: KeyError
            code = line.split("--")[0].rstrip()
            if code:
                if group is None:
                    sys.exit(source + ": a statement before the first '-- group:' line")
                group.append(code)
    with open(target, "w", encoding="ascii") as out:
        out.write('/* Made from schema.sql by embed_schema.py. */\n')
        out.write('#include "controlplane/state/schema.h"\n')
        for name, code in texts.items():
            out.write("\nconst char schema_%s[] =\n" % name)
            for line in code:
                out.write('    "%s\\n"\n' % line.replace("\\", "\\\\").replace('"', '\\"'))
            out.write("    ;\n")


main(sys.argv[1], sys.argv[2])
