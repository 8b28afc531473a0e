/* What the writers of XML answers, and the readers of listings' queries, share.  Pure. */
#ifndef OBJSTORE_S3_S3_XML_H
#define OBJSTORE_S3_S3_XML_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "objstore/s3/s3_error.h"
#include "proto/state_service.pb-c.h"

#define S3_XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define S3_XML_NS   " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

/* <name>text</name>, the text escaped. */
void s3_xml_element(struct buf *out, const char *name, const char *text);
/* The same for a key or prefix, which may be percent-encoded for the client. */
void s3_xml_name(struct buf *out, bool encode_url, const char *name, const char *text);
void s3_xml_time(struct buf *out, const char *name, uint64_t ms);
/* <name> with ID and DisplayName of an account. */
void s3_xml_person(struct buf *out, const char *name, const char *account);
/* A listing's CommonPrefixes. */
void s3_xml_prefixes(struct buf *out, bool encode_url, const Lapwing__ReadReply *reply);

/* What the queries of listings share: a parameter's decoded value, owned by the caller, empty when
 * it is not there; the size of a page; encoding-type.  S3_INVALID_ARGUMENT fills `err`. */
char *s3_query_text(struct bytes query, const char *name);
enum s3_error s3_list_max_parse(struct bytes query,
                                const char *name,
                                uint32_t *out,
                                struct err *err);
enum s3_error s3_list_encoding_parse(struct bytes query, bool *out_is_url, struct err *err);

#endif
