/* Router namespace, uplink and address translation, see network.h. */
#include "worker/spawner/router.h"

enum status router_open(struct network *network, struct err *err)
{
    return err_set(err, ST_UNSUPPORTED, "not there yet");
}

enum status router_connect(struct network *network, int link, uint32_t *out_place, struct err *err)
{
    return err_set(err, ST_UNSUPPORTED, "not there yet");
}

void router_close(struct network *network)
{
}
