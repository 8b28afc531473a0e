/* See https_files.h.  The loop's thread. */
#include "base/https_files.h"

#include <stdlib.h>

#include "base/certificate_watch.h"
#include "base/check.h"

struct https_files {
    struct https_certificate *certificate;
    struct certificate_watch *watch;
    bool is_own; /* the program's own certificate in the cluster */
};

/* Which files. */
struct chosen {
    const char *cert;
    const char *key;
    bool is_own;
};

/* An option that not every program has. */
static const char *text_if_declared(const struct config *config,
                                    const char *section,
                                    const char *key)
{
    return config_declares(config, section, key) ? config_text(config, section, key) : NULL;
}

/* Those of [https], or without them the program's own certificate in the cluster. */
static enum status choose(const struct config *config, struct chosen *out, struct err *err)
{
    out->cert = config_text(config, "https", "cert_file");
    out->key = config_text(config, "https", "key_file");
    out->is_own = out->cert == NULL && out->key == NULL;
    if (out->is_own) {
        out->cert = text_if_declared(config, "tls", "cert_file");
        out->key = text_if_declared(config, "tls", "key_file");
    }
    if (out->cert != NULL && out->key != NULL)
        return ST_OK;
    return err_set(err, ST_BAD_INPUT,
                   "an https:// address needs https.cert_file and https.key_file, and %s is "
                   "not set",
                   out->cert == NULL ? "https.cert_file" : "https.key_file");
}

static enum status load(const char *const paths[CERTIFICATE_WATCH_FILES],
                        void *context,
                        struct err *err)
{
    return https_certificate_reload(context, paths[0], paths[1], err);
}

static int64_t expires_s(void *context)
{
    return https_certificate_expires_s(context);
}

enum status https_files_open(uv_loop_t *loop,
                             const struct config *config,
                             struct https_files **out,
                             struct err *err)
{
    struct https_files *files;
    struct https_certificate *certificate = NULL;
    struct chosen chosen;
    enum status st = choose(config, &chosen, err);

    if (st == ST_OK)
        st = https_certificate_open(chosen.cert, chosen.key, &certificate, err);
    if (st != ST_OK)
        return st;
    files = must_calloc(1, sizeof *files);
    files->certificate = certificate;
    files->is_own = chosen.is_own;
    files->watch = certificate_watch_start(&(struct certificate_watch_spec){
        .loop = loop,
        .use = "https",
        .paths = { chosen.cert, chosen.key },
        .says_end = !chosen.is_own,
        .load = load,
        .expires_s = expires_s,
        .context = certificate,
    });
    *out = files;
    return ST_OK;
}

struct https_certificate *https_files_certificate(const struct https_files *files)
{
    return files->certificate;
}

bool https_files_are_own(const struct https_files *files)
{
    return files->is_own;
}

void https_files_close(struct https_files *files)
{
    if (files == NULL)
        return;
    certificate_watch_stop(files->watch);
    files->watch = NULL;
}

void https_files_free(struct https_files *files)
{
    if (files == NULL)
        return;
    https_certificate_free(files->certificate);
    free(files);
}
