/* What follows the handshake, in the clear: in place of tls_records.c in a build with meson's
 * option plain_links, which tells what encryption costs.  Such a build protects nothing after the
 * handshake, and says so in its log at start. */
#include <openssl/bio.h>

#include "base/check.h"
#include "base/tls_internal.h"

bool tls_records_are_plain(void)
{
    return true;
}

/* OpenSSL reads no further than the handshake's last record: what is left is ours. */
enum status tls_records_take(struct tls_session *session, struct buf *out_plain, struct err *err)
{
    size_t pending = BIO_ctrl_pending(session->in);

    (void)err;
    if (pending > 0) {
        int n = BIO_read(session->in, buf_reserve(out_plain, pending), (int)pending);

        CHECK(n == (int)pending); /* a memory BIO gives what it says it holds */
        out_plain->len += pending;
    }
    return ST_OK;
}

enum status tls_records_put(struct tls_session *session,
                            struct bytes plain,
                            struct buf *out_wire,
                            struct err *err)
{
    (void)session;
    (void)err;
    buf_append(out_wire, plain.data, plain.len);
    return ST_OK;
}
