/* See membership.h. */
#include "controlplane/membership.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/membership_plan.h"
#include "controlplane/state/members.h"
#include "controlplane/state/state.h"

/* Rows that are known are looked at when they change, which costs an idle node nothing, and not
 * more often than this.  Rows that are not there yet are looked for as often: that this node leads,
 * and may make them, is no change of rows. */
enum {
    LOOK_MS = 100,
    BOOTSTRAP_MS = 5000,
    MEMBERS_SINCE = 2, /* cluster version */
};

struct membership {
    struct membership_config config;
    uv_timer_t timer;
    uv_async_t changed;
    unsigned handles;            /* these two */
    struct state_reader *reader; /* NULL until it could be opened */
    uint64_t seen;               /* replica_changes() when the rows were read */
    bool read;
    bool bootstrapping;
    bool removed;
    struct replica_wanted control[REPLICA_WANTED_MAX];
    struct replica_wanted storage[REPLICA_WANTED_MAX];
    unsigned count;
};

static void fill(struct replica_wanted *wanted, const Lapwing__Member *row, const char *address)
{
    memset(wanted, 0, sizeof *wanted);
    wanted->member.id = row->id;
    wanted->removed = row->removed;
    (void)snprintf(wanted->member.node, sizeof wanted->member.node, "%s", row->node);
    (void)snprintf(wanted->member.zone, sizeof wanted->member.zone, "%s", row->zone);
    (void)snprintf(wanted->member.address, sizeof wanted->member.address, "%s", address);
}

static void take_rows(struct membership *membership, const struct member_list *list)
{
    struct replica_wanted before[REPLICA_WANTED_MAX];
    const Lapwing__Member *rows[REPLICA_WANTED_MAX];
    unsigned count = membership_rows(list, rows);

    memcpy(before, membership->control, sizeof before);
    memset(membership->control, 0, sizeof membership->control);
    for (unsigned i = 0; i < count; i++) {
        fill(&membership->control[i], rows[i], rows[i]->control_address);
        fill(&membership->storage[i], rows[i], rows[i]->storage_address);
    }
    if (count == membership->count && memcmp(before, membership->control, sizeof before) == 0)
        return;
    membership->count = count;
    log_event(LOG_INFO, "members_wanted", LU("rows", list->count));
    replica_set_members(membership->config.control, membership->control, count);
    replica_set_members(membership->config.storage, membership->storage, count);
}

static void bootstrap_cb(enum status st, const Lapwing__Outcome *outcome, void *context)
{
    struct membership *membership = context;

    membership->bootstrapping = false;
    /* Anything else is tried again; that they are known already is as good. */
    if (st == ST_OK && outcome->status == ST_OK)
        log_event(LOG_INFO, "members_known",
                  LU("count", membership->config.settings->member_count));
}

/* The members that the groups were made with become rows: said by the leader, once. */
static void bootstrap(struct membership *membership)
{
    const struct node_settings *settings = membership->config.settings;
    Lapwing__MemberBootstrap cmd = LAPWING__MEMBER_BOOTSTRAP__INIT;
    Lapwing__Member members[NODES_MAX];
    Lapwing__Member *list[NODES_MAX];
    struct buf body = { 0 };
    size_t len;

    for (unsigned i = 0; i < settings->member_count; i++) {
        lapwing__member__init(&members[i]);
        members[i].id = settings->control[i].id;
        members[i].node = (char *)settings->control[i].node;
        members[i].zone = (char *)settings->control[i].zone;
        members[i].control_address = (char *)settings->control[i].address;
        members[i].storage_address = (char *)settings->storage[i].address;
        list[i] = &members[i];
    }
    cmd.members = list;
    cmd.n_members = settings->member_count;
    len = lapwing__member_bootstrap__get_packed_size(&cmd);
    body.len = lapwing__member_bootstrap__pack(&cmd, buf_reserve(&body, len));
    if (replica_propose(membership->config.control_client, LAPWING__COMMAND_TYPE__MEMBER_BOOTSTRAP,
                        buf_view(&body), BOOTSTRAP_MS, bootstrap_cb, membership) == ST_OK)
        membership->bootstrapping = true;
    buf_done(&body);
}

/* The rows as they are now.  A database that cannot be read is tried again: the replica, which
 * writes it, says what is wrong with it. */
static bool read_rows(struct membership *membership, struct member_list *list)
{
    const char *path = replica_state_path(membership->config.control);

    if (membership->reader == NULL &&
        state_open_reader(path, STATE_GROUP_CONTROL, &membership->reader, NULL) != ST_OK)
        return false;
    return state_list_members(membership->reader, list, NULL) == ST_OK;
}

static void look_at_rows(struct membership *membership)
{
    uint64_t changes = replica_changes(membership->config.control);
    struct member_list list = { 0 };
    struct replica_status status;

    if (membership->read && changes == membership->seen && membership->count > 0)
        return;
    if (!read_rows(membership, &list))
        return;
    membership->seen = changes;
    membership->read = true;
    replica_status(membership->config.control, &status);
    if (list.count > 0)
        take_rows(membership, &list);
    else if (status.role == REPLICA_LEADER && status.cluster_version >= MEMBERS_SINCE &&
             !membership->bootstrapping)
        bootstrap(membership);
    member_list_done(&list);
}

static void look_for_removal(struct membership *membership)
{
    struct replica_status control;
    struct replica_status storage;

    replica_status(membership->config.control, &control);
    replica_status(membership->config.storage, &storage);
    if (!control.removed || !storage.removed)
        return;
    membership->removed = true;
    membership->config.on_removed(membership->config.context); /* may stop us */
}

static bool rows_are_known(const struct membership *membership)
{
    return membership->read && membership->count > 0 &&
           membership->seen == replica_changes(membership->config.control);
}

static void timer_cb(uv_timer_t *timer)
{
    struct membership *membership = container_of(timer, struct membership, timer);

    replica_watch(membership->config.control, &membership->changed);
    replica_watch(membership->config.storage, &membership->changed);
    look_at_rows(membership);
    if (!rows_are_known(membership))
        (void)uv_timer_start(timer, timer_cb, LOOK_MS, 0);
    if (!membership->removed)
        look_for_removal(membership);
}

static void changed_cb(uv_async_t *changed)
{
    struct membership *membership = container_of(changed, struct membership, changed);

    if (!uv_is_active((uv_handle_t *)&membership->timer))
        (void)uv_timer_start(&membership->timer, timer_cb, LOOK_MS, 0);
}

struct membership *membership_start(const struct membership_config *config)
{
    struct membership *membership = must_calloc(1, sizeof *membership);
    int rv = uv_timer_init(config->loop, &membership->timer);

    CHECK(rv == 0);
    rv = uv_async_init(config->loop, &membership->changed, changed_cb);
    CHECK(rv == 0);
    membership->handles = 2;
    membership->timer.data = membership;
    membership->changed.data = membership;
    membership->config = *config;
    rv = uv_timer_start(&membership->timer, timer_cb, 0, 0);
    CHECK(rv == 0);
    return membership;
}

static void close_cb(uv_handle_t *handle)
{
    struct membership *membership = handle->data;

    if (--membership->handles > 0)
        return;
    state_reader_close(membership->reader);
    free(membership);
}

/* A bootstrap on its way is not waited for: closing the client drops its callback. */
void membership_stop(struct membership *membership)
{
    if (membership == NULL)
        return;
    replica_watch(membership->config.control, NULL);
    replica_watch(membership->config.storage, NULL);
    uv_close((uv_handle_t *)&membership->timer, close_cb);
    uv_close((uv_handle_t *)&membership->changed, close_cb);
}
