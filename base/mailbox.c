/* Mailboxes: a list under a mutex, and one uv_async to wake the loop.  Posting: any thread; the
 * rest: the loop's. */
#include "base/mailbox.h"

#include <stdlib.h>

#include "base/check.h"

struct mailbox {
    uv_async_t async;
    uv_mutex_t mutex;
    struct mail *first;
    struct mail **last;
    mailbox_deliver_fn deliver;
    void *context;
};

static void async_cb(uv_async_t *async)
{
    struct mailbox *mailbox = container_of(async, struct mailbox, async);
    struct mail *mail;

    uv_mutex_lock(&mailbox->mutex);
    mail = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    uv_mutex_unlock(&mailbox->mutex);
    while (mail != NULL) {
        struct mail *next = mail->next; /* deliver may free or post it again */

        mailbox->deliver(mail, mailbox->context);
        mail = next;
    }
}

struct mailbox *mailbox_new(uv_loop_t *loop, mailbox_deliver_fn deliver, void *context)
{
    struct mailbox *mailbox = must_calloc(1, sizeof *mailbox);
    int rv;

    mailbox->last = &mailbox->first;
    mailbox->deliver = deliver;
    mailbox->context = context;
    rv = uv_mutex_init(&mailbox->mutex);
    CHECK(rv == 0);
    rv = uv_async_init(loop, &mailbox->async, async_cb);
    CHECK(rv == 0);
    return mailbox;
}

void mailbox_post(struct mailbox *mailbox, struct mail *mail)
{
    mail->next = NULL;
    uv_mutex_lock(&mailbox->mutex);
    *mailbox->last = mail;
    mailbox->last = &mail->next;
    uv_mutex_unlock(&mailbox->mutex);
    (void)uv_async_send(&mailbox->async); /* fails only on a closed handle: see mailbox_close */
}

static void closed_cb(uv_handle_t *handle)
{
    struct mailbox *mailbox = container_of(handle, struct mailbox, async);

    uv_mutex_destroy(&mailbox->mutex);
    free(mailbox);
}

void mailbox_close(struct mailbox *mailbox)
{
    if (mailbox == NULL)
        return;
    async_cb(&mailbox->async); /* what was posted before is still delivered */
    uv_close((uv_handle_t *)&mailbox->async, closed_cb);
}
