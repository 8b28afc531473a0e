#!/usr/bin/env python3
"""Sources are laid out by clang-format: format.py [--fix] TOP

Releases of clang-format differ in details, so only one of them counts: Debian 12's.  With another
the lint is skipped (status 77) and --fix does nothing.
"""
import os
import re
import shutil
import subprocess
import sys

import sources

RELEASE = 14


def release_of(program):
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"version (\d+)", text)
    return int(match.group(1)) if match else 0


def main():
    fix = "--fix" in sys.argv
    top = sys.argv[-1]
    for program in (f"clang-format-{RELEASE}", "clang-format"):
        if shutil.which(program) and release_of(program) == RELEASE:
            break
    else:
        print(f"skipped: the layout is that of clang-format {RELEASE} (Debian 12), which is not here")
        sys.exit(0 if fix else 77)
    paths = [os.path.join(top, path) for path in sources.files(top, ".c", ".h")]
    mode = ["-i"] if fix else ["--dry-run", "-Werror"]
    sys.exit(subprocess.run([program, *mode, *paths], check=False).returncode)


main()
