#!/bin/sh
# How exposed the service units are, as systemd-analyze counts it (ten times its figure): 52 and 12 with
# systemd 252; other releases count a little differently.  units.sh TOP
set -eu
units=$1/deploy/systemd
command -v systemd-analyze >/dev/null || { echo "skipped: no systemd-analyze"; exit 77; }
# unit and the most that it may have
while read -r unit most; do
    systemd-analyze security --offline=yes --no-pager --threshold="$most" "$units/$unit" >/dev/null || {
        echo "$unit is more exposed than $most:"
        systemd-analyze security --offline=yes --no-pager "$units/$unit" | tail -n 1
        exit 1
    }
done <<'UNITS'
lapwing-spawner.service 55
lapwing-worker.service 15
UNITS
