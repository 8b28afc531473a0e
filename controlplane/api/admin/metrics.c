/* Figures for a collector, of this node alone: ask every one. */
#include "controlplane/api/admin/admin.h"
#include "controlplane/api/admin/metrics_rules.h"

void admin_metrics(struct api_call *call)
{
    struct tls_expiry expiries[TLS_EXPIRIES_MAX];
    struct buf text = { 0 };

    metrics_certificates(expiries, tls_expiries(call->api->options.tls, expiries), &text);
    api_answer(call, 200, METRICS_CONTENT_TYPE, buf_view(&text));
    buf_done(&text);
}
