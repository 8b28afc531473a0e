"""Make the bytecode that the Python runtime starts from: compile.py FOLDER [STAMP].

For each Python of this machine, FOLDER/__pycache__/lapwing_runtime.cpython-3N.pyc.  A Python whose
bytecode is not there compiles the source at each start, which is right and slower."""
import os
import subprocess
import sys

# The hash of the source is in the file and is compared at each start: a time stamp would not survive
# packaging, and bytecode of another source would be run if nothing were compared.
COMMAND = ("import py_compile, sys; py_compile.compile(sys.argv[1], doraise=True, dfile='/var/runtime/lapwing_runtime.py', "
           "invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)")


def main():
    folder = os.environ.get("MESON_INSTALL_DESTDIR_PREFIX", "")
    source = os.path.join(folder, sys.argv[1], "lapwing_runtime.py")
    for minor in range(8, 26):
        python = "/usr/bin/python3.%d" % minor
        if os.access(python, os.X_OK):
            subprocess.run([python, "-I", "-c", COMMAND, source], check=True)
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w") as stamp:
            stamp.write("done\n")


main()
