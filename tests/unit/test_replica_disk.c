#include <string.h>

#include "controlplane/replica/replica.h"
#include "tests/unit/check.h"

/* Each row: the marks given for a disk; a start with them is refused or not, before anything is
 * made. */
static const struct {
    const char *name;
    uint64_t low;
    uint64_t high;
    const char *refused; /* part of the text; NULL: the next thing is refused, the folder */
} marks[] = {
    { "the defaults", 0, 0, NULL },
    { "equal", 1 << 20, 1 << 20, NULL },
    { "the low one above the high one", (1 << 20) + 1, 1 << 20, "disk_low_bytes" },
    { "the low one at the high one's default", REPLICA_DISK_HIGH_BYTES, 0, NULL },
    { "and above it", REPLICA_DISK_HIGH_BYTES + 1, 0, "disk_low_bytes" },
    { "the high one below the low one's default", 0, REPLICA_DISK_LOW_BYTES - 1, "disk_low_bytes" },
};

TEST(the_low_mark_is_not_above_the_high_one)
{
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        const struct replica_member member = { .id = 1, .node = "a", .zone = "a" };
        struct replica_config config = { .dir = "/proc/nowhere/x",
                                         .group = "control",
                                         .self_id = 1,
                                         .members = &member,
                                         .member_count = 1,
                                         .disk_low_bytes = marks[i].low,
                                         .disk_high_bytes = marks[i].high };
        struct replica *replica = NULL;
        struct err err = { 0 };

        test_case = marks[i].name;
        EXPECT(replica_start(&config, &replica, &err) != ST_OK);
        EXPECT(strstr(err.text, marks[i].refused == NULL ? "make folder" : marks[i].refused) !=
               NULL);
    }
}

/* Each row: what the three members' disks are fit for, this one's first, and the reason given. */
static const struct {
    const char *name;
    enum disk_condition disks[3];
    const char *want;
} refusals[] = {
    { "all fit", { DISK_FIT, DISK_FIT, DISK_FIT }, "" },
    { "one full: another one leads", { DISK_FULL, DISK_FIT, DISK_FIT }, "" },
    { "slow ones take commands", { DISK_SLOW, DISK_SLOW, DISK_SLOW }, "" },
    { "two others",
      { DISK_FIT, DISK_FULL, DISK_FULL },
      "no node with room on its disk can lead: full are b, c" },
    { "all",
      { DISK_FULL, DISK_FULL, DISK_FULL },
      "no node with room on its disk can lead: full are a, b, c; here /data/control has 17 bytes "
      "free, "
      "4711 are needed" },
};

TEST(a_refusal_for_want_of_room_names_nodes_path_and_bytes)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct replica_status status = { .member_count = 4,
                                         .disk_path = "/data/control",
                                         .disk_free_bytes = 17,
                                         .disk_high_bytes = 4711 };
        struct err err;

        test_case = refusals[i].name;
        status.disk = refusals[i].disks[0];
        for (unsigned k = 0; k < 3; k++) {
            status.members[k].member.node[0] = (char)('a' + k);
            status.members[k].membership = REPLICA_VOTER;
            status.members[k].disk = refusals[i].disks[k];
        }
        status.members[3].membership = REPLICA_STANDBY; /* would not lead in any case */
        status.members[3].disk = DISK_FULL;
        replica_status_refusal(&status, &err);
        EXPECT_TEXT(err.text, refusals[i].want);
    }
}
