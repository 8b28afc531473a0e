/* The commands of `lapwing certs`.
 *
 *   DIR/ca.crt  DIR/ca.key      the CA; its key never leaves the machine that has it
 *   DIR/NODE.crt  DIR/NODE.key  a program's certificate and key
 *   DIR/NODE.csr                its request, where the key was made elsewhere */
#include "cli/certs/certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/tls_files.h"
#include "cli/certs/folder.h"

static int64_t now_s(void)
{
    return (int64_t)(clock_stamp_ms(&clock_system) / 1000);
}

static void forget(struct buf *secret)
{
    if (secret->data != NULL)
        OPENSSL_cleanse(secret->data, secret->capacity);
    buf_done(secret);
}

/* A CA's two files, read. */
struct ca {
    struct buf certificate;
    struct buf key;
    char cluster[CLUSTER_NAME_BYTES_MAX + 1];
};

static void ca_done(struct ca *ca)
{
    buf_done(&ca->certificate);
    forget(&ca->key);
}

static struct certificate_authority ca_view(const struct ca *ca)
{
    return (struct certificate_authority){ buf_view(&ca->certificate), buf_view(&ca->key) };
}

static enum status read_file(const char *folder,
                             const char *name,
                             const char *end,
                             bool secret,
                             struct buf *out,
                             struct err *err)
{
    char *path = certs_path(folder, name, end);
    enum status st = tls_file_read(path, secret, out, err);

    free(path);
    return st;
}

static enum status new_file(const char *folder,
                            const char *name,
                            const char *end,
                            const struct buf *text,
                            struct buf *said,
                            struct err *err)
{
    char *path = certs_path(folder, name, end);
    enum status st = certs_file_new(path, buf_view(text), err);

    if (st == ST_OK)
        buf_printf(said, "wrote %s\n", path);
    free(path);
    return st;
}

static enum status refuse_existing(const char *folder,
                                   const char *name,
                                   const char *end,
                                   struct err *err)
{
    char *path = certs_path(folder, name, end);
    struct stat info;
    enum status st = ST_OK;

    if (lstat(path, &info) == 0)
        st = err_set(err, ST_EXISTS,
                     "%s is there already; nothing is overwritten (lapwing certs renew gives a "
                     "certificate new dates)",
                     path);
    free(path);
    return st;
}

static enum status open_ca(const char *folder, struct ca *out, struct err *err)
{
    enum status st = read_file(folder, "ca", ".crt", false, &out->certificate, err);

    if (st == ST_OK)
        st = read_file(folder, "ca", ".key", true, &out->key, err);
    return st == ST_OK ? certificate_ca_cluster(buf_view(&out->certificate), out->cluster, err)
                       : st;
}

static enum status name_part(
    const char *text, char *out, size_t size, const char *what, struct err *err)
{
    if (strlen(text) >= size)
        return err_set(err, ST_BAD_INPUT, "--%s %.64s: want at most %zu bytes", what, text,
                       size - 1);
    (void)strcpy(out, text);
    return ST_OK;
}

static enum status subject_of(const struct certs_options *options,
                              const char *cluster,
                              struct certificate_subject *out,
                              struct err *err)
{
    struct node_identity *names = &out->identity;
    enum status st;

    *out =
        (struct certificate_subject){ .host_count = options->host_count, .hosts = options->hosts };
    st = name_part(cluster, names->cluster, sizeof names->cluster, "cluster", err);
    if (st == ST_OK)
        st = name_part(options->role, names->role, sizeof names->role, "role", err);
    if (st == ST_OK)
        st = name_part(options->zone, names->zone, sizeof names->zone, "zone", err);
    if (st == ST_OK)
        st = name_part(options->node, names->node, sizeof names->node, "node", err);
    /* Before a path is made of the name. */
    if (st == ST_OK)
        st = node_identity_check(names, err);
    if (st == ST_OK && strcmp(names->node, "ca") == 0)
        st = err_set(err, ST_BAD_INPUT, "--node ca: that file is the CA's");
    return st;
}

static enum status run_ca(const struct certs_options *options, struct buf *said, struct err *err)
{
    struct certificate_span span =
        certificate_days(now_s(), options->days == 0 ? CERTS_DAYS_CA : options->days);
    struct buf certificate = { 0 };
    struct buf key = { 0 };
    enum status st = certificate_ca_new(options->cluster, &span, &certificate, &key, err);

    if (st == ST_OK)
        st = certs_folder_make(options->folder, err);
    if (st == ST_OK)
        st = refuse_existing(options->folder, "ca", ".crt", err);
    if (st == ST_OK) /* the key first: a certificate without it would be of no use */
        st = new_file(options->folder, "ca", ".key", &key, said, err);
    if (st == ST_OK)
        st = new_file(options->folder, "ca", ".crt", &certificate, said, err);
    forget(&key);
    buf_done(&certificate);
    return st;
}

static struct certificate_span host_span(const struct certs_options *options)
{
    return certificate_days(now_s(), options->days == 0 ? CERTS_DAYS_HOST : options->days);
}

static enum status run_issue(const struct certs_options *options, struct buf *said, struct err *err)
{
    struct certificate_span span = host_span(options);
    struct certificate_subject subject;
    struct certificate_authority signer;
    struct buf certificate = { 0 };
    struct buf key = { 0 };
    struct ca ca = { 0 };
    enum status st = open_ca(options->folder, &ca, err);

    if (st == ST_OK)
        st = subject_of(options, ca.cluster, &subject, err);
    if (st == ST_OK)
        st = refuse_existing(options->folder, subject.identity.node, ".crt", err);
    if (st == ST_OK) {
        signer = ca_view(&ca);
        certificate_key_new(&key);
        st = certificate_issue(&signer, &subject, buf_view(&key), &span, &certificate, err);
    }
    if (st == ST_OK)
        st = new_file(options->folder, subject.identity.node, ".key", &key, said, err);
    if (st == ST_OK)
        st = new_file(options->folder, subject.identity.node, ".crt", &certificate, said, err);
    forget(&key);
    buf_done(&certificate);
    ca_done(&ca);
    return st;
}

static enum status run_request(const struct certs_options *options,
                               struct buf *said,
                               struct err *err)
{
    struct certificate_subject subject;
    struct buf request = { 0 };
    struct buf key = { 0 };
    enum status st = subject_of(options, options->cluster, &subject, err);

    if (st == ST_OK) {
        certificate_key_new(&key);
        st = certificate_request_new(&subject, buf_view(&key), &request, err);
    }
    if (st == ST_OK)
        st = certs_folder_make(options->folder, err);
    if (st == ST_OK)
        st = new_file(options->folder, subject.identity.node, ".key", &key, said, err);
    if (st == ST_OK)
        st = new_file(options->folder, subject.identity.node, ".csr", &request, said, err);
    forget(&key);
    buf_done(&request);
    return st;
}

/* A host may not choose what it is: the one who signs says it, too. */
static enum status check_request(struct bytes request,
                                 const struct node_identity *want,
                                 struct err *err)
{
    char wanted[NODE_IDENTITY_URI_BYTES];
    char asked[NODE_IDENTITY_URI_BYTES];
    struct node_identity got;
    enum status st = certificate_request_read(request, &got, err);

    if (st != ST_OK || node_identity_equal(&got, want))
        return st;
    node_identity_uri(want, wanted);
    node_identity_uri(&got, asked);
    return err_set(err, ST_DENIED, "the request is for %.100s, you said %.100s: not signed", asked,
                   wanted);
}

static enum status run_sign(const struct certs_options *options, struct buf *said, struct err *err)
{
    struct certificate_span span = host_span(options);
    struct certificate_subject subject;
    struct certificate_authority signer;
    struct buf certificate = { 0 };
    struct buf request = { 0 };
    struct ca ca = { 0 };
    enum status st = open_ca(options->folder, &ca, err);

    if (st == ST_OK)
        st = tls_file_read(options->file, false, &request, err);
    if (st == ST_OK)
        st = subject_of(options, ca.cluster, &subject, err);
    if (st == ST_OK)
        st = check_request(buf_view(&request), &subject.identity, err);
    if (st == ST_OK)
        st = refuse_existing(options->folder, subject.identity.node, ".crt", err);
    if (st == ST_OK) {
        signer = ca_view(&ca);
        st = certificate_sign(&signer, buf_view(&request), &span, &certificate, err);
    }
    if (st == ST_OK)
        st = new_file(options->folder, subject.identity.node, ".crt", &certificate, said, err);
    if (st == ST_OK) /* the host chose its names itself: whoever signs sees them */
        st = certificate_describe(buf_view(&certificate), now_s(), said, err);
    buf_done(&certificate);
    buf_done(&request);
    ca_done(&ca);
    return st;
}

struct renewal {
    const struct certs_options *options;
    struct ca ca;
    struct buf old_ca; /* empty: none */
    struct buf *said;
    unsigned done;
    unsigned kept;
};

static enum status renew_one(struct renewal *renewal,
                             const char *path,
                             const struct buf *old,
                             struct err *err)
{
    struct certificate_span span = host_span(renewal->options);
    struct certificate_authority signer = ca_view(&renewal->ca);
    struct buf renewed = { 0 };
    enum status st = certificate_renew(&signer, buf_view(old), &span, &renewed, err);

    if (st == ST_OK)
        st = certs_file_replace(path, buf_view(&renewed), err);
    if (st == ST_OK)
        buf_printf(renewal->said, "renewed %s\n", path);
    renewal->done += st == ST_OK;
    buf_done(&renewed);
    return st;
}

/* A file that came back from a host may say anything: only what one of our CAs has signed is signed
 * again. */
static enum status renew_if_due(struct renewal *renewal,
                                const char *path,
                                const struct buf *old,
                                struct err *err)
{
    struct certificate_facts facts;
    struct err why;
    enum status st = certificate_facts_of(buf_view(old), &facts, &why);
    bool ours = certificate_is_of(buf_view(&renewal->ca.certificate), buf_view(old));

    if (st != ST_OK)
        return err_set(err, st, "%s: %s", path, why.text);
    if (!ours && !certificate_is_of(buf_view(&renewal->old_ca), buf_view(old)))
        return err_set(err, ST_DENIED,
                       "%s: another CA has signed it, not renewed (--old-ca FILE takes that CA's)",
                       path);
    if (!ours || certificate_is_due(facts.not_before_s, facts.not_after_s, now_s(),
                                    renewal->options->within_days))
        return renew_one(renewal, path, old, err);
    renewal->kept++;
    return ST_OK;
}

/* The CA's own stands among them, and is never touched: others trust it as it is. */
static enum status renew_file(const char *path, void *context, struct err *err)
{
    struct buf old = { 0 };
    enum status st;

    if (strcmp(strrchr(path, '/') + 1, "ca.crt") == 0)
        return ST_OK;
    st = tls_file_read(path, false, &old, err);
    if (st == ST_OK)
        st = renew_if_due(context, path, &old, err);
    buf_done(&old);
    return st;
}

static enum status run_renew(const struct certs_options *options, struct buf *said, struct err *err)
{
    struct renewal renewal = { .options = options, .said = said };
    enum status st = open_ca(options->folder, &renewal.ca, err);

    if (st == ST_OK && options->old_ca != NULL)
        st = tls_file_read(options->old_ca, false, &renewal.old_ca, err);
    if (st == ST_OK)
        st = certs_folder_each(options->folder, ".crt", renew_file, &renewal, err);
    if (st == ST_OK)
        buf_printf(said, "%u renewed, %u not due\n", renewal.done, renewal.kept);
    buf_done(&renewal.old_ca);
    ca_done(&renewal.ca);
    return st;
}

static enum status show_file(const char *path, void *context, struct err *err)
{
    struct buf *said = context;
    struct buf text = { 0 };
    struct buf shown = { 0 };
    struct err why;
    enum status st = tls_file_read(path, false, &text, err);

    if (st == ST_OK) {
        st = certificate_describe(buf_view(&text), now_s(), &shown, &why);
        if (st == ST_OK)
            buf_printf(said, "%s\n%s", path, buf_text(&shown));
        else
            st = err_set(err, st, "%s: %s", path, why.text);
    }
    buf_done(&text);
    buf_done(&shown);
    return st;
}

static enum status run_show(const struct certs_options *options, struct buf *said, struct err *err)
{
    struct stat info;

    if (stat(options->folder, &info) == 0 && S_ISDIR(info.st_mode))
        return certs_folder_each(options->folder, ".crt", show_file, said, err);
    return show_file(options->folder, said, err);
}

enum status certs_run(const struct certs_options *options, struct buf *said, struct err *err)
{
    static const struct {
        const char *name;
        enum status (*run)(const struct certs_options *options, struct buf *said, struct err *err);
    } commands[] = {
        { "ca", run_ca },     { "issue", run_issue }, { "request", run_request },
        { "sign", run_sign }, { "renew", run_renew }, { "show", run_show },
    };

    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, options->command) == 0)
            return commands[i].run(options, said, err);
    CHECK(!"certs: a command that was parsed is not there");
    return ST_BAD_INPUT;
}

static void help(void)
{
    (void)puts(
        "lapwing certs COMMAND\n\n"
        "  ca DIR --cluster NAME [--days D]     make a CA: DIR/ca.crt and ca.key (3650 days)\n"
        "  issue DIR --node N --role R --zone Z [--host NAME|IP]... [--days D]\n"
        "                                       a key and certificate: DIR/N.key, N.crt (365 "
        "days)\n"
        "  request DIR --cluster NAME --node N --role R --zone Z [--host NAME|IP]...\n"
        "                                       on the host itself: DIR/N.key, N.csr\n"
        "  sign DIR FILE.csr --node N --role R --zone Z [--days D]\n"
        "                                       where the CA is: DIR/N.crt from such a request;\n"
        "                                       says which host names were signed\n"
        "  renew DIR [--within DAYS] [--days D] [--old-ca FILE]\n"
        "                                       new dates for every certificate in DIR of which "
        "less\n"
        "                                       than DAYS (or a third) is left, and by DIR's CA "
        "those\n"
        "                                       that the CA of FILE has signed; keys stay\n"
        "  show FILE|DIR                        what certificates say\n\n"
        "Roles: controlplane, objstore, worker.  Nothing that exists is overwritten but by renew.");
}

int certs_main(int argc, char **argv)
{
    struct certs_options options;
    struct buf said = { 0 };
    struct err err;
    enum status st;

    if (argc < 1 || strcmp(argv[0], "--help") == 0) {
        help();
        return argc < 1 ? 2 : 0;
    }
    st = certs_options_parse(argc, argv, &options, &err);
    if (st == ST_OK)
        st = certs_run(&options, &said, &err);
    (void)fputs(buf_text(&said), stdout); /* also what was done before a failure */
    (void)fflush(stdout);
    buf_done(&said);
    if (st == ST_OK)
        return 0;
    (void)fprintf(stderr, "lapwing certs: %s\n", err.text);
    return st == ST_BAD_INPUT ? 2 : 1;
}
