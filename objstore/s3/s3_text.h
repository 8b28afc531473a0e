/* Texts of the S3 API: times, ranges, conditions, XML.  Pure. */
#ifndef OBJSTORE_S3_S3_TEXT_H
#define OBJSTORE_S3_S3_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/http_message.h"
#include "objstore/s3/s3_error.h"
#include "proto/state_service.pb-c.h"

enum { S3_TIME_BYTES = 32 };

/* "2026-01-05T10:12:44.031Z" */
void s3_time_iso(uint64_t ms, char out[S3_TIME_BYTES]);
/* "Mon, 05 Jan 2026 10:12:44 GMT" */
void s3_time_http(uint64_t ms, char out[S3_TIME_BYTES]);
/* The same back, in seconds; false for anything else. */
bool s3_time_parse_http(struct bytes text, uint64_t *out_s);

/* Decimal digits and nothing else. */
bool s3_number_parse(struct bytes text, uint64_t *out);

enum s3_range { S3_RANGE_NONE, S3_RANGE_PART, S3_RANGE_UNSATISFIABLE };
/* "bytes=0-9", "bytes=9-", "bytes=-9" of an object of `size` bytes.  What is malformed or names
 * many ranges is ignored (NONE), as AWS does.  Outputs on PART only; last is inclusive. */
enum s3_range s3_range_parse(struct bytes value,
                             uint64_t size,
                             uint64_t *out_first,
                             uint64_t *out_last);

/* Of an object, and of a copy's source. */
enum s3_conditions { S3_CONDITIONS_PLAIN, S3_CONDITIONS_OF_SOURCE };
/* GET and HEAD: do If-Match, If-None-Match, If-(Un)Modified-Since let it through?  And the same for
 * x-amz-copy-source-if-*.
 *
 * Returns 200, 304 or 412.  RFC 9110, section 13.2.2, which S3 follows. */
unsigned s3_condition(const struct http_head *head,
                      enum s3_conditions which,
                      const char *etag,
                      uint64_t modified_ms);
/* If-Range: is the object still the one that it names, by tag or by date? */
bool s3_if_range_holds(struct bytes field, const char *etag, uint64_t modified_ms);
/* Is `etag` (without quotes) in a field of "*", or of tags with or without quotes? */
bool s3_etag_matches(struct bytes field, const char *etag);

/* Append `text` with &, <, >, " and what XML 1.0 cannot carry as it stands escaped. */
void s3_xml_text(struct buf *out, const char *text);

struct s3_error_text {
    enum s3_error error;
    const char *message;  /* NULL: the error's own */
    const char *resource; /* "/bucket/key" */
    const char *request_id;
};
void s3_xml_error(struct buf *out, const struct s3_error_text *text);
void s3_xml_location(struct buf *out, const char *region);
/* The region that a CreateBucket's body asks for, "us-east-1" when it names none.  False: not such
 * a body, or not a region's name. */
bool s3_location_parse(struct bytes xml, char *out_region, size_t out_bytes);

enum s3_list_kind { S3_LIST_V1, S3_LIST_V2, S3_LIST_VERSIONS, S3_LIST_OF_BUCKETS };
/* What a listing asked for. */
struct s3_list {
    enum s3_list_kind kind;
    bool encode_url;
    bool fetch_owner;
    uint32_t max_keys;
    char *prefix; /* decoded; owned, never NULL after s3_list_parse() */
    char *delimiter;
    char *start_after; /* V1: marker; versions: key-marker */
    char *token;       /* V2: as it came, or NULL */
    char *after;       /* where the listing goes on: token, start_after or marker */
};
/* Read the query.  S3_INVALID_ARGUMENT fills `err` with the text to answer.  Free with done. */
enum s3_error s3_list_parse(struct bytes query,
                            enum s3_list_kind kind,
                            struct s3_list *out,
                            struct err *err);
void s3_list_done(struct s3_list *list);
/* The buckets of the reply that the list wants; all of them unless it says how many. */
void s3_xml_buckets(struct buf *out,
                    const char *account,
                    const struct s3_list *list,
                    const Lapwing__ReadReply *reply);
void s3_xml_objects(struct buf *out,
                    const char *bucket,
                    const struct s3_list *list,
                    const Lapwing__ReadReply *reply);

/* The owner's canonical id: SHA-256 of the account, 64 hexadecimal digits. */
void s3_owner_id(const char *account, char out[65]);

#endif
