/* `lapwing certs`: a CA of one's own and certificates for the programs of a cluster.
 *
 *   options (what was asked) -> commands (what is done) -> folder (the files) */
#ifndef CLI_CERTS_CERTS_H
#define CLI_CERTS_CERTS_H

#include <limits.h>
#include <stdbool.h>

#include "base/certificate_make.h"

enum { CERTS_DAYS_HOST = 365, CERTS_DAYS_CA = 3650, CERTS_DAYS_MAX = 36500 };

struct certs_options {
    const char *command;
    const char *folder;  /* or, of show, a file */
    const char *file;    /* of sign: the request */
    const char *old_ca;  /* of renew: a CA's file whose certificates are taken, too; or NULL */
    const char *cluster; /* NULL where not given, as the next three */
    const char *node;
    const char *role;
    const char *zone;
    unsigned days;        /* 0: the command's own */
    unsigned within_days; /* of renew; 0: a third of its life */
    size_t host_count;
    const char *hosts[CERTIFICATE_HOSTS_MAX];
};

/* Read the command line after `certs`; pointers into it.  ST_BAD_INPUT says which option and what
 * is allowed, or which is missing for the command. */
enum status certs_options_parse(int argc, char **argv, struct certs_options *out, struct err *err);

/* Run one command.  Appends to `said` what it did, also before it failed; the error names the file.
 */
enum status certs_run(const struct certs_options *options, struct buf *said, struct err *err);

/* The whole command; returns its exit code. */
int certs_main(int argc, char **argv);

#endif
