#include "controlplane/replica/log_entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct log_data *log_data_new(struct bytes content)
{
    struct log_data *data = must_calloc(1, sizeof *data + content.len);

    CHECK(content.len <= UINT32_MAX);
    data->references = 1;
    data->len = (uint32_t)content.len;
    if (content.len > 0)
        memcpy(data->bytes, content.data, content.len);
    return data;
}

struct log_data *log_data_share(struct log_data *data)
{
    __atomic_add_fetch(&data->references, 1, __ATOMIC_RELAXED);
    return data;
}

void log_data_drop(struct log_data *data)
{
    if (data == NULL)
        return;
    CHECK(data->references > 0);
    if (__atomic_sub_fetch(&data->references, 1, __ATOMIC_ACQ_REL) == 0)
        free(data);
}
