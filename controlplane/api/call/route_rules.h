/* Routing: which service a request is for, and which Lambda operation.
 *
 * Pure.  One endpoint speaks for all services, so the request itself has to say whom it means: by
 * the service in its signature's scope, by X-Amz-Target, by a host that is S3's, by its path, by
 * its form's Action, in that order.  What is left belongs to S3, whose paths can be anything. */
#ifndef CONTROLPLANE_API_CALL_ROUTE_RULES_H
#define CONTROLPLANE_API_CALL_ROUTE_RULES_H

#include <stdbool.h>
#include <stddef.h>

enum route_service {
    ROUTE_S3,
    ROUTE_LAMBDA,
    ROUTE_STS,
    ROUTE_ADMIN, /* our own: status, runtimes, logs, health */
    ROUTE_OTHER, /* an AWS service that we do not have; `name` says which */
};

/* How clients of a service read an error. */
enum route_dialect {
    ROUTE_DIALECT_JSON,        /* rest-json: the code in a header */
    ROUTE_DIALECT_TARGET_JSON, /* AWS JSON 1.x: the code in member __type */
    ROUTE_DIALECT_QUERY_XML,
    ROUTE_DIALECT_S3_XML,
};

enum { ROUTE_SERVICE_NAME_BYTES_MAX = 31, ROUTE_ACTION_BYTES_MAX = 63 };

/* What routing looks at.  Texts are borrowed, NULL where the request has none. */
struct route_request {
    const char *method;
    const char *path;          /* as sent: still URL-encoded, without the query */
    const char *query;         /* as sent, without the question mark */
    const char *authorization; /* header */
    const char *target;        /* header X-Amz-Target */
    const char *content_type;  /* header */
    const char *form;          /* a form body as far as it was read, or NULL */
    const char *host;          /* header */
    const char *s3_domain;     /* buckets are hosts under it, or NULL */
};

struct route {
    enum route_service service;
    enum route_dialect dialect;
    char name[ROUTE_SERVICE_NAME_BYTES_MAX + 1]; /* "lambda", "sqs", "lapwing" */
    char action[ROUTE_ACTION_BYTES_MAX + 1];     /* of JSON and query services; may be empty */
};

/* Decide.  Never fails: what nothing else claims is S3's.  A text too long for its field in
 * `out_route` is cut, which makes it unknown, never another's. */
void route_choose(const struct route_request *req, struct route *out_route);

/* Whether a request with this content type to this path carries its Action in a form body, so that
 * routing must be repeated once the body is there. */
bool route_wants_form(const struct route_request *req);

/* The operations of the Lambda API, in the order of its table. */
struct lambda_operation {
    const char *name;
    const char *method;
    const char *path;  /* template: "{}" stands for one segment */
    const char *query; /* "List=ALL": must be among the parameters, or NULL */
};

enum { LAMBDA_OPERATIONS = 85, LAMBDA_PATH_PARAMETERS_MAX = 3 };

struct lambda_match {
    const struct lambda_operation *operation;
    /* Segments that "{}" stood for, as sent (still URL-encoded); borrowed from the path. */
    struct {
        const char *text;
        size_t len;
    } parameters[LAMBDA_PATH_PARAMETERS_MAX];
};

/* Find the operation of a method and path.  False when there is none. A slash at the end makes no
 * difference: the SDKs of different years disagree on it. */
bool lambda_operation_match(const char *method,
                            const char *path,
                            const char *query,
                            struct lambda_match *out_match);

/* The table, for tests and listings; index < LAMBDA_OPERATIONS. */
const struct lambda_operation *lambda_operation_at(size_t index);

/* Whether `query` has a parameter `name`; its value as sent (may be empty) in out_value and
 * out_len.  Both outputs may be NULL. */
bool route_query_find(const char *query, const char *name, const char **out_value, size_t *out_len);

#endif
