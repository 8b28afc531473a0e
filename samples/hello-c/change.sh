#!/bin/bash
# The change that the walkthrough deploys: another greeting.
set -eu
gcc -O2 -static -DGREETING='"Goodbye"' -o "$1/bootstrap" "$(dirname "$(readlink -f "$0")")/hello.c"
