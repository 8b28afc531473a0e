/* nftables rules, loaded by the nft program as text. */
#ifndef WORKER_SPAWNER_NFT_H
#define WORKER_SPAWNER_NFT_H

#include "base/bytes.h"
#include "base/status.h"

/* Load `rules` into the current network namespace, all or nothing.  Waits for nft; only at start.
 * ST_UNSUPPORTED: there is no nft here.  ST_DENIED: it refused, with its first line. */
enum status nft_load(struct bytes rules, struct err *err);

#endif
