/* What passes through the S3 proxy.  Pure. */
#include "controlplane/api/s3/s3_proxy_rules.h"

#include <string.h>

#include "base/check.h"
#include "base/request_scheme.h"

/* Of one connection, not of the message; Content-Length passes upstream but is ours downstream. */
static const char *const hop_fields[] = {
    "connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "expect",
};
static const char *const own_fields[] = { "content-length", "date" };

static bool is_one_of(struct bytes name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (http_text_equal(name, list[i]))
            return true;
    return false;
}

/* The store words links; it sees only our plain connection. */
static void put_scheme(const struct http_head *head, bool https, struct buf *out)
{
    struct bytes value = { 0 };
    struct bytes host = { 0 };

    if (http_head_find(head, "X-Forwarded-Proto", &value))
        return;
    (void)http_head_find(head, "Host", &host);
    if (strcmp(request_scheme(host, value, https), "https") == 0)
        buf_append_text(out, "X-Forwarded-Proto: https\r\n");
}

void s3_proxy_request_head(const struct http_head *head, bool https, bool chunked, struct buf *out)
{
    buf_append(out, head->method.data, head->method.len);
    buf_append_text(out, " ");
    buf_append(out, head->target.data, head->target.len);
    buf_append_text(out, " HTTP/1.1\r\n");
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];

        if (is_one_of(field->name, hop_fields, ARRAY_LEN(hop_fields)))
            continue;
        buf_append(out, field->name.data, field->name.len);
        buf_append_text(out, ": ");
        buf_append(out, field->value.data, field->value.len);
        buf_append_text(out, "\r\n");
    }
    put_scheme(head, https, out);
    buf_append_text(out, chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
}

size_t s3_proxy_answer_fields(const struct http_field *fields,
                              size_t count,
                              struct buf *texts,
                              struct http_answer_field *out)
{
    size_t kept = 0;
    size_t room = 0;

    for (size_t i = 0; i < count; i++)
        room += fields[i].name.len + fields[i].value.len + 2;
    (void)buf_reserve(texts, room); /* the texts must not move under the fields */
    for (size_t i = 0; i < count; i++) {
        const struct http_field *field = &fields[i];

        if (is_one_of(field->name, hop_fields, ARRAY_LEN(hop_fields)) ||
            is_one_of(field->name, own_fields, ARRAY_LEN(own_fields)))
            continue;
        out[kept].name = (const char *)texts->data + texts->len;
        buf_append(texts, field->name.data, field->name.len);
        buf_append(texts, "", 1);
        out[kept].value = (const char *)texts->data + texts->len;
        buf_append(texts, field->value.data, field->value.len);
        buf_append(texts, "", 1);
        kept++;
    }
    return kept;
}

void s3_proxy_unavailable(struct buf *out)
{
    buf_append_text(
        out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
             "<Error><Code>ServiceUnavailable</Code><Message>No object store has answered in "
             "time. Please try again.</Message></Error>");
}
