/* The admin API over libcurl, which signs. */
#include "cli/api.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

enum { ANSWER_BYTES_MAX = 64 << 20, CONNECT_MS = 3000, ANSWER_MS = 30000 };

static size_t take(char *data, size_t size, size_t count, void *context)
{
    struct buf *body = context;

    if (body->len + size * count > ANSWER_BYTES_MAX)
        return 0;
    buf_append(body, data, size * count);
    return size * count;
}

static const char *setting(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value == NULL || *value == '\0' ? otherwise : value;
}

char *api_encode(const char *text)
{
    struct buf out = { 0 };

    for (; *text != '\0'; text++) {
        if (strchr("-._~", *text) != NULL || (*text >= '0' && *text <= '9') ||
            ((*text | 32) >= 'a' && (*text | 32) <= 'z'))
            buf_append(&out, text, 1);
        else
            buf_printf(&out, "%%%02X", (unsigned char)*text);
    }
    (void)buf_text(&out);
    return (char *)out.data;
}

static enum status from_code(long code)
{
    if (code == 403)
        return ST_DENIED;
    if (code == 404)
        return ST_NOT_FOUND;
    return code >= 500 ? ST_UNAVAILABLE : ST_BAD_INPUT;
}

static enum status parse_answer(struct buf *body, long code, json_t **out, struct err *err)
{
    json_error_t where;
    json_t *answer = json_loadb((const char *)body->data, body->len, 0, &where);

    if (code == 200 && answer != NULL) {
        *out = answer;
        return ST_OK;
    }
    if (answer != NULL) {
        const char *text = json_string_value(json_object_get(answer, "message"));
        enum status st;

        if (text == NULL) /* some shapes of AWS spell it so */
            text = json_string_value(json_object_get(answer, "Message"));
        st = err_set(err, from_code(code), "the cluster answered %ld: %s", code,
                     text == NULL ? "without a message" : text);
        json_decref(answer);
        return st;
    }
    return err_set(err, code == 200 ? ST_BAD_INPUT : from_code(code),
                   "the cluster answered %ld and no JSON: is AWS_ENDPOINT_URL a Lapwing?", code);
}

/* json  the body of a POST; NULL: a GET */
static enum status ask(const char *path, const char *json, json_t **out, struct err *err)
{
    const char *endpoint = setting("AWS_ENDPOINT_URL", "http://127.0.0.1:4566");
    const char *ca_file = setting("AWS_CA_BUNDLE", NULL);
    struct buf url = { 0 };
    struct buf keys = { 0 };
    struct buf body = { 0 };
    struct curl_slist *headers = NULL;
    CURL *curl = curl_easy_init();
    enum status st;
    CURLcode rv;
    long code = 0;

    CHECK(curl != NULL);
    buf_printf(&url, "%s%s", endpoint, path);
    buf_printf(&keys, "%s:%s", setting("AWS_ACCESS_KEY_ID", "test"),
               setting("AWS_SECRET_ACCESS_KEY", "test"));
    (void)curl_easy_setopt(curl, CURLOPT_URL, buf_text(&url));
    (void)curl_easy_setopt(curl, CURLOPT_USERPWD, buf_text(&keys));
    (void)curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, "aws:amz:us-east-1:lapwing");
    (void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (ca_file != NULL)
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ANSWER_MS);
    if (json != NULL) {
        headers = curl_slist_append(NULL, "Content-Type: application/json");
        (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json);
    }
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    rv = curl_easy_perform(curl);
    if (rv != CURLE_OK) {
        st =
            err_set(err, ST_UNAVAILABLE,
                    "%s does not answer (%s): start a cluster with ./dev run, or source its env.sh",
                    endpoint, curl_easy_strerror(rv));
    } else {
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
        st = parse_answer(&body, code, out, err);
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    buf_done(&url);
    buf_done(&keys);
    buf_done(&body);
    return st;
}

enum status api_get(const char *path, json_t **out, struct err *err)
{
    return ask(path, NULL, out, err);
}

enum status api_post(const char *path, const char *json, json_t **out, struct err *err)
{
    return ask(path, json, out, err);
}
