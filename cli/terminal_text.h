/* Text of strangers on an operator's terminal.
 *
 * Pure.  What functions print may hold sequences that move the cursor, rename the window or answer
 * as if typed.  Of them only colours pass (ESC [ numbers m); other control characters are shown as
 * \xNN, and a line that had a colour ends without one. */
#ifndef CLI_TERMINAL_TEXT_H
#define CLI_TERMINAL_TEXT_H

#include "base/bytes.h"

/* Append `text`, one line in UTF-8, as it may be shown. */
void terminal_text(struct buf *out, const char *text);

#endif
