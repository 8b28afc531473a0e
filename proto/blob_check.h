/* Is this a message that an object store of any release may send?  As command_check.h says. */
#ifndef PROTO_BLOB_CHECK_H
#define PROTO_BLOB_CHECK_H

#include "base/status.h"
#include "proto/blob.pb-c.h"

enum status blob_put_begin_check(const Lapwing__BlobPutBegin *begin, struct err *err);
enum status blob_put_end_check(const Lapwing__BlobPutEnd *end, struct err *err);
enum status blob_put_done_check(const Lapwing__BlobPutDone *done, struct err *err);
enum status blob_get_check(const Lapwing__BlobGet *get, struct err *err);
enum status blob_get_done_check(const Lapwing__BlobGetDone *done, struct err *err);
/* BlobPutAbort has nothing that could be wrong but an id that nobody knows. */

#endif
