/* Signed requests to the admin API. */
#ifndef CLI_API_H
#define CLI_API_H

#include <jansson.h>

#include "base/status.h"

/* GET AWS_ENDPOINT_URL + path, signed with the keys of the environment (test/test without any), and
 * parse the JSON answer, which the caller owns.
 *
 * ST_UNAVAILABLE: nothing answers there; the text says what to do.  ST_DENIED, ST_NOT_FOUND...:
 * what the cluster said. */
enum status api_get(const char *path, json_t **out, struct err *err);

/* The same with POST and a JSON body. */
enum status api_post(const char *path, const char *json, json_t **out, struct err *err);

/* Percent-encode for a query value; free with free(). */
char *api_encode(const char *text);

#endif
