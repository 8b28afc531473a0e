#!/bin/bash
# A test of the spawner with no more capabilities than its unit leaves it: unit_rights.sh PROGRAM
set -eu
unit=$(dirname "$(readlink -f "$0")")/../../deploy/systemd/lapwing-spawner.service

[ "$(id -u)" = 0 ] || exec "$@" # which says that it needs root
rights=$(sed -n 's/^CapabilityBoundingSet=//p' "$unit" | tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')
exec setpriv --no-new-privs --inh-caps=-all --bounding-set="-all,$rights" "$@"
