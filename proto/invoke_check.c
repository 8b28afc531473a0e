/* Checks of the messages between front door and worker; pure, any thread. */
#include "proto/invoke_check.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "proto/command_check.h"
#include "proto/fields.h"
#include "proto/message_limits.h"

static const struct field_text person_text_rule = { "text", FIELD_ANY, 0, PERSON_TEXT_BYTES_MAX };

static enum status version_check(const char *version, struct err *err)
{
    static const struct field_text rule = { "version", FIELD_DIGITS, 1, VERSION_BYTES_MAX };

    return strcmp(version, "$LATEST") == 0 ? ST_OK : field_text_check(&rule, version, err);
}

enum status offer_check(const Lapwing__Offer *offer, struct err *err)
{
    static const struct field_text rules[] = {
        { "request_id", FIELD_NAME, 1, REQUEST_ID_BYTES_MAX },
        { "invoked_arn", FIELD_PRINTABLE, 1, INVOKED_ARN_BYTES_MAX },
        { "client_context", FIELD_TEXT, 0, CLIENT_CONTEXT_BYTES_MAX },
        { "trace_id", FIELD_PRINTABLE, 0, TRACE_ID_BYTES_MAX },
    };
    const char *const values[] = { offer->request_id, offer->invoked_arn, offer->client_context,
                                   offer->trace_id };
    enum status st = field_present_check("function", offer->function, err);

    if (st == ST_OK)
        st = field_texts_check(rules, values, ARRAY_LEN(rules), err);
    if (st == ST_OK)
        st = version_check(offer->version, err);
    if (st == ST_OK)
        st = field_bytes_check("payload", &offer->payload, 0, PAYLOAD_BYTES_MAX, err);
    return st == ST_OK ? function_check(offer->function, err) : st;
}

enum status refuse_check(const Lapwing__Refuse *refuse, struct err *err)
{
    /* A reason of a later release is still a refusal. */
    return field_text_check(&person_text_rule, refuse->text, err);
}

enum status result_check(const Lapwing__Result *result, struct err *err)
{
    static const struct field_text rules[] = {
        { "function_error", FIELD_NAME, 0, REASON_BYTES_MAX },
        { "error_type", FIELD_LINE, 0, ERROR_TYPE_BYTES_MAX },
    };
    const char *const values[] = { result->function_error, result->error_type };
    enum status st = field_texts_check(rules, values, ARRAY_LEN(rules), err);

    if (st == ST_OK)
        st = field_bytes_check("payload", &result->payload, 0, PAYLOAD_BYTES_MAX, err);
    if (st == ST_OK)
        st = field_bytes_check("log_tail", &result->log_tail, 0, LOG_TAIL_BYTES_MAX, err);
    return st;
}

enum status check_package_check(const Lapwing__CheckPackage *check, struct err *err)
{
    enum status st = field_bytes_check("sha256", &check->sha256, SHA256_BYTES, SHA256_BYTES, err);

    return st == ST_OK ? field_number_check("bytes", check->bytes, 1, PACKAGE_ZIP_BYTES_MAX, err)
                       : st;
}

enum status package_checked_check(const Lapwing__PackageChecked *checked, struct err *err)
{
    static const struct field_text reason_rule = { "reason", FIELD_NAME, 0, REASON_BYTES_MAX };
    enum status st = field_status_check("status", checked->status, err);

    if (st == ST_OK)
        st = field_text_check(&reason_rule, checked->reason, err);
    if (st == ST_OK)
        st = field_text_check(&person_text_rule, checked->text, err);
    if (st != ST_OK || checked->status != ST_OK)
        return st;
    return field_number_check("unzipped_bytes", checked->unzipped_bytes, 0,
                              PACKAGE_UNZIPPED_BYTES_MAX, err);
}

enum status read_logs_check(const Lapwing__ReadLogs *read, struct err *err)
{
    static const struct field_text rules[] = {
        { "account", FIELD_DIGITS, ACCOUNT_DIGITS, ACCOUNT_DIGITS },
        { "region", FIELD_NAME, 1, REGION_BYTES_MAX },
        { "function", FIELD_NAME, 1, FUNCTION_NAME_BYTES_MAX },
    };
    const char *const values[] = { read->account, read->region, read->function };

    return field_texts_check(rules, values, ARRAY_LEN(rules), err);
}

enum status logs_check(const Lapwing__Logs *logs, struct err *err)
{
    static const struct field_text worker_rule = { "worker", FIELD_DOTTED, 0, NODE_BYTES_MAX };
    /* What functions print is theirs: any bytes. */
    static const struct field_text line_rule = { "lines", FIELD_ANY, 0, LOG_LINE_BYTES_MAX };
    enum status st = field_text_check(&worker_rule, logs->worker, err);

    if (st == ST_OK)
        st = field_count_check("lines", logs->n_lines, LOG_LINES_MAX, err);
    for (size_t i = 0; st == ST_OK && i < logs->n_lines; i++)
        st = field_text_check(&line_rule, logs->lines[i]->text, err);
    return st;
}
