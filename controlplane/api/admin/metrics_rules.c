/* See metrics_rules.h. */
#include "controlplane/api/admin/metrics_rules.h"

void metrics_certificates(const struct tls_expiry *list, size_t count, struct buf *out)
{
    buf_append_text(out, "# HELP lapwing_certificate_expires_seconds Unix time at which the "
                         "certificate of this node, or of one it has a stream with, runs out.\n"
                         "# TYPE lapwing_certificate_expires_seconds gauge\n");
    for (size_t i = 0; i < count; i++) /* names need no escape: node_identity_rules.h */
        buf_printf(
            out, "lapwing_certificate_expires_seconds{node=\"%s\",role=\"%s\",zone=\"%s\"} %lld\n",
            list[i].identity.node, list[i].identity.role, list[i].identity.zone,
            (long long)list[i].not_after_s);
}
