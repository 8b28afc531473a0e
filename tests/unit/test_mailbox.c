#include "base/mailbox.h"

#include <stdlib.h>

#include "tests/unit/check.h"

enum { THREADS = 4, LETTERS = 5000 };

struct letter {
    struct mail mail;
    unsigned sender;
    unsigned number;
};

struct inbox {
    uv_loop_t *loop;
    struct mailbox *box;
    unsigned next[THREADS];
    unsigned count;
    unsigned out_of_order;
};

static struct inbox inbox;

static void deliver(struct mail *mail, void *context)
{
    struct letter *letter = container_of(mail, struct letter, mail);
    struct inbox *in = context;

    if (letter->number != in->next[letter->sender]++)
        in->out_of_order++;
    free(letter);
    if (++in->count == THREADS * LETTERS)
        uv_stop(in->loop);
}

static void send_all(void *sender)
{
    for (unsigned i = 0; i < LETTERS; i++) {
        struct letter *letter = must_calloc(1, sizeof *letter);

        letter->sender = *(unsigned *)sender;
        letter->number = i;
        mailbox_post(inbox.box, &letter->mail);
    }
}

TEST(every_letter_of_every_thread_arrives_once_and_in_order)
{
    uv_loop_t loop;
    uv_thread_t threads[THREADS];
    unsigned ids[THREADS];

    EXPECT_EQ(uv_loop_init(&loop), 0);
    inbox.loop = &loop;
    inbox.box = mailbox_new(&loop, deliver, &inbox);
    for (unsigned i = 0; i < THREADS; i++) {
        ids[i] = i;
        EXPECT_EQ(uv_thread_create(&threads[i], send_all, &ids[i]), 0);
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < THREADS; i++)
        EXPECT_EQ(uv_thread_join(&threads[i]), 0);
    mailbox_close(inbox.box); /* only now: no thread posts any more */
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_EQ(inbox.count, THREADS * LETTERS);
    EXPECT_EQ(inbox.out_of_order, 0);
    EXPECT_EQ(uv_loop_close(&loop), 0);
}
