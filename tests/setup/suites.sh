# shellcheck shell=bash
# Runs meson's suites and adds their results up.  Single tests inside a TAP program count one each.

SUITES_PASSED=0
SUITES_FAILED=0
SUITES_SKIPPED=0

# Count the step that was just tried as one test.
suites_count_step() {
    if [ "$STEP_RC" = 0 ]; then
        SUITES_PASSED=$((SUITES_PASSED + 1))
    else
        tail -n 60 "$STEP_LOG" >&2
        SUITES_FAILED=$((SUITES_FAILED + 1))
    fi
}

# These start whole clusters: as root, and one at a time.
suite_is_of_clusters() {
    [ "$1" = cluster ] || [ "$1" = clients ]
}

# suites_run FOLDER SUITE...: all of them, also after a failure.
suites_run() {
    local folder=$1 suite counts passed failed skipped rc

    shift
    for suite in "$@"; do
        say "== $suite"
        rc=0
        as_user rm -f "$folder/meson-logs/$suite.junit.xml"
        if suite_is_of_clusters "$suite"; then
            as_root env LC_ALL=C.UTF-8 \
                meson test -C "$folder" --no-rebuild --suite "$suite" --logbase "$suite" \
                --num-processes 1 --print-errorlogs || rc=$?
            # Root wrote them; they are the caller's.
            as_root chown -R "$BUILD_UID:$BUILD_GID" "$folder/meson-logs"
        else
            as_user env LC_ALL=C.UTF-8 \
                meson test -C "$folder" --no-rebuild --suite "$suite" --logbase "$suite" \
                --print-errorlogs || rc=$?
        fi
        counts=$(as_user python3 tests/setup/count.py "$folder/meson-logs/$suite.junit.xml")
        read -r passed failed skipped <<<"$counts"
        # A runner that breaks before it reports a test must not look like a success.
        [ "$rc" = 0 ] || [ "$failed" != 0 ] || failed=1
        SUITES_PASSED=$((SUITES_PASSED + passed))
        SUITES_FAILED=$((SUITES_FAILED + failed))
        SUITES_SKIPPED=$((SUITES_SKIPPED + skipped))
    done
}

# The last line, and the status of the whole program.
suites_report() {
    [ "$SUITES_SKIPPED" = 0 ] || say "$SUITES_SKIPPED skipped; each says why above or in meson-logs"
    say "$SUITES_PASSED passed, $SUITES_FAILED failed"
    [ "$SUITES_FAILED" = 0 ]
}
