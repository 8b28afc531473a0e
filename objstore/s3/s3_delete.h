/* DeleteObjects: its body, and what it answers.  Pure. */
#ifndef OBJSTORE_S3_S3_DELETE_H
#define OBJSTORE_S3_S3_DELETE_H

#include "base/bytes.h"
#include "objstore/s3/s3_error.h"

struct s3_deletion_key {
    char *key;           /* owned */
    bool has_version;    /* "null" was named */
    enum s3_error error; /* S3_OK: to be deleted */
};
struct s3_deletion {
    bool is_quiet;
    struct s3_deletion_key *list; /* owned */
    size_t count;
    size_t at; /* the first one that was not proposed yet */
};
/* S3_MALFORMED_XML: also with no key, or more than DELETE_OBJECTS_MAX.  Free with done in any case.
 */
enum s3_error s3_deletion_parse(struct bytes xml, struct s3_deletion *out);
void s3_deletion_done(struct s3_deletion *deletion);

/* How many keys from `at` on go into one command: those that fit its bytes. */
size_t s3_deletion_batch(const struct s3_deletion *deletion);

void s3_xml_deleted(struct buf *out, const struct s3_deletion *deletion);

#endif
