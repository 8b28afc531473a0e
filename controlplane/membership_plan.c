/* See membership_plan.h. */
#include "controlplane/membership_plan.h"

#include "base/check.h"

_Static_assert((int)NODES_MAX < (int)REPLICA_WANTED_MAX, "who shall be a member always has room");

unsigned membership_rows(const struct member_list *list,
                         const Lapwing__Member *out[REPLICA_WANTED_MAX])
{
    size_t over = list->count > REPLICA_WANTED_MAX ? list->count - REPLICA_WANTED_MAX : 0;
    unsigned count = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (over > 0 && list->members[i]->removed) {
            over--;
            continue;
        }
        CHECK(count < REPLICA_WANTED_MAX);
        out[count++] = list->members[i];
    }
    return count;
}
