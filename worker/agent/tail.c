/* Log tails.  Deciding code. */
#include "worker/agent/tail.h"

#include <string.h>

void tail_add(struct tail *tail, struct bytes bytes)
{
    size_t skip = bytes.len > LOG_TAIL_BYTES_MAX ? bytes.len - LOG_TAIL_BYTES_MAX : 0;

    tail->total += skip;
    for (size_t at = skip; at < bytes.len;) {
        size_t place = (size_t)(tail->total % LOG_TAIL_BYTES_MAX);
        size_t part = LOG_TAIL_BYTES_MAX - place;

        if (part > bytes.len - at)
            part = bytes.len - at;
        memcpy(tail->data + place, bytes.data + at, part);
        tail->total += part;
        at += part;
    }
}

size_t tail_read(const struct tail *tail, uint8_t *out)
{
    size_t place = (size_t)(tail->total % LOG_TAIL_BYTES_MAX);

    if (tail->total < LOG_TAIL_BYTES_MAX) {
        memcpy(out, tail->data, (size_t)tail->total);
        return (size_t)tail->total;
    }
    memcpy(out, tail->data + place, LOG_TAIL_BYTES_MAX - place);
    memcpy(out + LOG_TAIL_BYTES_MAX - place, tail->data, place);
    return LOG_TAIL_BYTES_MAX;
}
