/* A disk that fails where a test wants it to: a VFS around SQLite's own, and the calls on files
 * that our code makes itself (their symbols are wrapped when the test is linked).
 *
 * Calls that change something are counted; those from the n-th on fail, all or that one alone, as a
 * full or a broken disk makes them fail.  Any thread, but for those that a test leaves out. */
#ifndef TESTS_UNIT_FAULT_DISK_H
#define TESTS_UNIT_FAULT_DISK_H

#include <stdbool.h>

enum fault_kind {
    FAULT_FULL,   /* writes, new files and growing ones: ENOSPC */
    FAULT_QUOTA,  /* the same with EDQUOT, which SQLite does not tell from other failures */
    FAULT_BROKEN, /* all that changes something, syncs too: EIO */
    FAULT_SYNC,   /* syncs alone: EIO; what was written looks well */
};

/* A new folder, in memory where there is such a file system: these tests sync tens of thousands of
 * times, and none looks at what the kernel would lose. */
void fault_disk_folder(char out[64]);
/* Make the VFS the default one of this process. */
void fault_disk_install(void);
/* From here on the `at`-th call (from 1) fails, and if `lasting` all behind it. */
void fault_disk_arm(enum fault_kind kind, unsigned at, bool lasting);
/* The same for calls of this thread alone... */
void fault_disk_arm_here(enum fault_kind kind, unsigned at, bool lasting);
/* ...and every sync that our own code makes of a file with this name. */
void fault_disk_arm_sync_of(const char *name);
/* Works again.  True when a call has failed since it was armed. */
bool fault_disk_heal(void);

#endif
