/* The account's limits and what it uses of them, as GetAccountSettings shows them.  Pure. */
#ifndef CONTROLPLANE_API_LAMBDA_ACCOUNT_RULES_H
#define CONTROLPLANE_API_LAMBDA_ACCOUNT_RULES_H

#include <jansson.h>
#include <stdint.h>

/* The whole answer; the caller owns the reference. */
json_t *account_settings(uint64_t function_count, uint64_t code_bytes);

#endif
