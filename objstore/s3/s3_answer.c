/* Answers that are not an object's bytes. */
#include "base/check.h"
#include "objstore/s3/s3_request.h"

void s3_field(struct s3_fields *fields, const char *name, const char *value)
{
    CHECK(fields->count < S3_ANSWER_FIELDS_MAX);
    fields->list[fields->count++] = (struct http_answer_field){ name, value };
}

void s3_fields_begin(struct s3_fields *fields, const struct s3_request *req)
{
    fields->count = 0;
    s3_field(fields, "x-amz-request-id", req->id);
    s3_field(fields, "x-amz-id-2", req->id);
}

void s3_answer(struct s3_request *req, unsigned status, const struct s3_fields *fields)
{
    struct http_answer answer = { status, fields->list, fields->count, false };

    http_respond(req->http, &answer, (struct bytes){ 0 });
}

void s3_answer_no_content(struct s3_request *req)
{
    struct s3_fields fields;

    s3_fields_begin(&fields, req);
    s3_answer(req, 204, &fields);
}

static void answer_xml(struct s3_request *req,
                       unsigned status,
                       struct s3_fields *fields,
                       struct buf *xml)
{
    struct http_answer answer = { .status = status };

    CHECK(xml->len > 0);
    s3_field(fields, "Content-Type", "application/xml");
    answer.fields = fields->list;
    answer.field_count = fields->count;
    http_respond(req->http, &answer, buf_view(xml));
    buf_done(xml);
}

void s3_answer_xml(struct s3_request *req, struct buf *xml)
{
    struct s3_fields fields;

    s3_fields_begin(&fields, req);
    answer_xml(req, 200, &fields, xml);
}

void s3_answer_fields_xml(struct s3_request *req, struct s3_fields *fields, struct buf *xml)
{
    answer_xml(req, 200, fields, xml);
}

void s3_answer_error(struct s3_request *req)
{
    struct s3_error_text text = {
        .error = req->error,
        .message = req->err.text[0] != '\0' ? req->err.text : NULL,
        .request_id = req->id,
    };
    struct buf resource = { 0 };
    struct s3_fields fields;
    struct buf xml = { 0 };

    if (req->route.bucket[0] != '\0')
        buf_printf(&resource, "/%s%s%s", req->route.bucket, req->route.key[0] != '\0' ? "/" : "",
                   req->route.key);
    else
        buf_append_text(&resource, "/");
    text.resource = buf_text(&resource);
    s3_xml_error(&xml, &text);
    /* The body goes out for a HEAD too as far as we are concerned: the HTTP layer leaves it away,
     * and keeps it for PUT, where an empty one would look like success to libs3 2.0. */
    s3_fields_begin(&fields, req);
    answer_xml(req, s3_error_http(req->error), &fields, &xml);
    buf_done(&resource);
}
