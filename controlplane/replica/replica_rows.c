/* A replica's rows at its start: kept, made anew, or begun with a snapshot.  Each of it may have
 * room of the reserve if there is no other: without rows this node takes no part.  The thread that
 * starts the replica. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/replica/recovery_rules.h"
#include "controlplane/replica/replica_internal.h"

void replica_rows_remove(const struct replica *replica)
{
    static const char *const tails[] = { "", "-wal", "-shm", ".new" };
    char path[SNAPSHOT_PATH_BYTES + 8];

    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        (void)snprintf(path, sizeof path, "%s%s", replica->state_path, tails[i]);
        (void)unlink(path);
    }
}

static void read_boot_id(char out[STATE_BOOT_ID_BYTES_MAX + 1])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

    out[0] = '\0';
    if (file == NULL)
        return;
    if (fgets(out, STATE_BOOT_ID_BYTES_MAX + 1, file) != NULL)
        out[strcspn(out, "\n")] = '\0';
    (void)fclose(file);
}

/* The rows are a cache of the log: kept only if this boot of the machine wrote them for this log,
 * and the disk has not failed since.  They are written without syncing, so after a power cut a torn
 * page could not be seen. */
static enum status try_to_open(struct replica *replica, bool fresh_log, struct err *err)
{
    char boot_id[STATE_BOOT_ID_BYTES_MAX + 1];
    enum status st = ST_NOT_FOUND;

    read_boot_id(boot_id);
    if (!fresh_log && !state_doubt_stands(replica->doubt_path))
        st = state_open(replica->state_path, replica->state_group, &replica->state, NULL);
    if (st == ST_OK && boot_id[0] != '\0' && strcmp(state_boot_id(replica->state), boot_id) == 0)
        return ST_OK;
    state_close(replica->state);
    replica->state = NULL;
    replica_rows_remove(replica);
    st = state_open(replica->state_path, replica->state_group, &replica->state, err);
    if (st == ST_OK)
        st = state_set_boot_id(replica->state, boot_id, err);
    if (st == ST_OK)
        state_doubt_clear(replica->doubt_path);
    return st;
}

enum status replica_rows_open(struct replica *replica, bool fresh_log, struct err *err)
{
    enum status st;

    do
        st = try_to_open(replica, fresh_log, err);
    while (st == ST_NO_SPACE && reserve_give(&replica->reserve, 0, false));
    return st;
}

enum status replica_rows_judge(struct replica *replica,
                               const struct log_recovery *recovery,
                               struct err *err)
{
    uint64_t index;
    uint64_t term;

    state_applied(replica->state, &index, &term);
    if (recovery_judge_rows(recovery, index, term) != RECOVERY_ROWS_FOREIGN)
        return ST_OK;
    log_event(LOG_WARN, "state_not_of_the_log", LS("group", replica->group), LU("index", index),
              LU("term", term), LS("then", "made anew from snapshot and log"));
    return replica_rows_open(replica, true, err);
}

/* Nobody reads the rows yet, so the file itself can take their place: installing it would write all
 * of it twice, into a write-ahead log first. */
static enum status try_to_begin(struct replica *replica, const char *snapshot, struct err *err)
{
    char boot_id[STATE_BOOT_ID_BYTES_MAX + 1];
    enum status st;

    read_boot_id(boot_id);
    state_close(replica->state);
    replica->state = NULL;
    replica_rows_remove(replica);
    st = snapshot_file_copy(snapshot, replica->state_path, err);
    if (st == ST_OK)
        st = state_open(replica->state_path, replica->state_group, &replica->state, err);
    if (st == ST_OK)
        st = state_set_boot_id(replica->state, boot_id, err);
    return st;
}

enum status replica_rows_begin(struct replica *replica,
                               const char *snapshot,
                               uint64_t bytes,
                               struct err *err)
{
    enum status st;

    do
        st = try_to_begin(replica, snapshot, err);
    while (st == ST_NO_SPACE && reserve_give_for(&replica->reserve, bytes));
    return st;
}
