#!/bin/sh
# Deciding code wants nothing of the world: pure.sh ARCHIVE_OR_OBJECT...
# Fails if one of the files refers to a symbol that neither of them defines and that is not on the
# short list of harmless ones.  Names, not calls, are what nm sees: a pointer to time() is found too.
set -eu
export LC_ALL=C # sort and join must agree
ours='check_failed|err_set|status_name|must_(calloc|realloc|strdup)|free|lapwing__.*|protobuf_c_.*'
ours="$ours|(bytes|buf|hash|hex|base64|s3_host)_.*|crc32c.*|http_(head|field|query|target|percent|text)_.*|http_reason|http_trim|request_scheme" # base/
ours="$ours|(log_data|memory_log)_.*" # controlplane/replica: what raft_rules.c decides over
store='sqlite3_.*' # the replicated state's store; only archives of controlplane/state link it
parsers='json_.*|raft_.*|xml(ReaderForMemory|FreeTextReader|TextReader.*|SetGenericErrorFunc)' # functions of their input, too
libc='mem(cpy|set|cmp|move|chr|mem)|str(pbrk|n?len|n?cmp|n?casecmp|chr|rchr|str|spn|cspn|toull?|toll?)|qsort|bsearch'
libc="$libc|__isoc(23|99)_(strtou?ll?|sscanf)|gmtime_r|timegm|strftime|v?snprintf|__v?snprintf_chk|__mem(cpy|set|move)_chk|__ctype_.*_loc|__stack_chk_fail"
tools='__(asan|ubsan|tsan|gcov|stack_chk|sanitizer)_.*|_GLOBAL_OFFSET_TABLE_' # added by build options
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for file; do
    [ -s "$file" ] || { echo "$file: not there" >&2; exit 1; }
done
nm --defined-only -A "$@" | awk 'NF > 1 { print $NF }' | sort -u > "$tmp/defined"
nm -u -A "$@" | awk 'NF > 1 { print $NF, $1 }' | sort -u > "$tmp/wanted"
bad=$(join -v 2 "$tmp/defined" "$tmp/wanted" | grep -Ev "^($ours|$store|$parsers|$libc|$tools) " || true)
[ -z "$bad" ] || { printf 'deciding code wants what is not on the list of %s:\n%s\n' "$0" "$bad" >&2; exit 1; }
