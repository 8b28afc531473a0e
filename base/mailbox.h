/* A mailbox: messages from any thread to one libuv loop.
 *
 * mailbox_post() may be called from any thread; `deliver` runs on the loop's thread, in the order
 * of posting, many messages a wake-up.  The message is owned by the mailbox between the two. */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include <uv.h>

/* Embedded first in every message. */
struct mail {
    struct mail *next;
};

struct mailbox;
typedef void (*mailbox_deliver_fn)(struct mail *mail, void *context);

struct mailbox *mailbox_new(uv_loop_t *loop, mailbox_deliver_fn deliver, void *context);
/* Takes `mail` until deliver is called with it.  No thread may post once mailbox_close() was
 * called. */
void mailbox_post(struct mailbox *mailbox, struct mail *mail);
/* On the loop's thread: delivers what was posted, then frees the mailbox once its handle is closed.
 */
void mailbox_close(struct mailbox *mailbox);

#endif
