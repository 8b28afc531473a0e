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

#define XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define XML_NS   " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

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

static void element(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "<%s>", name);
    s3_xml_text(out, text);
    buf_printf(out, "</%s>", name);
}

void s3_xml_error(struct buf *out, const struct s3_error_text *text)
{
    buf_append_text(out, XML_HEAD "<Error>");
    element(out, "Code", s3_error_code(text->error));
    element(out, "Message", text->message != NULL ? text->message : s3_error_message(text->error));
    element(out, "Resource", text->resource);
    element(out, "RequestId", text->request_id);
    buf_append_text(out, "</Error>");
}

static void owner(struct buf *out, const char *account)
{
    char id[65];

    s3_owner_id(account, id);
    buf_append_text(out, "<Owner>");
    element(out, "ID", id);
    element(out, "DisplayName", account);
    buf_append_text(out, "</Owner>");
}

void s3_xml_buckets(struct buf *out, const char *account, const Lapwing__ReadReply *reply)
{
    char when[S3_TIME_BYTES];

    buf_append_text(out, XML_HEAD "<ListAllMyBucketsResult" XML_NS ">");
    owner(out, account);
    buf_append_text(out, "<Buckets>");
    for (size_t i = 0; i < reply->n_buckets; i++) {
        if (s3_bucket_is_internal(reply->buckets[i]->name))
            continue; /* the cluster's own, of no use to anybody else */
        buf_append_text(out, "<Bucket>");
        element(out, "Name", reply->buckets[i]->name);
        s3_time_iso(reply->buckets[i]->created_ms, when);
        element(out, "CreationDate", when);
        buf_append_text(out, "</Bucket>");
    }
    buf_append_text(out, "</Buckets></ListAllMyBucketsResult>");
}

void s3_xml_location(struct buf *out, const char *region)
{
    buf_append_text(out, XML_HEAD "<LocationConstraint" XML_NS ">");
    /* The oldest region has no name here, and clients count on it. */
    if (strcmp(region, "us-east-1") != 0)
        s3_xml_text(out, region);
    buf_append_text(out, "</LocationConstraint>");
}

/* The body has one element that matters; a whole XML parser for it would be more to trust, and the
 * name is checked letter by letter. */
bool s3_location_parse(struct bytes xml, char *out_region, size_t out_bytes)
{
    static const char tag[] = "<LocationConstraint";
    static const char closing[] = "</LocationConstraint>";
    const char *end = (const char *)xml.data + xml.len;
    const char *at;
    size_t len = 0;

    (void)snprintf(out_region, out_bytes, "us-east-1");
    if (xml.len == 0)
        return true;
    if (memmem(xml.data, xml.len, "<CreateBucketConfiguration", 26) == NULL)
        return false;
    at = memmem(xml.data, xml.len, tag, sizeof tag - 1);
    if (at == NULL)
        return true;
    at = memchr(at, '>', (size_t)(end - at));
    if (at == NULL)
        return false;
    at++;
    if (at[-2] == '/')
        return true;
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    while (at + len < end && (isalnum((unsigned char)at[len]) || at[len] == '-'))
        len++;
    if ((size_t)(end - at) - len < sizeof closing - 1 ||
        memcmp(at + len, closing, sizeof closing - 1) != 0 || len >= out_bytes)
        return false;
    if (len > 0)
        (void)snprintf(out_region, out_bytes, "%.*s", (int)len, at);
    return true;
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

static char *parameter_or_empty(struct bytes query, const char *name)
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

static enum s3_error parse_max_keys(struct bytes query, struct s3_list *out, struct err *err)
{
    char *text = parameter(query, "max-keys");
    char *end = NULL;
    long value;

    out->max_keys = LIST_KEYS_MAX;
    if (text == NULL)
        return S3_OK;
    value = strtol(text, &end, 10);
    if (*text == '\0')
        value = LIST_KEYS_MAX;
    if (*end != '\0' || value < 0 || value > INT32_MAX) {
        free(text);
        (void)err_set(err, ST_BAD_INPUT, "Argument maxKeys must be an integer between 0 and %d",
                      INT32_MAX);
        return S3_INVALID_ARGUMENT;
    }
    out->max_keys = value < LIST_KEYS_MAX ? (uint32_t)value : LIST_KEYS_MAX;
    free(text);
    return S3_OK;
}

static enum s3_error parse_encoding(struct bytes query, struct s3_list *out, struct err *err)
{
    char *text = parameter_or_empty(query, "encoding-type");
    bool is_url = strcasecmp(text, "url") == 0;
    bool is_none = text[0] == '\0';

    free(text);
    out->encode_url = is_url;
    if (is_url || is_none)
        return S3_OK;
    (void)err_set(err, ST_BAD_INPUT, "Invalid Encoding Method specified in Request");
    return S3_INVALID_ARGUMENT;
}

enum s3_error s3_list_parse(struct bytes query, bool is_v2, struct s3_list *out, struct err *err)
{
    enum s3_error error;
    char *owner_text;

    memset(out, 0, sizeof *out);
    out->is_v2 = is_v2;
    out->prefix = parameter_or_empty(query, "prefix");
    out->delimiter = parameter_or_empty(query, "delimiter");
    out->start_after = parameter_or_empty(query, is_v2 ? "start-after" : "marker");
    owner_text = parameter_or_empty(query, "fetch-owner");
    out->fetch_owner = !is_v2 || strcasecmp(owner_text, "true") == 0;
    free(owner_text);
    if (is_v2)
        out->token = parameter(query, "continuation-token");
    out->after = out->token != NULL ? token_decode(out->token) : must_strdup(out->start_after);
    if (out->after == NULL) {
        (void)err_set(err, ST_BAD_INPUT, "The continuation token provided is incorrect");
        error = S3_INVALID_ARGUMENT;
    } else {
        error = parse_max_keys(query, out, err);
        if (error == S3_OK)
            error = parse_encoding(query, out, err);
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

/* A key, prefix or delimiter, encoded if the client asked for it. */
static void name_element(struct buf *out,
                         const struct s3_list *list,
                         const char *name,
                         const char *text)
{
    struct buf encoded = { 0 };

    if (!list->encode_url) {
        element(out, name, text);
        return;
    }
    http_percent_encode(bytes_of_text(text), true, &encoded);
    element(out, name, buf_text(&encoded));
    buf_done(&encoded);
}

static void object(struct buf *out, const struct s3_list *list, const Lapwing__Object *row)
{
    char when[S3_TIME_BYTES];

    buf_append_text(out, "<Contents>");
    name_element(out, list, "Key", row->key);
    s3_time_iso(row->modified_ms, when);
    element(out, "LastModified", when);
    buf_printf(out, "<ETag>&quot;%s&quot;</ETag>", row->etag);
    buf_printf(out, "<Size>%llu</Size>", (unsigned long long)row->bytes);
    if (list->fetch_owner)
        owner(out, row->owner);
    buf_append_text(out, "<StorageClass>STANDARD</StorageClass></Contents>");
}

static void head_v1(struct buf *out, const struct s3_list *list, const Lapwing__ReadReply *reply)
{
    name_element(out, list, "Prefix", list->prefix);
    name_element(out, list, "Marker", list->start_after);
    /* AWS names the next marker only where the last key does not tell it. */
    if (reply->truncated && list->delimiter[0] != '\0')
        name_element(out, list, "NextMarker", reply->next_start_after);
}

static void head_v2(struct buf *out, const struct s3_list *list, const Lapwing__ReadReply *reply)
{
    struct buf token = { 0 };

    name_element(out, list, "Prefix", list->prefix);
    if (list->token != NULL)
        element(out, "ContinuationToken", list->token);
    if (reply->truncated) {
        token_encode(reply->next_start_after, &token);
        element(out, "NextContinuationToken", buf_text(&token));
        buf_done(&token);
    }
    if (list->start_after[0] != '\0')
        name_element(out, list, "StartAfter", list->start_after);
    buf_printf(out, "<KeyCount>%zu</KeyCount>", reply->n_objects + reply->n_common_prefixes);
}

void s3_xml_objects(struct buf *out,
                    const char *bucket,
                    const struct s3_list *list,
                    const Lapwing__ReadReply *reply)
{
    buf_append_text(out, XML_HEAD "<ListBucketResult" XML_NS ">");
    element(out, "Name", bucket);
    if (list->is_v2)
        head_v2(out, list, reply);
    else
        head_v1(out, list, reply);
    buf_printf(out, "<MaxKeys>%u</MaxKeys>", list->max_keys);
    if (list->delimiter[0] != '\0')
        name_element(out, list, "Delimiter", list->delimiter);
    if (list->encode_url)
        element(out, "EncodingType", "url");
    element(out, "IsTruncated", reply->truncated ? "true" : "false");
    for (size_t i = 0; i < reply->n_objects; i++)
        object(out, list, reply->objects[i]);
    for (size_t i = 0; i < reply->n_common_prefixes; i++) {
        buf_append_text(out, "<CommonPrefixes>");
        name_element(out, list, "Prefix", reply->common_prefixes[i]);
        buf_append_text(out, "</CommonPrefixes>");
    }
    buf_append_text(out, "</ListBucketResult>");
}
