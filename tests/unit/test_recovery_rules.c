#include "controlplane/replica/recovery_rules.h"

#include "tests/unit/check.h"

/* A snapshot at 10 of term 2, entries 8 to 12 of terms 2 2 2 3 3. */
static const struct {
    const char *name;
    uint64_t index;
    uint64_t term;
    enum recovery_rows want;
} rows[] = {
    { "a new file", 0, 0, RECOVERY_ROWS_BEHIND },
    { "before the snapshot", 9, 2, RECOVERY_ROWS_BEHIND },
    { "before it, whatever the term", 9, 7, RECOVERY_ROWS_BEHIND },
    { "at the snapshot", 10, 2, RECOVERY_ROWS_FIT },
    { "at the snapshot, of another history", 10, 1, RECOVERY_ROWS_FOREIGN },
    { "behind it", 11, 3, RECOVERY_ROWS_FIT },
    { "behind it, of another history", 11, 2, RECOVERY_ROWS_FOREIGN },
    { "at the log's end", 12, 3, RECOVERY_ROWS_FIT },
    { "ahead of the log", 13, 3, RECOVERY_ROWS_FIT },
};

TEST(rows_are_kept_if_they_are_of_the_log)
{
    struct log_entry entries[] = {
        { .term = 2 }, { .term = 2 }, { .term = 2 }, { .term = 3 }, { .term = 3 },
    };
    const struct log_recovery log = { .snapshot = { .index = 10, .term = 2 },
                                      .first = 8,
                                      .count = ARRAY_LEN(entries),
                                      .entries = entries };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_case = rows[i].name;
        EXPECT_EQ(recovery_judge_rows(&log, rows[i].index, rows[i].term), rows[i].want);
    }
}

TEST(a_new_log_fits_new_rows)
{
    struct log_entry entry = { .term = 1 };
    const struct log_recovery log = { .first = 1, .count = 1, .entries = &entry };

    EXPECT_EQ(recovery_judge_rows(&log, 0, 0), RECOVERY_ROWS_FIT);
}
