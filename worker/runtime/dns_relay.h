/* DNS over UDP for one environment: queries that arrive at 169.254.100.1:53 inside go to the host's
 * resolvers and their answers back.
 *
 * A query gets a random id of ours and an own outgoing socket an environment, and an answer counts
 * only if it comes from the resolver asked, with that id, to that question.  At most
 * DNS_QUERIES_MAX are open; the oldest gives way.  What is not a query is dropped.  Loop thread. */
#ifndef WORKER_RUNTIME_DNS_RELAY_H
#define WORKER_RUNTIME_DNS_RELAY_H

#include <stdbool.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/status.h"
#include "worker/runtime/relay.h"

enum { DNS_QUERIES_MAX = 64, DNS_QUERY_BYTES_MAX = 512, DNS_ANSWER_BYTES_MAX = 4096 };

struct dns_relay; /* freed by itself after dns_relay_close() */

/* Takes `fd`, a bound UDP socket, also on failure.  `resolvers` is borrowed for the relay's life.
 */
enum status dns_relay_start(uv_loop_t *loop,
                            int fd,
                            const struct relay_targets *resolvers,
                            struct dns_relay **out_relay,
                            struct err *err);
void dns_relay_close(struct dns_relay *relay);

/* Append the resolvers of a resolv.conf text, port 53, as far as there is room. */
void dns_resolvers_parse(const char *text, struct relay_targets *out);

/* Is this a well-formed query with one question?  `out_question_bytes` counts the question after
 * the 12 bytes of the header. */
bool dns_is_query(struct bytes packet, size_t *out_question_bytes);

#endif
