/* The XML bodies of answers, in the order of elements that AWS gives them, and what a listing asks.
 *
 * Written by hand: six fixed shapes need no library, and every text goes through s3_xml_text(). */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objstore/s3/s3_route.h"
#include "objstore/s3/s3_text.h"
#include "objstore/s3/s3_xml.h"
#include "objstore/s3/s3_xml_read.h"

enum { LIST_KEYS_MAX = 1000 };

void s3_xml_text(struct buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;

        if (byte == '&')
            buf_append_text(out, "&amp;");
        else if (byte == '<')
            buf_append_text(out, "&lt;");
        else if (byte == '>')
            buf_append_text(out, "&gt;");
        else if (byte == '"')
            buf_append_text(out, "&quot;");
        else if (byte < 0x20)
            /* XML 1.0 has no way to write most of these; AWS does the same, which is why clients
             * ask for encoding-type=url. */
            buf_printf(out, "&#x%x;", byte);
        else
            buf_append(out, c, 1);
    }
}

void s3_xml_element(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "<%s>", name);
    s3_xml_text(out, text);
    buf_printf(out, "</%s>", name);
}

void s3_xml_error(struct buf *out, const struct s3_error_text *text)
{
    buf_append_text(out, S3_XML_HEAD "<Error>");
    s3_xml_element(out, "Code", s3_error_code(text->error));
    s3_xml_element(out, "Message",
                   text->message != NULL ? text->message : s3_error_message(text->error));
    s3_xml_element(out, "Resource", text->resource);
    s3_xml_element(out, "RequestId", text->request_id);
    buf_append_text(out, "</Error>");
}

void s3_xml_person(struct buf *out, const char *name, const char *account)
{
    char id[65];

    s3_owner_id(account, id);
    buf_printf(out, "<%s>", name);
    s3_xml_element(out, "ID", id);
    s3_xml_element(out, "DisplayName", account);
    buf_printf(out, "</%s>", name);
}

void s3_xml_time(struct buf *out, const char *name, uint64_t ms)
{
    char when[S3_TIME_BYTES];

    s3_time_iso(ms, when);
    s3_xml_element(out, name, when);
}

void s3_xml_name(struct buf *out, bool encode_url, const char *name, const char *text)
{
    struct buf encoded = { 0 };

    if (!encode_url) {
        s3_xml_element(out, name, text);
        return;
    }
    http_percent_encode(bytes_of_text(text), true, &encoded);
    s3_xml_element(out, name, buf_text(&encoded));
    buf_done(&encoded);
}

void s3_xml_location(struct buf *out, const char *region)
{
    buf_append_text(out, S3_XML_HEAD "<LocationConstraint" S3_XML_NS ">");
    /* The oldest region has no name here, and clients count on it. */
    if (strcmp(region, "us-east-1") != 0)
        s3_xml_text(out, region);
    buf_append_text(out, "</LocationConstraint>");
}

/* A region's name is letters, digits and -. */
static bool take_region(struct bytes text, char *out_region, size_t out_bytes)
{
    text = http_trim(text);
    for (size_t i = 0; i < text.len; i++)
        if (!isalnum(text.data[i]) && text.data[i] != '-')
            return false;
    if (text.len >= out_bytes)
        return false;
    if (text.len > 0)
        (void)snprintf(out_region, out_bytes, "%.*s", (int)text.len, (const char *)text.data);
    return true;
}

bool s3_location_parse(struct bytes document, char *out_region, size_t out_bytes)
{
    static const char root[] = "CreateBucketConfiguration";
    enum s3_xml_kind kind;
    struct bytes name;
    struct s3_xml xml;
    bool ok = true;

    (void)snprintf(out_region, out_bytes, "us-east-1");
    if (document.len == 0)
        return true;
    s3_xml_init(&xml, document);
    while (ok && (kind = s3_xml_next(&xml, &name)) != S3_XML_END) {
        if (kind == S3_XML_BAD)
            ok = false;
        else if (kind == S3_XML_OPEN && xml.depth == 1)
            ok = bytes_equal(name, bytes_of_text(root));
        else if (kind == S3_XML_CLOSE && s3_xml_is_in(&xml, root) &&
                 bytes_equal(name, bytes_of_text("LocationConstraint")))
            ok = take_region(buf_view(&xml.text), out_region, out_bytes);
    }
    s3_xml_done(&xml);
    return ok;
}

/* ---- listing ---- */

static char *parameter(struct bytes query, const char *name)
{
    struct buf value = { 0 };
    char *out = NULL;

    if (http_query_find(query, name, &value) == ST_OK)
        out = must_strdup(buf_text(&value));
    buf_done(&value);
    return out;
}

char *s3_query_text(struct bytes query, const char *name)
{
    char *value = parameter(query, name);

    return value != NULL ? value : must_strdup("");
}

/* A continuation token is the key to go on after, in hexadecimal behind a version digit: opaque to
 * clients, checked here. */
static char *token_decode(const char *token)
{
    size_t len = strlen(token);
    char *key;

    if (len < 1 || token[0] != '1' || len % 2 != 1)
        return NULL;
    key = must_calloc(1, len / 2 + 1);
    if (hex_decode(token + 1, (uint8_t *)key, len / 2))
        return key;
    free(key);
    return NULL;
}

static void token_encode(const char *key, struct buf *out)
{
    size_t len = strlen(key);
    char *hex = must_calloc(1, len * 2 + 1);

    hex_encode(bytes_of(key, len), hex);
    buf_append_text(out, "1");
    buf_append_text(out, hex);
    free(hex);
}

enum s3_error s3_list_max_parse(struct bytes query,
                                const char *name,
                                uint32_t *out,
                                struct err *err)
{
    char *text = s3_query_text(query, name);
    uint64_t value = LIST_KEYS_MAX;
    bool ok = text[0] == '\0' || s3_number_parse(bytes_of_text(text), &value);

    free(text);
    if (!ok || value > INT32_MAX) {
        (void)err_set(err, ST_BAD_INPUT, "Argument %s must be an integer between 0 and %d", name,
                      INT32_MAX);
        return S3_INVALID_ARGUMENT;
    }
    *out = value < LIST_KEYS_MAX ? (uint32_t)value : LIST_KEYS_MAX;
    return S3_OK;
}

enum s3_error s3_list_encoding_parse(struct bytes query, bool *out_is_url, struct err *err)
{
    char *text = s3_query_text(query, "encoding-type");
    bool is_none = text[0] == '\0';

    *out_is_url = strcasecmp(text, "url") == 0;
    free(text);
    if (*out_is_url || is_none)
        return S3_OK;
    (void)err_set(err, ST_BAD_INPUT, "Invalid Encoding Method specified in Request");
    return S3_INVALID_ARGUMENT;
}

enum s3_error s3_list_parse(struct bytes query,
                            enum s3_list_kind kind,
                            struct s3_list *out,
                            struct err *err)
{
    static const char *const markers[] = { "marker", "start-after", "key-marker", "" };
    enum s3_error error;
    char *owner_text;

    memset(out, 0, sizeof *out);
    out->kind = kind;
    out->prefix = s3_query_text(query, "prefix");
    out->delimiter = s3_query_text(query, "delimiter");
    out->start_after = s3_query_text(query, markers[kind]);
    owner_text = s3_query_text(query, "fetch-owner");
    out->fetch_owner = kind != S3_LIST_V2 || strcasecmp(owner_text, "true") == 0;
    free(owner_text);
    if (kind == S3_LIST_V2 || kind == S3_LIST_OF_BUCKETS)
        out->token = parameter(query, "continuation-token");
    out->after = out->token != NULL && out->token[0] != '\0' ? token_decode(out->token)
                                                             : must_strdup(out->start_after);
    if (out->after == NULL) {
        (void)err_set(err, ST_BAD_INPUT, "The continuation token provided is incorrect");
        error = S3_INVALID_ARGUMENT;
    } else {
        error = s3_list_max_parse(query, kind == S3_LIST_OF_BUCKETS ? "max-buckets" : "max-keys",
                                  &out->max_keys, err);
        if (error == S3_OK)
            error = s3_list_encoding_parse(query, &out->encode_url, err);
    }
    if (error != S3_OK)
        s3_list_done(out);
    return error;
}

void s3_list_done(struct s3_list *list)
{
    free(list->prefix);
    free(list->delimiter);
    free(list->start_after);
    free(list->token);
    free(list->after);
    memset(list, 0, sizeof *list);
}

static void object(struct buf *out, const struct s3_list *list, const Lapwing__Object *row)
{
    bool is_version = list->kind == S3_LIST_VERSIONS;

    buf_append_text(out, is_version ? "<Version>" : "<Contents>");
    s3_xml_name(out, list->encode_url, "Key", row->key);
    /* The one version that an object of a bucket without versioning has. */
    if (is_version)
        buf_append_text(out, "<VersionId>null</VersionId><IsLatest>true</IsLatest>");
    s3_xml_time(out, "LastModified", row->modified_ms);
    buf_printf(out, "<ETag>&quot;%s&quot;</ETag>", row->etag);
    buf_printf(out, "<Size>%llu</Size>", (unsigned long long)row->bytes);
    if (list->fetch_owner)
        s3_xml_person(out, "Owner", row->owner);
    buf_append_text(out, "<StorageClass>STANDARD</StorageClass>");
    buf_append_text(out, is_version ? "</Version>" : "</Contents>");
}

static void head_versions(struct buf *out,
                          const struct s3_list *list,
                          const Lapwing__ReadReply *reply)
{
    s3_xml_name(out, list->encode_url, "Prefix", list->prefix);
    s3_xml_name(out, list->encode_url, "KeyMarker", list->start_after);
    buf_append_text(out, "<VersionIdMarker></VersionIdMarker>");
    if (!reply->truncated)
        return;
    s3_xml_name(out, list->encode_url, "NextKeyMarker", reply->next_start_after);
    buf_append_text(out, "<NextVersionIdMarker>null</NextVersionIdMarker>");
}

static void head_v1(struct buf *out, const struct s3_list *list, const Lapwing__ReadReply *reply)
{
    s3_xml_name(out, list->encode_url, "Prefix", list->prefix);
    s3_xml_name(out, list->encode_url, "Marker", list->start_after);
    /* AWS names the next marker only where the last key does not tell it. */
    if (reply->truncated && list->delimiter[0] != '\0')
        s3_xml_name(out, list->encode_url, "NextMarker", reply->next_start_after);
}

static void head_v2(struct buf *out, const struct s3_list *list, const Lapwing__ReadReply *reply)
{
    struct buf token = { 0 };

    s3_xml_name(out, list->encode_url, "Prefix", list->prefix);
    if (list->token != NULL)
        s3_xml_element(out, "ContinuationToken", list->token);
    if (reply->truncated) {
        token_encode(reply->next_start_after, &token);
        s3_xml_element(out, "NextContinuationToken", buf_text(&token));
        buf_done(&token);
    }
    if (list->start_after[0] != '\0')
        s3_xml_name(out, list->encode_url, "StartAfter", list->start_after);
    buf_printf(out, "<KeyCount>%zu</KeyCount>", reply->n_objects + reply->n_common_prefixes);
}

void s3_xml_prefixes(struct buf *out, bool encode_url, const Lapwing__ReadReply *reply)
{
    for (size_t i = 0; i < reply->n_common_prefixes; i++) {
        buf_append_text(out, "<CommonPrefixes>");
        s3_xml_name(out, encode_url, "Prefix", reply->common_prefixes[i]);
        buf_append_text(out, "</CommonPrefixes>");
    }
}

void s3_xml_objects(struct buf *out,
                    const char *bucket,
                    const struct s3_list *list,
                    const Lapwing__ReadReply *reply)
{
    static void (*const heads[])(struct buf *, const struct s3_list *,
                                 const Lapwing__ReadReply *) = { head_v1, head_v2, head_versions };
    const char *name = list->kind == S3_LIST_VERSIONS ? "ListVersionsResult" : "ListBucketResult";

    buf_printf(out, S3_XML_HEAD "<%s" S3_XML_NS ">", name);
    s3_xml_element(out, "Name", bucket);
    heads[list->kind](out, list, reply);
    buf_printf(out, "<MaxKeys>%u</MaxKeys>", list->max_keys);
    if (list->delimiter[0] != '\0')
        s3_xml_name(out, list->encode_url, "Delimiter", list->delimiter);
    if (list->encode_url)
        s3_xml_element(out, "EncodingType", "url");
    s3_xml_element(out, "IsTruncated", reply->truncated ? "true" : "false");
    for (size_t i = 0; i < reply->n_objects; i++)
        object(out, list, reply->objects[i]);
    s3_xml_prefixes(out, list->encode_url, reply);
    buf_printf(out, "</%s>", name);
}

/* Does the list want it?  The cluster's own buckets are of no use to anybody else. */
static bool is_listed(const struct s3_list *list, const char *name)
{
    return !s3_bucket_is_internal(name) && strcmp(name, list->after) > 0 &&
           strncmp(name, list->prefix, strlen(list->prefix)) == 0;
}

void s3_xml_buckets(struct buf *out,
                    const char *account,
                    const struct s3_list *list,
                    const Lapwing__ReadReply *reply)
{
    const char *last = NULL;
    size_t count = 0;
    size_t i;

    buf_append_text(out, S3_XML_HEAD "<ListAllMyBucketsResult" S3_XML_NS ">");
    s3_xml_person(out, "Owner", account);
    buf_append_text(out, "<Buckets>");
    for (i = 0; i < reply->n_buckets; i++) {
        const Lapwing__Bucket *bucket = reply->buckets[i];

        if (!is_listed(list, bucket->name))
            continue;
        if (count == list->max_keys)
            break;
        count++;
        last = bucket->name;
        buf_append_text(out, "<Bucket>");
        s3_xml_element(out, "Name", last);
        s3_xml_time(out, "CreationDate", bucket->created_ms);
        buf_append_text(out, "</Bucket>");
    }
    buf_append_text(out, "</Buckets>");
    if (i < reply->n_buckets && last != NULL) {
        struct buf token = { 0 };

        token_encode(last, &token);
        s3_xml_element(out, "ContinuationToken", buf_text(&token));
        buf_done(&token);
    }
    if (list->prefix[0] != '\0')
        s3_xml_element(out, "Prefix", list->prefix);
    buf_append_text(out, "</ListAllMyBucketsResult>");
}
