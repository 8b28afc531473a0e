/* The steps of a fetch, see package_fetch_plan.h. */
#include "worker/packages/package_fetch_plan.h"

#include "base/check.h"

static const struct fetch_move moves[FETCH_STATES][FETCH_EVENTS] = {
    [FETCH_START] = {
        [FETCH_FOUND]    = { FETCH_VERIFYING,  FETCH_DO_VERIFY },
        [FETCH_BY_IMAGE]   = { FETCH_MANIFEST,   FETCH_DO_MANIFEST },
        [FETCH_BY_ZIP]  = { FETCH_ZIP,        FETCH_DO_ZIP },
    },
    [FETCH_VERIFYING] = {
        [FETCH_OK]       = { FETCH_DONE,       FETCH_DO_TELL },
        [FETCH_MISSING]  = { FETCH_MANIFEST,   FETCH_DO_MANIFEST },
        [FETCH_FAILED]   = { FETCH_MANIFEST,   FETCH_DO_MANIFEST },
    },
    [FETCH_MANIFEST] = {
        [FETCH_OK]       = { FETCH_OPENING,    FETCH_DO_OPEN },
        [FETCH_MISSING]  = { FETCH_ZIP,        FETCH_DO_ZIP },
        [FETCH_FAILED]   = { FETCH_DONE,       FETCH_DO_TELL },
    },
    [FETCH_OPENING] = {
        [FETCH_OK]       = { FETCH_CHUNKS,     FETCH_DO_CHUNKS },
        [FETCH_MISSING]  = { FETCH_ZIP,        FETCH_DO_ZIP },
        [FETCH_FAILED]   = { FETCH_ZIP,        FETCH_DO_ZIP },
    },
    [FETCH_CHUNKS] = {
        [FETCH_OK]       = { FETCH_ADDING,     FETCH_DO_ADD },
        [FETCH_MISSING]  = { FETCH_ZIP,        FETCH_DO_ZIP },
        [FETCH_FAILED]   = { FETCH_ZIP,        FETCH_DO_ZIP },
    },
    [FETCH_ADDING] = {
        [FETCH_OK]       = { FETCH_DONE,       FETCH_DO_TELL },
        [FETCH_MISSING]  = { FETCH_ZIP,        FETCH_DO_ZIP },
        [FETCH_FAILED]   = { FETCH_ZIP,        FETCH_DO_ZIP },
    },
    [FETCH_ZIP] = {
        [FETCH_OK]       = { FETCH_CONVERTING, FETCH_DO_CONVERT },
        [FETCH_MISSING]  = { FETCH_DONE,       FETCH_DO_TELL },
        [FETCH_FAILED]   = { FETCH_DONE,       FETCH_DO_TELL },
    },
    [FETCH_CONVERTING] = {
        [FETCH_OK]       = { FETCH_DONE,       FETCH_DO_TELL },
        [FETCH_OK_IMAGE] = { FETCH_STORING,    FETCH_DO_STORE },
        [FETCH_MISSING]  = { FETCH_DONE,       FETCH_DO_TELL },
        [FETCH_FAILED]   = { FETCH_DONE,       FETCH_DO_TELL },
    },
    [FETCH_STORING] = {
        [FETCH_OK]       = { FETCH_DONE,       FETCH_DO_END },
        [FETCH_MISSING]  = { FETCH_DONE,       FETCH_DO_END },
        [FETCH_FAILED]   = { FETCH_DONE,       FETCH_DO_END },
    },
};

struct fetch_move fetch_next(enum fetch_state state, enum fetch_event event)
{
    CHECK(state < FETCH_STATES);
    CHECK(event < FETCH_EVENTS);
    return moves[state][event];
}

bool fetch_image_pays(uint64_t zip_bytes)
{
    return zip_bytes >= FETCH_IMAGE_ZIP_BYTES_MIN;
}

enum fetch_event fetch_event_of(enum status st)
{
    switch (st) {
    case ST_OK:
        return FETCH_OK;
    case ST_NOT_FOUND:
    case ST_CORRUPT:
        return FETCH_MISSING;
    default:
        return FETCH_FAILED;
    }
}
