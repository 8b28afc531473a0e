/* One call of the front door, from request to answer: shared by the folders of api/. */
#ifndef CONTROLPLANE_API_CALL_CALL_H
#define CONTROLPLANE_API_CALL_CALL_H

#include <jansson.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/http_server.h"
#include "base/log_limit_rules.h"
#include "base/pool.h"
#include "base/sigv4.h"
#include "controlplane/api/call/error_rules.h"
#include "controlplane/api/call/options.h"
#include "controlplane/api/call/route_rules.h"
#include "proto/command.pb-c.h"

enum {
    API_CALLS_MAX = 8192,
    API_BODY_BYTES_SMALL = 131072, /* hashed on the loop; more goes to a thread */
    API_FORM_BYTES_MAX = 1048576,
    API_DEPLOYS_MAX = 8, /* each holds up to 200 MB while its zip is read */
    API_CREATE_BYTES_MAX = 70167211,
    API_READ_MS = 5000,     /* for a barrier */
    API_PROPOSE_MS = 10000, /* for a command */
};

struct function_cache;
struct s3_exchange;
struct s3_proxy;
struct sigv4_keys;
struct state_reader;
struct api_call;

struct api {
    struct api_options options;
    struct http_server *server;
    struct s3_proxy *s3;
    struct state_reader *reader;      /* of the control group, for this thread */
    struct function_cache *functions; /* those invoked lately */
    struct sigv4_keys *signing_keys;  /* those used lately */
    struct objstore *objstore;        /* for pool threads */
    struct pool *calls;
    char machine[16]; /* what workers run on, as AWS calls it */
    char objstore_secret[DERIVED_SECRET_BYTES];
    unsigned deploys;
    struct log_limit refusals; /* lines of the log about them */
    bool ready;
    bool closed;
};

/* What an operation needs to be told about itself. */
struct api_operation {
    const char *name;
    size_t body_bytes_max;
    void (*start)(struct api_call *call);
    /* Looks at the body alone, on a thread when it is large; may be NULL.  What it finds stands in
     * call->prepared and call->error, for `start` to act on once the signature is known good. */
    void (*prepare)(struct api_call *call);
};

/* One request.  Taken from the pool when it arrives, given back when the request is done and
 * nothing of the operation is in flight. */
struct api_call {
    struct api *api;
    struct http_request *http; /* NULL once it is done */
    unsigned in_flight;        /* the request, and each callback that still finds this */
    bool answered;

    struct route route;
    struct lambda_match match;
    const struct api_operation *operation;
    struct s3_exchange *exchange;

    char *method; /* owned texts of the head */
    char *path;
    char *query;
    struct buf body;
    uint8_t body_sha256[SHA256_BYTES];

    bool has_signature;
    struct sigv4 signature;
    char secret[DERIVED_SECRET_BYTES > 128 ? DERIVED_SECRET_BYTES : 129];
    Lapwing__Function *caller; /* whose key it is, or NULL for a user's; owned */

    char request_id[UUID_TEXT_BYTES];
    char region[REGION_BYTES_MAX + 1];
    struct function_scope scope;

    uv_work_t work;
    bool is_deploy;       /* counts in api->deploys */
    enum status prepared; /* what operation->prepare() found */
    struct api_error error;

    void *data; /* the operation's own; freed by its data_free */
    void (*data_free)(void *data);
};

/* One more, one less callback that finds this call.  The last one out frees it. */
void api_call_hold(struct api_call *call);
void api_call_drop(struct api_call *call);

/* Answer; exactly one of these a call.  Quietly nothing if the client has gone. */
void api_answer(struct api_call *call,
                unsigned status,
                const char *content_type,
                struct bytes body);
struct api_field {
    const char *name;
    const char *value; /* NULL: left out */
};
void api_answer_fields(struct api_call *call,
                       unsigned status,
                       const struct api_field *fields,
                       size_t count,
                       struct bytes body);
/* Answer with JSON; takes the reference. */
void api_answer_json(struct api_call *call, unsigned status, json_t *value);
/* Answer with `error`, in the dialect of the service. */
void api_fail(struct api_call *call, const struct api_error *error);
/* Answer that the cluster could not: api_error_not_answered(). */
void api_fail_status(struct api_call *call, enum status st, const char *what);
/* Which disks are full, when that is why the cluster answers nothing; `out` holds the text.  NULL
 * when it is for something else. */
const char *api_want_of_room(const struct api_call *call, struct err *out);

/* Say in the log that a request was refused or cut: one line, or none when there are too many. */
void api_log_refusal(struct api_call *call, const char *event, const char *code, const char *text);

/* A header, copied; NULL if there is none.  free() it. */
char *api_header(const struct api_call *call, const char *name);
/* A parameter of the query, decoded; NULL if there is none or it cannot be decoded.  free() it. */
char *api_parameter(const struct api_call *call, const char *name);

/* Is the request signed by a key that exists?  Fills the caller's parts of the call. ST_NOT_FOUND:
 * not signed at all.  Otherwise `error` says what is wrong. */
enum status api_signature_open(struct api_call *call, struct api_error *error);
/* Is the signature right, now that the body's digest is known?  Answers the call when it is not. */
enum status api_signature_check(struct api_call *call);

#endif
