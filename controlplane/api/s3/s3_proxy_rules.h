/* Which fields of a message the S3 proxy hands on, and how.  Pure. */
#ifndef CONTROLPLANE_API_S3_S3_PROXY_RULES_H
#define CONTROLPLANE_API_S3_S3_PROXY_RULES_H

#include "base/http_message.h"
#include "base/http_server.h"

/* Append the request line and fields for the object store: everything as it came but what belongs
 * to one connection (RFC 9110, 7.6.1) and Expect, which the front door answered itself.  A client
 * that came over TLS is told of in X-Forwarded-Proto, unless it has that field itself. */
void s3_proxy_request_head(const struct http_head *head, bool https, bool chunked, struct buf *out);

/* The fields of the store's answer for the client, `count` at most.
 *
 * texts   appended to; the fields point into it, so it must live as long as they
 *
 * Returns how many were written to `out`. */
size_t s3_proxy_answer_fields(const struct http_field *fields,
                              size_t count,
                              struct buf *texts,
                              struct http_answer_field *out);

/* S3's error document for "there is no object store to ask". */
void s3_proxy_unavailable(struct buf *out);

#endif
