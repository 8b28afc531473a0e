/* What one environment prints: the read end of its standard output and error, cut into lines.
 *
 * Never more than one line and one read buffer in memory.  An environment that prints without end
 * is read at most OUTPUT_WINDOW_BYTES every OUTPUT_WINDOW_MS and waits in its own write(), so that
 * it slows nobody else.  Loop thread. */
#ifndef WORKER_AGENT_OUTPUT_H
#define WORKER_AGENT_OUTPUT_H

#include <uv.h>

#include "base/bytes.h"
#include "base/status.h"

enum { OUTPUT_LINE_BYTES_MAX = 16384, OUTPUT_WINDOW_BYTES = 262144, OUTPUT_WINDOW_MS = 10 };

struct output; /* freed by itself after output_close() */

/* One line without its newline; a longer one comes in parts. */
typedef void (*output_line_fn)(struct bytes line, void *context);

/* Takes `fd`, the read end of a pipe, also on failure. */
enum status output_start(uv_loop_t *loop,
                         int fd,
                         output_line_fn on_line,
                         void *context,
                         struct output **out,
                         struct err *err);
/* Read what is in the pipe now, and hand out an unfinished line as it stands.  At most one pipe's
 * content (OUTPUT_WINDOW_BYTES): a writer that goes on does not keep us here. */
void output_drain(struct output *output);
/* As output_drain(), then no callback any more.  NULL is harmless. */
void output_close(struct output *output);

#endif
