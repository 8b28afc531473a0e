#include "controlplane/replica/recovery_rules.h"

enum recovery_rows recovery_judge_rows(const struct log_recovery *log,
                                       uint64_t rows_index,
                                       uint64_t rows_term)
{
    uint64_t want = rows_term;

    if (rows_index < log->snapshot.index)
        return RECOVERY_ROWS_BEHIND;
    if (rows_index == log->snapshot.index)
        want = log->snapshot.term;
    else if (rows_index >= log->first && rows_index - log->first < log->count)
        want = log->entries[rows_index - log->first].term;
    return want == rows_term ? RECOVERY_ROWS_FIT : RECOVERY_ROWS_FOREIGN;
}
