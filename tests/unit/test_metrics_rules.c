#include "controlplane/api/admin/metrics_rules.h"

#include "tests/unit/check.h"

TEST(a_collector_reads_one_line_a_certificate)
{
    const struct tls_expiry list[] = {
        { { .node = "a", .role = "controlplane", .zone = "z1" }, 1800000000 },
        { { .node = "worker-b", .role = "worker", .zone = "z2" }, 99 },
    };
    struct buf text = { 0 };
    const char *rest;

    metrics_certificates(list, ARRAY_LEN(list), &text);
    EXPECT(strncmp(buf_text(&text), "# HELP lapwing_certificate_expires_seconds ", 43) == 0);
    rest = strstr(buf_text(&text), "# TYPE");
    EXPECT_TEXT(
        rest == NULL ? "" : rest,
        "# TYPE lapwing_certificate_expires_seconds gauge\n"
        "lapwing_certificate_expires_seconds{node=\"a\",role=\"controlplane\",zone=\"z1\"} "
        "1800000000\n"
        "lapwing_certificate_expires_seconds{node=\"worker-b\",role=\"worker\",zone=\"z2\"} "
        "99\n");
    buf_done(&text);
}
