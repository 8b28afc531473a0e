/* Whose request is it, and did they sign it?  Keys are the configured ones and those that functions
 * get, which any node derives: "LWFK" and the function's uid in upper case. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "base/sigv4_keys.h"
#include "controlplane/api/call/call.h"
#include "controlplane/state/functions.h"

static const char function_key_prefix[] = "LWFK";

static bool configured_key(struct api_call *call, const char *id)
{
    const char *secret = config_entry(call->api->options.config, "keys", id);

    if (secret == NULL || strlen(secret) >= sizeof call->secret)
        return false;
    memcpy(call->secret, secret, strlen(secret) + 1);
    return true;
}

/* A function's key lives as long as the function: its row is asked for each time. */
static bool function_key(struct api_call *call, const char *id)
{
    char uid[UID_DIGITS + 1];
    struct err err;
    size_t len = strlen(function_key_prefix);

    if (strncmp(id, function_key_prefix, len) != 0 || strlen(id + len) != UID_DIGITS)
        return false;
    for (size_t i = 0; i <= UID_DIGITS; i++)
        uid[i] = (char)tolower((unsigned char)id[len + i]);
    if (state_get_function_by_uid(call->api->reader, uid, &call->caller, &err) != ST_OK)
        return false;
    hash_derived_secret(bytes_of(call->api->options.cluster_key, 32), id, call->secret);
    return strcmp(call->caller->account, call->api->options.account) == 0;
}

enum status api_signature_open(struct api_call *call, struct api_error *error)
{
    const struct http_head *head = http_request_head(call->http);
    struct err err = { 0 };
    enum status st = sigv4_parse(head, &call->signature, &err);

    if (st == ST_NOT_FOUND)
        return api_error_set(error, ST_NOT_FOUND, API_MISSING_TOKEN,
                             "Missing Authentication Token");
    if (st != ST_OK)
        return api_error_set(error, ST_BAD_INPUT, API_INCOMPLETE_SIGNATURE, "%s", err.text);
    call->has_signature = true;
    if (strlen(call->signature.region) > REGION_BYTES_MAX)
        return api_error_set(error, ST_BAD_INPUT, API_INCOMPLETE_SIGNATURE,
                             "The region of the scope is too long.");
    (void)snprintf(call->region, sizeof call->region, "%.31s", call->signature.region);
    if (!configured_key(call, call->signature.access_key_id) &&
        !function_key(call, call->signature.access_key_id))
        return api_error_set(error, ST_DENIED, API_UNRECOGNIZED_CLIENT,
                             "The security token included in the request is invalid.");
    return ST_OK;
}

enum status api_signature_check(struct api_call *call)
{
    struct api_error error = { 0 };
    struct err err = { 0 };
    uint8_t key[SHA256_BYTES];
    enum status st;

    sigv4_keys_get(call->api->signing_keys, &call->signature, bytes_of_text(call->secret), key);
    st = sigv4_verify_with_key(http_request_head(call->http), &call->signature, key,
                               call->body_sha256, clock_stamp_ms(&clock_system) / 1000, &err);
    if (st == ST_OK)
        return ST_OK;
    if (st == ST_TIMEOUT)
        (void)api_error_set(&error, ST_DENIED, API_INVALID_SIGNATURE, "%s", err.text);
    else
        (void)api_error_set(&error, ST_DENIED, API_INVALID_SIGNATURE,
                            "The request signature we calculated does not match the signature you "
                            "provided. Check your AWS Secret Access Key and signing method. "
                            "Consult the service documentation for details.");
    api_fail(call, &error);
    return ST_DENIED;
}
