/* What a certificate says, without the library that reads it. */
#ifndef BASE_CERTIFICATE_FACTS_H
#define BASE_CERTIFICATE_FACTS_H

#include <stdint.h>

#include "base/node_identity_rules.h"

struct certificate_facts {
    struct node_identity identity;
    int64_t not_before_s; /* seconds since the epoch */
    int64_t not_after_s;
};

/* What an own certificate with so much time left calls for. */
enum certificate_urgency { CERTIFICATE_FINE, CERTIFICATE_WARN, CERTIFICATE_ALARM };
enum { CERTIFICATE_WARN_DAYS = 30, CERTIFICATE_ALARM_DAYS = 7, CERTIFICATE_DAY_S = 86400 };
enum certificate_urgency certificate_urgency(int64_t not_after_s, int64_t now_s);

#endif
