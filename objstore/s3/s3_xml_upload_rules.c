/* The XML answers of multipart requests, and the query of ListMultipartUploads. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objstore/s3/s3_text.h"
#include "objstore/s3/s3_upload.h"
#include "objstore/s3/s3_xml.h"

void s3_xml_upload_created(struct buf *out, const struct s3_route *route, const char *upload)
{
    buf_append_text(out, S3_XML_HEAD "<InitiateMultipartUploadResult" S3_XML_NS ">");
    s3_xml_element(out, "Bucket", route->bucket);
    s3_xml_element(out, "Key", route->key);
    s3_xml_element(out, "UploadId", upload);
    buf_append_text(out, "</InitiateMultipartUploadResult>");
}

/* <ChecksumCRC32> and the like, from a value in base64. */
static void checksum_element(struct buf *out, enum s3_checksum_kind kind, const char *value)
{
    buf_printf(out, "<Checksum%s>%s</Checksum%s>", s3_checksum_name(kind), value,
               s3_checksum_name(kind));
}

void s3_xml_upload_completed(struct buf *out,
                             const struct s3_route *route,
                             const char *base,
                             const Lapwing__Object *object)
{
    struct buf location = { 0 };

    buf_append_text(out, S3_XML_HEAD "<CompleteMultipartUploadResult" S3_XML_NS ">");
    buf_printf(&location, "%s/%s/", base, route->bucket);
    http_percent_encode(bytes_of_text(route->key), true, &location);
    s3_xml_element(out, "Location", buf_text(&location));
    buf_done(&location);
    s3_xml_element(out, "Bucket", route->bucket);
    s3_xml_element(out, "Key", route->key);
    buf_printf(out, "<ETag>&quot;%s&quot;</ETag>", object->etag);
    for (size_t i = 0; i < object->n_metadata; i++) {
        const char *value = object->metadata[i]->value;
        enum s3_checksum_kind kind =
            s3_checksum_of_header(bytes_of_text(object->metadata[i]->name));

        if (kind == S3_CHECKSUM_NONE)
            continue;
        checksum_element(out, kind, value);
        s3_xml_element(out, "ChecksumType", s3_checksum_type(value));
    }
    buf_append_text(out, "</CompleteMultipartUploadResult>");
}

/* How an upload and its object will be; the same in both listings. */
static void upload_elements(struct buf *out, const Lapwing__Upload *upload)
{
    s3_xml_person(out, "Initiator", upload->object->owner);
    s3_xml_person(out, "Owner", upload->object->owner);
    s3_xml_element(out, "StorageClass", "STANDARD");
    if (upload->checksum[0] == '\0')
        return;
    s3_xml_element(out, "ChecksumAlgorithm", upload->checksum);
    s3_xml_element(out, "ChecksumType", upload->checksum_whole ? "FULL_OBJECT" : "COMPOSITE");
}

static void part(struct buf *out, enum s3_checksum_kind kind, const Lapwing__Part *row)
{
    char hex[MD5_HEX_BYTES];
    struct buf sum = { 0 };

    hex_encode(bytes_of(row->md5.data, MD5_BYTES), hex);
    buf_printf(out, "<Part><PartNumber>%u</PartNumber>", row->number);
    s3_xml_time(out, "LastModified", row->modified_ms);
    buf_printf(out, "<ETag>&quot;%s&quot;</ETag><Size>%llu</Size>", hex,
               (unsigned long long)row->bytes);
    if (kind != S3_CHECKSUM_NONE) {
        base64_encode(bytes_of(row->checksum.data, row->checksum.len), &sum);
        checksum_element(out, kind, buf_text(&sum));
        buf_done(&sum);
    }
    buf_append_text(out, "</Part>");
}

void s3_xml_parts(struct buf *out,
                  const struct s3_route *route,
                  const struct s3_part_query *query,
                  const Lapwing__ReadReply *reply)
{
    const Lapwing__Upload *upload = reply->uploads[0];
    enum s3_checksum_kind kind = s3_checksum_of_name(bytes_of_text(upload->checksum));
    uint32_t last = reply->n_parts > 0 ? reply->parts[reply->n_parts - 1]->number : 0;

    buf_append_text(out, S3_XML_HEAD "<ListPartsResult" S3_XML_NS ">");
    s3_xml_element(out, "Bucket", route->bucket);
    s3_xml_element(out, "Key", route->key);
    s3_xml_element(out, "UploadId", upload->upload);
    upload_elements(out, upload);
    buf_printf(out,
               "<PartNumberMarker>%u</PartNumberMarker>"
               "<NextPartNumberMarker>%u</NextPartNumberMarker><MaxParts>%u</MaxParts>"
               "<IsTruncated>%s</IsTruncated>",
               query->part_after, last, query->max_parts, reply->truncated ? "true" : "false");
    for (size_t i = 0; i < reply->n_parts; i++)
        part(out, kind, reply->parts[i]);
    buf_append_text(out, "</ListPartsResult>");
}

/* ---- ListMultipartUploads ---- */

enum s3_error s3_uploads_parse(struct bytes query, struct s3_uploads_list *out, struct err *err)
{
    enum s3_error error;

    memset(out, 0, sizeof *out);
    out->prefix = s3_query_text(query, "prefix");
    out->delimiter = s3_query_text(query, "delimiter");
    out->key_marker = s3_query_text(query, "key-marker");
    out->upload_marker = s3_query_text(query, "upload-id-marker");
    error = s3_list_max_parse(query, "max-uploads", &out->max_uploads, err);
    if (error == S3_OK)
        error = s3_list_encoding_parse(query, &out->encode_url, err);
    if (error == S3_OK && strlen(out->upload_marker) > UPLOAD_ID_DIGITS) {
        (void)err_set(err, ST_BAD_INPUT, "Invalid uploadId marker");
        error = S3_INVALID_ARGUMENT;
    }
    /* Without a key it means nothing, and AWS ignores it. */
    if (error == S3_OK && out->key_marker[0] == '\0')
        out->upload_marker[0] = '\0';
    if (error != S3_OK)
        s3_uploads_done(out);
    return error;
}

void s3_uploads_done(struct s3_uploads_list *list)
{
    free(list->prefix);
    free(list->delimiter);
    free(list->key_marker);
    free(list->upload_marker);
    memset(list, 0, sizeof *list);
}

static void upload_row(struct buf *out,
                       const struct s3_uploads_list *list,
                       const Lapwing__Upload *upload)
{
    buf_append_text(out, "<Upload>");
    s3_xml_name(out, list->encode_url, "Key", upload->object->key);
    s3_xml_element(out, "UploadId", upload->upload);
    upload_elements(out, upload);
    s3_xml_time(out, "Initiated", upload->created_ms);
    buf_append_text(out, "</Upload>");
}

void s3_xml_uploads(struct buf *out,
                    const char *bucket,
                    const struct s3_uploads_list *list,
                    const Lapwing__ReadReply *reply)
{
    buf_append_text(out, S3_XML_HEAD "<ListMultipartUploadsResult" S3_XML_NS ">");
    s3_xml_element(out, "Bucket", bucket);
    s3_xml_name(out, list->encode_url, "KeyMarker", list->key_marker);
    s3_xml_element(out, "UploadIdMarker", list->upload_marker);
    if (reply->truncated) {
        s3_xml_name(out, list->encode_url, "NextKeyMarker", reply->next_start_after);
        s3_xml_element(out, "NextUploadIdMarker", reply->next_upload_after);
    }
    s3_xml_name(out, list->encode_url, "Prefix", list->prefix);
    if (list->delimiter[0] != '\0')
        s3_xml_name(out, list->encode_url, "Delimiter", list->delimiter);
    if (list->encode_url)
        s3_xml_element(out, "EncodingType", "url");
    buf_printf(out, "<MaxUploads>%u</MaxUploads><IsTruncated>%s</IsTruncated>", list->max_uploads,
               reply->truncated ? "true" : "false");
    for (size_t i = 0; i < reply->n_uploads; i++)
        upload_row(out, list, reply->uploads[i]);
    s3_xml_prefixes(out, list->encode_url, reply);
    buf_append_text(out, "</ListMultipartUploadsResult>");
}
