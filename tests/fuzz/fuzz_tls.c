/* What a stranger sends into a handshake, to a server and to a client: it never gets in, for it has
 * no key.  The first byte says whose input it is and how it is cut. */
#include "base/check.h"
#include "base/tls.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/certificates.h"

static struct tls_context *context(void)
{
    static struct stream_identity identity;

    if (identity.tls == NULL)
        test_identity("c/objstore/z/n", &identity);
    return identity.tls;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct tls_expected expected = { .roles = ~0u };
    size_t piece_max = len == 0 ? 1 : (data[0] >> 1) + 1u;
    struct tls_session *session;
    struct buf plain = { 0 };
    struct buf wire = { 0 };
    struct err err = { 0 };
    enum status st = ST_OK;

    expected.server = len > 0 && (data[0] & 1) != 0;
    session = tls_session_new(context(), &expected);
    if (!expected.server)
        st = tls_receive(session, bytes_of(NULL, 0), &plain, &wire, &err);
    CHECK(st == ST_OK);
    for (size_t at = 1; at < len && st == ST_OK;) {
        size_t piece = len - at < piece_max ? len - at : piece_max;

        st = tls_receive(session, bytes_of(data + at, piece), &plain, &wire, &err);
        at += piece;
    }
    CHECK(st == ST_OK || err.text[0] != '\0');
    CHECK(!tls_ready(session));
    CHECK(plain.len == 0);
    tls_session_free(session);
    buf_done(&plain);
    buf_done(&wire);
    return 0;
}
