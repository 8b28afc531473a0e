/* DATA/ca-bundle.crt: the machine's own CAs and the cluster's, for clients whose setting takes the
 * place of the machine's own. */
#include <stdio.h>

#include "cli/dev/dev.h"
#include "cli/dev/plan.h"

enum { SYSTEM_BYTES_MAX = 4 << 20 };

static const char system_bundle[] = "/etc/ssl/certs/ca-certificates.crt";

/* The machine's own CAs, if it has any. */
static void read_system(struct buf *out)
{
    FILE *file = fopen(system_bundle, "re");
    size_t got;

    if (file == NULL)
        return;
    got = fread(buf_reserve(out, SYSTEM_BYTES_MAX), 1, SYSTEM_BYTES_MAX, file);
    out->len += got;
    (void)fclose(file);
}

enum status dev_bundle_write(const struct dev_options *options,
                             const struct dev_user *user,
                             struct bytes ca,
                             struct err *err)
{
    struct buf bundle = { 0 };
    char path[PATH_MAX];
    enum status st;

    (void)snprintf(path, sizeof path, "%.4000s/ca-bundle.crt", options->data);
    read_system(&bundle);
    buf_append(&bundle, ca.data, ca.len);
    st = dev_file_write(path, buf_text(&bundle), 0644, user, err);
    buf_done(&bundle);
    return st;
}
