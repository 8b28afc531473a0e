/* The differences between libs3 2.0 (Debian) and 4.x (upstream), in one place.
 *
 * The header has no version macro; S3_DEFAULT_REGION exists only from 3.x on.  4.x takes a timeout
 * before the handler nearly everywhere, and a token and a region in the bucket calls. */
#ifndef OBJSTORE_CLIENT_LIBS3_COMPAT_H
#define OBJSTORE_CLIENT_LIBS3_COMPAT_H

#include <libs3.h>

#ifdef S3_DEFAULT_REGION
#define LIBS3_TIMEOUT(ms) (ms),
#define LIBS3_TOKEN       NULL,
#define LIBS3_REGION      NULL,
#else
#define LIBS3_TIMEOUT(ms)
#define LIBS3_TOKEN
#define LIBS3_REGION
#endif

#endif
