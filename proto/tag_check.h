/* Checks of tags and of their commands; pure, any thread. */
#ifndef PROTO_TAG_CHECK_H
#define PROTO_TAG_CHECK_H

#include <stddef.h>

#include "base/status.h"
#include "proto/command.pb-c.h"

/* Each returns ST_OK, or ST_BAD_INPUT with the field that is wrong in `err`. */

/* The tags that one command carries: number, lengths, bytes together, no key twice. */
enum status tags_check(Lapwing__Tag *const *tags, size_t count, struct err *err);
enum status tag_resource_check(const Lapwing__TagResource *tag, struct err *err);
enum status untag_resource_check(const Lapwing__UntagResource *untag, struct err *err);

#endif
