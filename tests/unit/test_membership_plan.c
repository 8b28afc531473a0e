#include "controlplane/membership_plan.h"

#include "tests/unit/check.h"

enum { ROWS_MAX = 200 };

/* Three members of the first day, and then one slot whose node was replaced again and again. */
static const struct {
    const char *name;
    size_t rows;
    unsigned told;
    uint64_t oldest_removed; /* that is told of; 0: none is removed */
} rows[] = {
    { "the first three", 3, 3, 0 },
    { "as many as find room", REPLICA_WANTED_MAX, REPLICA_WANTED_MAX, 4 },
    { "one more", REPLICA_WANTED_MAX + 1, REPLICA_WANTED_MAX, 5 },
    { "many more", ROWS_MAX, REPLICA_WANTED_MAX, ROWS_MAX - REPLICA_WANTED_MAX + 4 },
};

static bool tells(const Lapwing__Member *const *told, unsigned count, uint64_t id)
{
    for (unsigned i = 0; i < count; i++)
        if (told[i]->id == id)
            return true;
    return false;
}

TEST(whoever_shall_be_a_member_is_told_of_however_many_were_removed)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__Member members[ROWS_MAX];
        Lapwing__Member *pointers[ROWS_MAX];
        struct member_list list = { .count = rows[i].rows, .members = pointers };
        const Lapwing__Member *told[REPLICA_WANTED_MAX];
        unsigned count;

        test_case = rows[i].name;
        for (size_t k = 0; k < list.count; k++) {
            lapwing__member__init(&members[k]);
            members[k].id = k + 1;
            members[k].removed = k >= 3 && k + 1 < list.count;
            pointers[k] = &members[k];
        }
        count = membership_rows(&list, told);
        EXPECT_EQ(count, rows[i].told);
        for (uint64_t id = 1; id <= 3; id++)
            EXPECT(tells(told, count, id));
        EXPECT(tells(told, count, list.count));
        if (rows[i].oldest_removed == 0)
            continue;
        EXPECT(tells(told, count, rows[i].oldest_removed));
        EXPECT(!tells(told, count, rows[i].oldest_removed - 1) || rows[i].oldest_removed == 4);
        for (unsigned k = 1; k < count; k++)
            EXPECT(told[k - 1]->id < told[k]->id);
    }
}
