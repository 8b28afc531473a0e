/* How a function says whether it worked, and the error text that goes with a refusal.
 *
 * Every function that can fail returns `enum status` and nothing else; outputs are written only on
 * ST_OK.  The text names operation and subject where they are known; a caller that adds nothing
 * passes it on untouched. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

enum status {
    ST_OK = 0,
    ST_BAD_INPUT,   /* a peer, a client or a file said something that is not allowed */
    ST_IO,          /* the disk, the kernel or the network failed */
    ST_LIMIT,       /* a bound of limits.h is reached: pool empty, queue full, too large */
    ST_NOT_FOUND,   /* the subject does not exist */
    ST_EXISTS,      /* the subject exists already */
    ST_CONFLICT,    /* the subject is not as the caller expected (revision, state) */
    ST_DENIED,      /* signature, key or permission */
    ST_TIMEOUT,     /* the deadline passed before anything was known */
    ST_UNAVAILABLE, /* nobody who could do it can be reached; it was certainly not done */
    ST_NOT_LEADER,  /* ask the leader; it was certainly not done */
    ST_UNKNOWN,     /* it may or may not have been done: repeat under the same identity */
    ST_CORRUPT,     /* bytes do not match their checksum */
    ST_CANCELLED,   /* the owner closed the thing that was waited on */
    ST_UNSUPPORTED, /* a type or version this release does not know */
    ST_NO_SPACE, /* the disk or a quota is full; nothing was written, and it can be tried again */
    STATUS_COUNT,
};

enum { ERR_TEXT_BYTES = 240 };

/* What went wrong, for a person.  Always terminated; empty when nothing was reported. */
struct err {
    char text[ERR_TEXT_BYTES];
};

/* The status as a word for logs and the wire, "bad_input"; never NULL. */
const char *status_name(enum status st);

/* What a failed call on a file means: ST_NO_SPACE for ENOSPC and EDQUOT, else ST_IO.  Not for a
 * failed sync, after which nothing on that file can be trusted whatever the number says: that is
 * ST_IO. */
enum status status_of_errno(int errnum);

/* Fill `err` (may be NULL) with a formatted text, cut at ERR_TEXT_BYTES, and return `st`. */
enum status err_set(struct err *err, enum status st, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, followed by ": " and the text of `errnum`. */
enum status err_set_errno(struct err *err, enum status st, int errnum, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
