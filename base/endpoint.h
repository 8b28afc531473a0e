/* Where clients connect, as an operator writes it: "https://10.0.0.5:443", "http://127.0.0.1:4566",
 * or an address alone, which is plain HTTP.
 *
 * Pure.  Plain HTTP beyond this host is refused unless somebody asked for it: signatures keep a
 * request from being changed, but not its body from being read. */
#ifndef BASE_ENDPOINT_H
#define BASE_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"

enum { ENDPOINTS_MAX = 16 }; /* of one option */

struct endpoint {
    bool https;
    char address[ADDRESS_BYTES_MAX + 1]; /* without the scheme */
    struct sockaddr_storage where;
};

/* ST_BAD_INPUT names what is wrong. */
enum status endpoint_parse(struct bytes text, struct endpoint *out, struct err *err);

/* Read a list, separated by commas or blanks.
 *
 * option      what it is called in the configuration, for the text
 * out_count   at most `max`
 *
 * ST_BAD_INPUT: an element that is none, none at all, or more than `max`. */
enum status endpoint_list(const char *list,
                          const char *option,
                          struct endpoint *out,
                          size_t max,
                          size_t *out_count,
                          struct err *err);

/* 127.0.0.0/8 and ::1, that is, what never leaves the host; not 0.0.0.0 or [::], which are all of
 * its addresses. */
bool endpoint_is_loopback(const struct sockaddr_storage *where);

/* May bytes go there as they are?
 *
 * allowed   the setting that allows it is on
 * option    whose value it is, such as "listen.api"; `setting` what would allow it
 *
 * ST_DENIED says what to do. */
enum status endpoint_check_plain(const struct endpoint *endpoint,
                                 bool allowed,
                                 const char *option,
                                 const char *setting,
                                 struct err *err);

/* A list of addresses that we speak plain HTTP to, up to ENDPOINTS_MAX.
 *
 * ST_UNSUPPORTED: an https:// one.  ST_DENIED as endpoint_check_plain(), ST_BAD_INPUT as
 * endpoint_list(). */
enum status endpoint_list_plain(
    const char *list, bool allowed, const char *option, const char *setting, struct err *err);

#endif
