/* Queries and bodies of multipart requests, and the arithmetic of a completion. */
#include "objstore/s3/s3_upload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objstore/s3/s3_text.h"
#include "objstore/s3/s3_xml_read.h"

/* ---- queries ---- */

/* A number of the query; left as it is when there is none. */
static enum s3_error read_number(struct bytes query,
                                 const char *name,
                                 uint32_t *out,
                                 struct err *err)
{
    struct buf text = { 0 };
    bool is_there = http_query_find(query, name, &text) == ST_OK;
    uint64_t value = 0;
    bool ok = !is_there || (s3_number_parse(buf_view(&text), &value) && value <= INT32_MAX);

    if (is_there && ok)
        *out = (uint32_t)value;
    buf_done(&text);
    if (ok)
        return S3_OK;
    (void)err_set(err, ST_BAD_INPUT, "Argument %s must be an integer between 0 and %d", name,
                  INT32_MAX);
    return S3_INVALID_ARGUMENT;
}

enum s3_error s3_part_query_parse(struct bytes query, struct s3_part_query *out, struct err *err)
{
    struct buf upload = { 0 };
    enum s3_error error;

    memset(out, 0, sizeof *out);
    out->max_parts = S3_LIST_PARTS_MAX;
    if (http_query_find(query, "uploadId", &upload) == ST_OK && upload.len == UPLOAD_ID_DIGITS &&
        strspn(buf_text(&upload), "0123456789abcdef") == UPLOAD_ID_DIGITS)
        memcpy(out->upload, buf_text(&upload), UPLOAD_ID_DIGITS + 1);
    buf_done(&upload);
    error = read_number(query, "partNumber", &out->number, err);
    if (error == S3_OK)
        error = read_number(query, "part-number-marker", &out->part_after, err);
    if (error == S3_OK)
        error = read_number(query, "max-parts", &out->max_parts, err);
    if (out->max_parts > S3_LIST_PARTS_MAX)
        out->max_parts = S3_LIST_PARTS_MAX;
    if (out->part_after > UPLOAD_PARTS_MAX)
        out->part_after = UPLOAD_PARTS_MAX;
    return error;
}

enum s3_error s3_part_number_check(const struct s3_part_query *query, struct err *err)
{
    if (query->number >= 1 && query->number <= UPLOAD_PARTS_MAX)
        return S3_OK;
    (void)err_set(err, ST_BAD_INPUT, "Part number must be an integer between 1 and %d, inclusive",
                  UPLOAD_PARTS_MAX);
    return S3_INVALID_ARGUMENT;
}

/* ---- checksums ---- */

/* x-amz-checksum-type; false when it is neither. */
static bool read_type(const struct http_head *head, bool *out_is_there, bool *out_is_whole)
{
    struct bytes value;

    *out_is_there = http_head_find(head, "x-amz-checksum-type", &value);
    if (!*out_is_there)
        return true;
    *out_is_whole = http_text_equal(value, "FULL_OBJECT");
    return *out_is_whole || http_text_equal(value, "COMPOSITE");
}

enum s3_error s3_upload_checksum(const struct http_head *head,
                                 enum s3_checksum_kind *out_kind,
                                 bool *out_is_whole,
                                 struct err *err)
{
    struct bytes value = { 0 };
    bool has_type;
    bool is_whole = false;

    if (!read_type(head, &has_type, &is_whole)) {
        (void)err_set(err, ST_BAD_INPUT, "Value for x-amz-checksum-type header is invalid.");
        return S3_INVALID_REQUEST;
    }
    *out_kind = S3_CHECKSUM_NONE;
    *out_is_whole = false;
    if (!http_head_find(head, "x-amz-checksum-algorithm", &value)) {
        if (!has_type)
            return S3_OK;
        (void)err_set(err, ST_BAD_INPUT,
                      "The x-amz-checksum-type header can only be used with the "
                      "x-amz-checksum-algorithm header.");
        return S3_INVALID_REQUEST;
    }
    *out_kind = s3_checksum_of_name(value);
    if (*out_kind == S3_CHECKSUM_NONE) {
        (void)err_set(err, ST_BAD_INPUT,
                      "Checksum algorithm provided is unsupported. Please try again with any of "
                      "the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]");
        return S3_INVALID_REQUEST;
    }
    *out_is_whole = has_type ? is_whole : *out_kind == S3_CHECKSUM_CRC64NVME;
    if ((*out_is_whole && s3_checksum_combines(*out_kind)) ||
        (!*out_is_whole && *out_kind != S3_CHECKSUM_CRC64NVME))
        return S3_OK;
    (void)err_set(err, ST_BAD_INPUT,
                  "The %s checksum type cannot be used with the %s checksum algorithm.",
                  *out_is_whole ? "FULL_OBJECT" : "COMPOSITE", s3_checksum_name(*out_kind));
    return S3_INVALID_REQUEST;
}

/* ---- the list of parts ---- */

static void read_etag(struct bytes text, struct s3_claim *out)
{
    char hex[MD5_HEX_BYTES];

    if (text.len >= 2 && text.data[0] == '"' && text.data[text.len - 1] == '"')
        text = bytes_of(text.data + 1, text.len - 2);
    if (text.len != sizeof hex - 1)
        return;
    memcpy(hex, text.data, text.len);
    hex[text.len] = '\0';
    out->has_md5 = hex_decode(hex, out->md5, MD5_BYTES);
}

/* One child of <Part>.  What we do not know is left alone. */
static bool read_field(struct bytes name, struct bytes text, struct s3_claim *out)
{
    uint64_t number;

    if (bytes_equal(name, bytes_of_text("PartNumber"))) {
        if (!s3_number_parse(http_trim(text), &number) || number > UINT32_MAX)
            return false;
        out->number = (uint32_t)number;
        return true;
    }
    if (bytes_equal(name, bytes_of_text("ETag"))) {
        read_etag(http_trim(text), out);
        return true;
    }
    if (name.len <= 8 || memcmp(name.data, "Checksum", 8) != 0)
        return true;
    out->sum_kind = s3_checksum_of_name(bytes_of(name.data + 8, name.len - 8));
    if (text.len >= sizeof out->sum)
        return false;
    if (text.len > 0)
        memcpy(out->sum, text.data, text.len);
    out->sum[text.len] = '\0';
    return true;
}

static enum s3_error add_claim(struct s3_claims *claims, const struct s3_claim *claim)
{
    if (claim->number < 1 || claim->number > UPLOAD_PARTS_MAX)
        return S3_INVALID_ARGUMENT;
    if (claims->count > 0 && claim->number <= claims->list[claims->count - 1].number)
        return S3_INVALID_PART_ORDER;
    if (claims->list == NULL)
        claims->list = must_calloc(UPLOAD_PARTS_MAX, sizeof *claims->list);
    CHECK(claims->count < UPLOAD_PARTS_MAX); /* the numbers rise */
    claims->list[claims->count++] = *claim;
    return S3_OK;
}

enum s3_error s3_claims_parse(struct bytes document, struct s3_claims *out)
{
    enum s3_error error = S3_OK;
    struct s3_claim claim = { 0 };
    enum s3_xml_kind kind;
    struct bytes name;
    struct s3_xml xml;

    memset(out, 0, sizeof *out);
    s3_xml_init(&xml, document);
    while (error == S3_OK && (kind = s3_xml_next(&xml, &name)) != S3_XML_END) {
        if (kind == S3_XML_BAD)
            error = S3_MALFORMED_XML;
        else if (kind == S3_XML_OPEN && s3_xml_is_in(&xml, "CompleteMultipartUpload/Part"))
            memset(&claim, 0, sizeof claim);
        else if (kind == S3_XML_CLOSE && s3_xml_is_in(&xml, "CompleteMultipartUpload/Part"))
            error = read_field(name, buf_view(&xml.text), &claim) ? S3_OK : S3_MALFORMED_XML;
        else if (kind == S3_XML_CLOSE && s3_xml_is_in(&xml, "CompleteMultipartUpload") &&
                 bytes_equal(name, bytes_of_text("Part")))
            error = add_claim(out, &claim);
    }
    s3_xml_done(&xml);
    if (error == S3_OK && out->count == 0)
        error = S3_MALFORMED_XML; /* a list without parts, or no list */
    return error;
}

void s3_claims_done(struct s3_claims *claims)
{
    free(claims->list);
    memset(claims, 0, sizeof *claims);
}

/* ---- the object ---- */

static bool claim_fits(const struct s3_claim *claim,
                       const Lapwing__Part *part,
                       enum s3_checksum_kind kind)
{
    uint8_t sum[SHA256_BYTES];

    if (claim->number != part->number || !claim->has_md5)
        return false;
    if (memcmp(claim->md5, part->md5.data, MD5_BYTES) != 0)
        return false;
    if (claim->sum_kind == S3_CHECKSUM_NONE || claim->sum_kind != kind)
        return true; /* nothing that we know it by */
    return s3_checksum_decode(kind, bytes_of_text(claim->sum), sum) &&
           bytes_equal(bytes_of(sum, s3_checksum_bytes(kind)),
                       bytes_of(part->checksum.data, part->checksum.len));
}

static const Lapwing__Part *find_part(uint32_t number,
                                      Lapwing__Part *const *parts,
                                      size_t *at,
                                      size_t count)
{
    while (*at < count && parts[*at]->number < number)
        (*at)++;
    return *at < count && parts[*at]->number == number ? parts[*at] : NULL;
}

enum s3_error s3_claims_match(const struct s3_claims *claims,
                              const Lapwing__Upload *upload,
                              Lapwing__Part *const *parts,
                              size_t part_count,
                              struct s3_completion *out)
{
    enum s3_checksum_kind kind = s3_checksum_of_name(bytes_of_text(upload->checksum));
    struct s3_checksum_parts sums = { .kind = kind, .is_whole = upload->checksum_whole };
    struct hash md5 = { 0 };
    uint8_t digest[MD5_BYTES];
    enum s3_error error = S3_OK;
    size_t at = 0;

    memset(out, 0, sizeof *out);
    hash_init(&md5, HASH_MD5);
    for (size_t i = 0; error == S3_OK && i < claims->count; i++) {
        const Lapwing__Part *part = find_part(claims->list[i].number, parts, &at, part_count);

        if (part == NULL || !claim_fits(&claims->list[i], part, kind))
            error = S3_INVALID_PART;
        else if (i + 1 < claims->count && part->bytes < UPLOAD_PART_BYTES_MIN)
            error = S3_ENTITY_TOO_SMALL;
        if (error != S3_OK)
            break;
        out->bytes += part->bytes;
        hash_add(&md5, bytes_of(part->md5.data, part->md5.len));
        if (kind != S3_CHECKSUM_NONE)
            s3_checksum_parts_add(&sums, bytes_of(part->checksum.data, part->checksum.len),
                                  part->bytes);
    }
    if (error == S3_OK && out->bytes > OBJECT_BYTES_MAX)
        error = S3_ENTITY_TOO_LARGE;
    hash_end(&md5, digest);
    hex_encode(bytes_of(digest, sizeof digest), out->etag);
    (void)snprintf(out->etag + MD5_BYTES * 2, sizeof out->etag - MD5_BYTES * 2, "-%zu",
                   claims->count);
    out->sum_kind = kind;
    if (sums.count > 0)
        s3_checksum_parts_end(&sums, out->sum);
    return error;
}

/* A checksum of a header against ours; a COMPOSITE one may come without its "-COUNT". */
static bool sum_fits(struct bytes value, const char *sum)
{
    return bytes_equal(value, bytes_of_text(sum)) ||
           (s3_checksum_is_composite(sum) && bytes_equal(value, bytes_of(sum, strcspn(sum, "-"))));
}

enum s3_error s3_completion_check(const struct http_head *head,
                                  const struct s3_completion *completion,
                                  bool is_whole,
                                  struct err *err)
{
    bool has_type;
    bool wants_whole = false;
    struct bytes value;
    uint64_t bytes;

    if (http_head_find(head, "x-amz-mp-object-size", &value) &&
        (!s3_number_parse(value, &bytes) || bytes != completion->bytes)) {
        (void)err_set(
            err, ST_BAD_INPUT,
            "The provided 'x-amz-mp-object-size' header does not match what was computed.");
        return S3_INVALID_REQUEST;
    }
    if (!read_type(head, &has_type, &wants_whole) || (has_type && wants_whole != is_whole)) {
        (void)err_set(err, ST_BAD_INPUT,
                      "The upload was created using the %s checksum type. The complete request "
                      "must use the same checksum type.",
                      is_whole ? "FULL_OBJECT" : "COMPOSITE");
        return S3_INVALID_REQUEST;
    }
    for (size_t i = 0; i < head->field_count; i++) {
        enum s3_checksum_kind kind = s3_checksum_of_header(head->fields[i].name);

        if (kind == S3_CHECKSUM_NONE)
            continue;
        if (kind == completion->sum_kind && sum_fits(head->fields[i].value, completion->sum))
            continue;
        (void)err_set(err, ST_CORRUPT,
                      "The %s you specified did not match the calculated checksum.",
                      s3_checksum_name(kind));
        return S3_BAD_DIGEST;
    }
    return S3_OK;
}
