/* A CA of its own and one server certificate by it, for a cluster on one machine. */
#ifndef CLI_DEV_SELF_SIGNED_H
#define CLI_DEV_SELF_SIGNED_H

#include "base/bytes.h"

enum { SELF_SIGNED_DAYS = 825 }; /* more is refused by Apple's clients */

/* Make both, of new P-256 keys, as PEM appended to the buffers.  The certificate is for localhost,
 * the names below it, 127.0.0.1 and ::1.  The CA's key is given to nobody, so it signs nothing
 * else.
 */
void self_signed_make(struct buf *out_ca, struct buf *out_certificate, struct buf *out_key);

#endif
