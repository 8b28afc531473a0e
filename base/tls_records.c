/* What follows the handshake, encrypted. */
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/tls_internal.h"

bool tls_records_are_plain(void)
{
    return false;
}

enum status tls_records_take(struct tls_session *session, struct buf *out_plain, struct err *err)
{
    for (;;) {
        enum { PIECE = 16384 + 64 };
        int n = SSL_read(session->ssl, buf_reserve(out_plain, PIECE), PIECE);

        if (n > 0) {
            out_plain->len += (size_t)n;
            /* Asking once more only to hear that there is nothing costs as much as a record does.
             */
            if (BIO_ctrl_pending(session->in) == 0 && SSL_pending(session->ssl) == 0)
                return ST_OK;
            continue;
        }
        switch (SSL_get_error(session->ssl, n)) {
        case SSL_ERROR_WANT_READ:
            return ST_OK;
        case SSL_ERROR_ZERO_RETURN:
            return err_set(err, ST_IO, "TLS: the peer closed the session");
        default:
            return tls_error(session, err);
        }
    }
}

enum status tls_records_put(struct tls_session *session,
                            struct bytes plain,
                            struct buf *out_wire,
                            struct err *err)
{
    ERR_clear_error();
    while (plain.len > 0) {
        size_t piece = plain.len < (1 << 20) ? plain.len : 1 << 20;
        int n = SSL_write(session->ssl, plain.data, (int)piece);

        if (n <= 0)
            return tls_error(session, err);
        plain = bytes_of(plain.data + n, plain.len - (size_t)n);
        tls_output_take(session, out_wire);
    }
    return ST_OK;
}
