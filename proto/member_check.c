/* See member_check.h. */
#include "proto/member_check.h"

#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "proto/fields.h"

static enum status member_check(const Lapwing__Member *member, struct err *err)
{
    static const struct field_text rules[] = {
        { "node", FIELD_DOTTED, 1, NODE_BYTES_MAX },
        { "zone", FIELD_DOTTED, 1, ZONE_BYTES_MAX },
        { "control_address", FIELD_ADDRESS, 1, ADDRESS_BYTES_MAX },
        { "storage_address", FIELD_ADDRESS, 1, ADDRESS_BYTES_MAX },
    };
    const char *const values[] = { member->node, member->zone, member->control_address,
                                   member->storage_address };
    enum status st = field_texts_check(rules, values, ARRAY_LEN(rules), err);

    if (st == ST_OK && strcmp(member->control_address, member->storage_address) == 0)
        st = err_set(err, ST_BAD_INPUT, "storage_address: %s, want another than control_address",
                     member->storage_address);
    if (st == ST_OK && member->removed)
        st = err_set(err, ST_BAD_INPUT, "removed: true, want a member that shall be one");
    return st == ST_OK ? field_number_check("replaces", member->replaces, 0, INT64_MAX, err) : st;
}

enum status member_add_check(const Lapwing__MemberAdd *add, struct err *err)
{
    enum status st = field_present_check("member", add->member, err);

    if (st == ST_OK)
        st = member_check(add->member, err);
    return st == ST_OK ? field_number_check("id", add->member->id, 0, 0, err) : st;
}

static bool share(const Lapwing__Member *a, const Lapwing__Member *b)
{
    return a->id == b->id || strcmp(a->node, b->node) == 0 ||
           strcmp(a->control_address, b->control_address) == 0 ||
           strcmp(a->storage_address, b->storage_address) == 0;
}

static enum status bootstrap_member_check(const Lapwing__MemberBootstrap *bootstrap,
                                          size_t at,
                                          struct err *err)
{
    const Lapwing__Member *member = bootstrap->members[at];
    enum status st = member_check(member, err);

    if (st == ST_OK)
        st = field_number_check("id", member->id, 1, INT64_MAX, err);
    if (st == ST_OK)
        st = field_number_check("replaces", member->replaces, 0, 0, err);
    for (size_t i = 0; st == ST_OK && i < at; i++)
        if (share(bootstrap->members[i], member))
            st = err_set(err, ST_BAD_INPUT, "members: %s and %s share an id, a name or an address",
                         bootstrap->members[i]->node, member->node);
    return st;
}

enum status member_bootstrap_check(const Lapwing__MemberBootstrap *bootstrap, struct err *err)
{
    enum status st = field_number_check("members", bootstrap->n_members, 1, NODES_MAX, err);

    for (size_t i = 0; st == ST_OK && i < bootstrap->n_members; i++)
        st = bootstrap_member_check(bootstrap, i, err);
    return st;
}

enum status member_remove_check(const Lapwing__MemberRemove *remove, struct err *err)
{
    return field_number_check("id", remove->id, 1, INT64_MAX, err);
}
