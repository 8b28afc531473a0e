/* A state in memory that commands can be thrown at, for the unit tests of controlplane/state. */
#ifndef TESTS_UNIT_STATE_FIXTURE_H
#define TESTS_UNIT_STATE_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/state/state.h"
#include "proto/command.pb-c.h"
#include "proto/state_service.pb-c.h"

#define FIXTURE_ACCOUNT "000000000000"
#define FIXTURE_REGION  "eu-north-1"

/* Zero-initialise, fixture_open(), fixture_done(). */
struct fixture {
    struct state *state;
    struct state_reader *reader; /* the state's own */
    uint64_t index;              /* of the last entry */
    uint64_t now_ms;             /* of the next entry */
    uint64_t sequence;           /* of the last command */
    Lapwing__Outcome *last;      /* of the last command, owned; NULL when none was shown */
    size_t shown;                /* outcomes shown for the last entry */
    /* Not NULL: called when there is no room for an entry, which is then applied again. */
    void (*make_room)(struct fixture *fixture);
};

void fixture_open(struct fixture *fixture, const char *path, enum state_group group);
void fixture_done(struct fixture *fixture);

/* One command of client 1 under the next sequence, acknowledging all before, in an entry of its own
 * that goes through the codec and the checks.  Returns the outcome's status. */
enum status fixture_apply(struct fixture *fixture,
                          Lapwing__CommandType type,
                          const ProtobufCMessage *body);

/* The same with everything said; not checked before. */
struct fixture_command {
    uint8_t client; /* all 16 bytes of it */
    uint64_t sequence;
    uint64_t acked;
    Lapwing__CommandType type;
    uint32_t version;
    const ProtobufCMessage *body; /* NULL: empty */
};
/* `count` commands in one entry; fixture->last is the last one's. */
void fixture_apply_entry(struct fixture *fixture,
                         const struct fixture_command *commands,
                         size_t count);

/* A function that passes its check, with the name. */
void fixture_function(Lapwing__Function *out, const char *name, const char *uid);
enum status fixture_create_function(struct fixture *fixture, const char *name, const char *uid);
/* 32 hexadecimal digits that depend on `number`; a static buffer. */
const char *fixture_uid(uint64_t number);

enum status fixture_create_bucket(struct fixture *fixture, const char *name, const char *account);
void fixture_object(Lapwing__Object *out, const char *bucket, const char *key);
enum status fixture_put_object(struct fixture *fixture, const char *bucket, const char *key);
enum status fixture_delete_object(struct fixture *fixture, const char *bucket, const char *key);
/* Read, with the checks of both messages; free with state_read_reply_done(). */
void fixture_read(struct fixture *fixture, Lapwing__ReadRequest *req, Lapwing__ReadReply *reply);
uint64_t fixture_digest(struct fixture *fixture);

#endif
