/* Whose log is which, in a process: the file that keeps it, what is said of it, and the end of one
 * that has begun anew where a log was lost.  Decided in core_known.c.  The group's thread. */
#include <stdio.h>

#include "base/log.h"
#include "controlplane/replica/replica_internal.h"

/* Before the log: one that is made without it would be taken for one of a release before. */
enum status replica_known_open(struct replica *replica,
                               const struct replica_config *config,
                               struct known *out,
                               struct err *err)
{
    bool silent = !config->join && config->member_count > 1;
    bool made = log_store_is_made(replica->dir);
    enum status st;

    do {
        st = known_file_open(replica->dir, made, silent, out, err);
    } while (st == ST_NO_SPACE && reserve_give(&replica->reserve, 0, false));
    if (st != ST_OK || !out->refused)
        return st;
    return err_set(
        err, ST_DENIED,
        "%.100s: it was empty once, and the others know another log under id %llu: mount "
        "the folder with that, or lapwing node replace",
        replica->dir, (unsigned long long)config->self_id);
}

/* Once for each new member: waiting for the disk here costs nothing. */
enum status replica_known_store(void *context, const struct known *known, struct err *err)
{
    struct replica *replica = context;
    struct err why = { 0 };
    enum status st;

    do {
        st = known_file_write(replica->dir, known, &why);
    } while (st == ST_NO_SPACE && reserve_give(&replica->reserve, 0, false));
    if (st != ST_OK && st != ST_NO_SPACE)
        replica_disk_failed_now(replica, &why);
    if (st != ST_OK && err != NULL)
        *err = why;
    return st;
}

/* The loop goes on for a while, so that the others hear, too, what this node is. */
void replica_forgotten(void *context, uint64_t by, uint64_t incarnation)
{
    struct replica *replica = context;
    char known[24];

    (void)snprintf(known, sizeof known, "%016llx", (unsigned long long)incarnation);
    log_event(LOG_ERROR, "replica_forgot", LS("group", replica->group), LU("id", replica->self.id),
              LS("path", replica->dir), LU("known_by", by), LS("known_as", known),
              LI("exit_code", REPLICA_EXIT_FORGOT),
              LS("then", "stopping: the data of this member are not in this folder. Is their disk "
                         "mounted? If they are lost: lapwing node replace"));
    if (replica->watch.stop_at_ms != 0)
        return;
    replica->watch.stop_at_ms = replica_now_ms() + REPLICA_FAILED_STOP_MS;
    replica->watch.exit_code = REPLICA_EXIT_FORGOT;
}

/* A new member that waits: nothing else tells an operator why its node is not ready. */
void replica_known_look(struct replica *replica)
{
    uint64_t now = replica_now_ms();
    bool silent = core_is_silent(replica->core);

    if (replica->watch.stop_at_ms != 0)
        return;
    if (silent && replica->silent_since_ms == 0) {
        replica->silent_since_ms = now;
        log_event(LOG_INFO, "replica_is_new", LS("group", replica->group),
                  LU("id", replica->self.id),
                  LS("then", "silent until the others know its empty log"));
    } else if (!silent && replica->silent_since_ms != 0) {
        replica->silent_since_ms = 0;
        log_event(LOG_INFO, "replica_takes_part", LS("group", replica->group),
                  LU("id", replica->self.id));
    } else if (silent && !replica->silence_said &&
               now - replica->silent_since_ms > REPLICA_SILENT_MS) {
        replica->silence_said = true;
        log_event(LOG_WARN, "replica_waits", LS("group", replica->group),
                  LU("id", replica->self.id), LS("path", replica->dir),
                  LS("then", "silent: an empty folder may be one whose disk is not mounted; "
                             "start the other members"));
    }
}
