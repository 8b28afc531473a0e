/* The table of s3_life.h.  A pair that is not listed is zero, and zero is forbidden. */
#include "objstore/s3/s3_life.h"

#include "base/check.h"

// clang-format off
static const struct s3_move moves[S3_STATES][S3_EVENTS] = {
    [S3_STARTING] = {
        [S3_NEEDS_ROWS]   = { S3_ASKING,     S3_DO_READ_ROWS },
        [S3_NEEDS_TEXT]   = { S3_COLLECTING, S3_DO_COLLECT },
        [S3_NEEDS_BODY]   = { S3_RECEIVING,  S3_DO_RECEIVE },
        [S3_NEEDS_COMMIT] = { S3_COMMITTING, S3_DO_PROPOSE },
        [S3_FAILED]       = { S3_FINISHED,   S3_DO_REFUSE },
    },
    [S3_ASKING] = {
        [S3_NEEDS_ROWS]   = { S3_ASKING,     S3_DO_READ_ROWS },
        [S3_ANSWERABLE]   = { S3_FINISHED,   S3_DO_ANSWER },
        [S3_NEEDS_BLOB]   = { S3_OPENING,    S3_DO_OPEN },
        [S3_NEEDS_BODY]   = { S3_RECEIVING,  S3_DO_RECEIVE },
        [S3_NEEDS_COPY]   = { S3_COPY_OPENING, S3_DO_OPEN },
        [S3_NEEDS_COMMIT] = { S3_COMMITTING, S3_DO_PROPOSE },
        [S3_FAILED]       = { S3_FINISHED,   S3_DO_REFUSE },
        [S3_GONE]         = { S3_FINISHED,   S3_DO_DROP },
    },
    [S3_COLLECTING] = {
        [S3_NEEDS_ROWS]   = { S3_ASKING,     S3_DO_READ_ROWS },
        [S3_ANSWERABLE]   = { S3_FINISHED,   S3_DO_ANSWER },
        [S3_BODY_CAME]    = { S3_COMMITTING, S3_DO_PROPOSE },
        [S3_FAILED]       = { S3_FINISHED,   S3_DO_REFUSE },
        [S3_GONE]         = { S3_FINISHED,   S3_DO_DROP },
    },
    [S3_RECEIVING] = {
        [S3_BODY_CAME]    = { S3_STORING,    S3_DO_STORE },
        [S3_FAILED]       = { S3_FINISHED,   S3_DO_REFUSE },
        [S3_GONE]         = { S3_FINISHED,   S3_DO_DROP },
    },
    [S3_STORING] = {
        [S3_STORED]       = { S3_COMMITTING, S3_DO_PROPOSE },
        [S3_FAILED]       = { S3_FINISHED,   S3_DO_REFUSE },
        [S3_GONE]         = { S3_FINISHED,   S3_DO_DROP },
    },
    [S3_COMMITTING] = {
        [S3_NEEDS_ROWS]   = { S3_ASKING,     S3_DO_READ_ROWS }, /* they changed meanwhile */
        [S3_NEEDS_COMMIT] = { S3_COMMITTING, S3_DO_PROPOSE },   /* one more command */
        [S3_ANSWERABLE]   = { S3_FINISHED,   S3_DO_ANSWER },
        [S3_FAILED]       = { S3_FINISHED,   S3_DO_REFUSE },
        [S3_GONE]         = { S3_FINISHED,   S3_DO_DROP },
    },
    [S3_OPENING] = {
        [S3_OPENED]       = { S3_SENDING,    S3_DO_SEND },
        [S3_NO_BLOB]      = { S3_FETCHING,   S3_DO_FETCH },
        [S3_FAILED]       = { S3_FINISHED,   S3_DO_REFUSE },
        [S3_GONE]         = { S3_FINISHED,   S3_DO_DROP },
    },
    [S3_FETCHING] = {
        [S3_NEEDS_BLOB]   = { S3_OPENING,    S3_DO_OPEN },
        [S3_FAILED]       = { S3_FINISHED,   S3_DO_REFUSE },
        [S3_GONE]         = { S3_FINISHED,   S3_DO_DROP },
    },
    [S3_SENDING] = {
        [S3_SENT]         = { S3_FINISHED,   S3_DO_DROP },
        [S3_NEEDS_BLOB]   = { S3_NEXT_OPENING, S3_DO_OPEN },
        [S3_FAILED]       = { S3_FINISHED,   S3_DO_CUT },
        [S3_GONE]         = { S3_FINISHED,   S3_DO_DROP },
    },
    [S3_NEXT_OPENING] = {
        [S3_OPENED]       = { S3_SENDING,    S3_DO_SEND_ON },
        [S3_NO_BLOB]      = { S3_NEXT_FETCHING, S3_DO_FETCH },
        [S3_FAILED]       = { S3_FINISHED,   S3_DO_CUT },
        [S3_GONE]         = { S3_FINISHED,   S3_DO_DROP },
    },
    [S3_NEXT_FETCHING] = {
        [S3_NEEDS_BLOB]   = { S3_NEXT_OPENING, S3_DO_OPEN },
        [S3_FAILED]       = { S3_FINISHED,   S3_DO_CUT },
        [S3_GONE]         = { S3_FINISHED,   S3_DO_DROP },
    },
    [S3_COPY_OPENING] = {
        [S3_OPENED]       = { S3_COPYING,    S3_DO_COPY },
        [S3_NO_BLOB]      = { S3_COPY_FETCHING, S3_DO_FETCH },
        [S3_FAILED]       = { S3_FINISHED,   S3_DO_REFUSE },
        [S3_GONE]         = { S3_FINISHED,   S3_DO_DROP },
    },
    [S3_COPY_FETCHING] = {
        [S3_NEEDS_BLOB]   = { S3_COPY_OPENING, S3_DO_OPEN },
        [S3_FAILED]       = { S3_FINISHED,   S3_DO_REFUSE },
        [S3_GONE]         = { S3_FINISHED,   S3_DO_DROP },
    },
    [S3_COPYING] = {
        [S3_NEEDS_BLOB]   = { S3_COPY_OPENING, S3_DO_OPEN },
        [S3_BODY_CAME]    = { S3_STORING,    S3_DO_STORE },
        [S3_FAILED]       = { S3_FINISHED,   S3_DO_REFUSE },
        [S3_GONE]         = { S3_FINISHED,   S3_DO_DROP },
    },
    /* What comes late: replies of calls that cannot be cancelled, and the end of the answer. */
    [S3_FINISHED] = {
        [S3_NEEDS_BODY]   = { S3_FINISHED,   S3_DO_NOTHING },
        [S3_NEEDS_BLOB]   = { S3_FINISHED,   S3_DO_NOTHING },
        [S3_BODY_CAME]    = { S3_FINISHED,   S3_DO_NOTHING },
        [S3_STORED]       = { S3_FINISHED,   S3_DO_NOTHING },
        [S3_ANSWERABLE]   = { S3_FINISHED,   S3_DO_NOTHING },
        [S3_FAILED]       = { S3_FINISHED,   S3_DO_NOTHING },
        [S3_GONE]         = { S3_FINISHED,   S3_DO_DROP },
    },
};
// clang-format on

struct s3_move s3_next(enum s3_state state, enum s3_event event)
{
    CHECK(state < S3_STATES);
    CHECK(event < S3_EVENTS);
    return moves[state][event];
}
