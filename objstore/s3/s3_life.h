/* The life of one S3 request, as a table.  Pure. */
#ifndef OBJSTORE_S3_S3_LIFE_H
#define OBJSTORE_S3_S3_LIFE_H

enum s3_state {
    S3_STARTING,
    S3_ASKING,        /* rows of the state are on their way */
    S3_COLLECTING,    /* a body of XML is on its way */
    S3_RECEIVING,     /* an object's body streams to the disks */
    S3_STORING,       /* all bytes came; the disks sync */
    S3_COMMITTING,    /* a command is on its way to the state */
    S3_OPENING,       /* the blob is looked for on this disk */
    S3_FETCHING,      /* ... and brought from another zone */
    S3_SENDING,       /* the blob streams to the client */
    S3_NEXT_OPENING,  /* the blob of the next part, in the middle of an answer */
    S3_NEXT_FETCHING, /* ... and brought from another zone */
    S3_COPY_OPENING,  /* a blob of which a part is copied */
    S3_COPY_FETCHING,
    S3_COPYING,  /* it streams to the disks */
    S3_FINISHED, /* answered, or nobody is left to answer */
    S3_STATES,
};

enum s3_event {
    S3_NO_EVENT,
    S3_NEEDS_ROWS,
    S3_NEEDS_TEXT,
    S3_NEEDS_BODY,
    S3_NEEDS_BLOB,
    S3_NEEDS_COPY, /* the content of another object becomes a part */
    S3_NEEDS_COMMIT,
    S3_BODY_CAME,
    S3_STORED,
    S3_OPENED,
    S3_NO_BLOB,
    S3_SENT,
    S3_ANSWERABLE,
    S3_FAILED, /* the error is in the request */
    S3_GONE,   /* HTTP is done with it, answered or not */
    S3_EVENTS,
};

enum s3_action {
    S3_DO_FORBIDDEN, /* zero: a pair that the table does not list */
    S3_DO_NOTHING,
    S3_DO_READ_ROWS,
    S3_DO_COLLECT,
    S3_DO_RECEIVE,
    S3_DO_STORE,
    S3_DO_PROPOSE,
    S3_DO_OPEN,
    S3_DO_FETCH,
    S3_DO_SEND,
    S3_DO_SEND_ON,
    S3_DO_COPY,
    S3_DO_ANSWER,
    S3_DO_REFUSE,
    S3_DO_CUT,  /* too late for an error: the client must see a broken body */
    S3_DO_DROP, /* nobody is there any more: let go of put, reader and fetch */
};

struct s3_move {
    enum s3_state next;
    enum s3_action action;
};

struct s3_move s3_next(enum s3_state state, enum s3_event event);

#endif
