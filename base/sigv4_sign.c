/* Making version 4 signatures, for clients of ours and for tests.  Pure. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/sigv4.h"
#include "base/sigv4_internal.h"

static enum status signer_start(const struct sigv4_signer *signer,
                                struct sigv4 *sig,
                                struct err *err)
{
    if (strlen(signer->region) > SIGV4_SCOPE_BYTES_MAX || signer->region[0] == '\0' ||
        strlen(signer->service) > SIGV4_SCOPE_BYTES_MAX || signer->service[0] == '\0')
        return err_set(err, ST_BAD_INPUT, "sign: region and service need 1 to %d bytes",
                       SIGV4_SCOPE_BYTES_MAX);
    sigv4_timestamp(signer->now_s, sig->timestamp);
    memcpy(sig->region, signer->region, strlen(signer->region) + 1);
    memcpy(sig->service, signer->service, strlen(signer->service) + 1);
    return ST_OK;
}

static void sign(const struct sigv4_signer *signer,
                 const struct http_head *head,
                 const struct sigv4 *sig,
                 const uint8_t *body_sha256,
                 char out[SHA256_HEX_BYTES])
{
    uint8_t key[SHA256_BYTES];
    uint8_t signature[SHA256_BYTES];

    sigv4_signing_key(bytes_of_text(signer->secret), sig->timestamp, sig->region, sig->service,
                      key);
    sigv4_signature(head, sig, key, body_sha256, signature);
    hex_encode(bytes_of(signature, sizeof signature), out);
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lower-case names of all fields, sorted, each once, with ';' between. */
static void list_names(const struct http_head *head, struct buf *out)
{
    char **names = must_calloc(head->field_count + 1, sizeof *names);

    for (size_t i = 0; i < head->field_count; i++) {
        struct bytes name = head->fields[i].name;

        names[i] = must_calloc(1, name.len + 1);
        for (size_t k = 0; k < name.len; k++) {
            bool upper = name.data[k] >= 'A' && name.data[k] <= 'Z';

            names[i][k] = (char)(upper ? name.data[k] | 32 : name.data[k]);
        }
    }
    qsort(names, head->field_count, sizeof *names, name_compare);
    for (size_t i = 0; i < head->field_count; i++) {
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
            buf_printf(out, "%s%s", i == 0 ? "" : ";", names[i]);
    }
    for (size_t i = 0; i < head->field_count; i++)
        free(names[i]);
    free(names);
}

enum status sigv4_sign(const struct sigv4_signer *signer,
                       const struct http_head *head,
                       const uint8_t *body_sha256,
                       struct buf *out,
                       struct err *err)
{
    struct sigv4 sig = { 0 };
    struct buf names = { 0 };
    char signature[SHA256_HEX_BYTES];
    struct bytes value;
    enum status st = signer_start(signer, &sig, err);

    if (st != ST_OK)
        return st;
    if (!http_head_find(head, "host", &value))
        return err_set(err, ST_BAD_INPUT, "sign: the request has no Host");
    if (!http_head_find(head, "x-amz-date", &value) ||
        !bytes_equal(value, bytes_of_text(sig.timestamp)))
        return err_set(err, ST_BAD_INPUT, "sign: X-Amz-Date must be %s", sig.timestamp);
    if (http_head_find(head, "x-amz-content-sha256", &value)) {
        if (value.len >= sizeof sig.payload_text)
            return err_set(err, ST_BAD_INPUT, "sign: X-Amz-Content-Sha256 is too long");
        sig.payload = SIGV4_PAYLOAD_SHA256;
        memcpy(sig.payload_text, value.data, value.len);
    } else if (body_sha256 == NULL) {
        return err_set(err, ST_BAD_INPUT, "sign: neither a body nor X-Amz-Content-Sha256");
    }
    list_names(head, &names);
    sig.signed_headers = buf_view(&names);
    sign(signer, head, &sig, body_sha256, signature);
    buf_printf(out,
               "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, "
               "Signature=%s",
               signer->access_key_id, sig.timestamp, sig.region, sig.service, buf_text(&names),
               signature);
    buf_done(&names);
    return ST_OK;
}

static void append_parameters(const struct sigv4_signer *signer,
                              const struct sigv4 *sig,
                              struct bytes target,
                              uint32_t expires_s,
                              struct buf *out)
{
    buf_append(out, target.data, target.len);
    buf_printf(out, "%sX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=",
               memchr(target.data, '?', target.len) == NULL ? "?" : "&");
    http_percent_encode(bytes_of_text(signer->access_key_id), false, out);
    buf_printf(out,
               "%%2F%.8s%%2F%s%%2F%s%%2Faws4_request&X-Amz-Date=%s&X-Amz-Expires=%u"
               "&X-Amz-SignedHeaders=",
               sig->timestamp, sig->region, sig->service, sig->timestamp, expires_s);
    http_percent_encode(sig->signed_headers, false, out);
}

enum status sigv4_presign(const struct sigv4_signer *signer,
                          const struct http_head *head,
                          uint32_t expires_s,
                          struct buf *out,
                          struct err *err)
{
    struct sigv4 sig = { .presigned = true };
    struct http_head presigned = *head;
    uint8_t nothing[SHA256_BYTES]; /* other services than S3 sign the digest of no body */
    char signature[SHA256_HEX_BYTES];
    struct buf names = { 0 };
    struct buf target = { 0 };
    struct bytes host;
    enum status st = signer_start(signer, &sig, err);

    if (st == ST_OK && (expires_s == 0 || expires_s > SIGV4_EXPIRES_S_MAX))
        st = err_set(err, ST_BAD_INPUT, "presign: 1 to %d seconds", SIGV4_EXPIRES_S_MAX);
    if (st == ST_OK && !http_head_find(head, "host", &host))
        st = err_set(err, ST_BAD_INPUT, "presign: the request has no Host");
    if (st != ST_OK)
        return st;
    hash_sha256((struct bytes){ 0 }, nothing);
    if (strcmp(sig.service, "s3") == 0) {
        sig.payload = SIGV4_PAYLOAD_UNSIGNED;
        memcpy(sig.payload_text, "UNSIGNED-PAYLOAD", sizeof "UNSIGNED-PAYLOAD");
    }
    list_names(head, &names);
    sig.signed_headers = buf_view(&names);
    append_parameters(signer, &sig, head->target, expires_s, &target);
    presigned.target = buf_view(&target);
    sign(signer, &presigned, &sig, nothing, signature);
    buf_append(out, target.data, target.len);
    buf_printf(out, "&X-Amz-Signature=%s", signature);
    buf_done(&names);
    buf_done(&target);
    return ST_OK;
}
