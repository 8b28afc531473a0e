#include "cli/certs/certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tls_files.h"
#include "cli/certs/folder.h"
#include "tests/unit/certificates.h"
#include "tests/unit/check.h"

enum { WORDS_MAX = 12 };

static const struct {
    const char *name;
    const char *argv[WORDS_MAX];
    const char *want; /* part of the text; NULL: taken */
} rows[] = {
    { "a CA", { "ca", "d", "--cluster", "c" }, NULL },
    { "a CA without a cluster", { "ca", "d" }, "ca: --cluster is missing" },
    { "a CA without a folder", { "ca", "--cluster", "c" }, "ca: DIR is missing" },
    { "a CA for a host", { "ca", "d", "--cluster", "c", "--host", "h" }, "ca takes no --host" },
    { "a day", { "ca", "d", "--cluster", "c", "--days", "1" }, NULL },
    { "the most days", { "ca", "d", "--cluster", "c", "--days", "36500" }, NULL },
    { "too many days", { "ca", "d", "--cluster", "c", "--days", "36501" }, "--days 36501" },
    { "no days", { "ca", "d", "--cluster", "c", "--days", "0" }, "--days 0" },
    { "days that are no number", { "ca", "d", "--cluster", "c", "--days", "7d" }, "--days 7d" },
    { "a certificate", { "issue", "d", "--node", "n", "--role", "r", "--zone", "z" }, NULL },
    { "one without a zone", { "issue", "d", "--node", "n", "--role", "r" }, "--zone is missing" },
    { "one of another cluster",
      { "issue", "d", "--node", "n", "--role", "r", "--zone", "z", "--cluster", "c" },
      "issue takes no --cluster" },
    { "a signature without a request",
      { "sign", "d", "--node", "n", "--role", "r", "--zone", "z" },
      "FILE is missing" },
    { "a CA's file where none is taken",
      { "show", "d", "--old-ca", "f" },
      "show takes no --old-ca" },
    { "a word too many", { "show", "d", "e", "f" }, "one word too many" },
    { "a value missing", { "show", "d", "--node" }, "value is missing" },
    { "an option that is none", { "show", "d", "--force", "yes" }, "no option --force" },
    { "a command that is none", { "make", "d" }, "no command \"make\"" },
};

TEST(command_lines_say_what_is_wrong)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct certs_options options;
        struct err err = { 0 };
        int argc = 0;

        test_case = rows[i].name;
        while (argc < WORDS_MAX && rows[i].argv[argc] != NULL)
            argc++;
        EXPECT_EQ(certs_options_parse(argc, (char **)(uintptr_t)rows[i].argv, &options, &err),
                  rows[i].want == NULL ? ST_OK : ST_BAD_INPUT);
        if (rows[i].want != NULL)
            EXPECT(strstr(err.text, rows[i].want) != NULL);
    }
}

TEST(as_many_hosts_as_the_limit_are_taken)
{
    char *argv[8 + 2 * (CERTIFICATE_HOSTS_MAX + 1)] = { "issue",  "d", "--node", "n",
                                                        "--role", "r", "--zone", "z" };
    struct certs_options options;
    struct err err = { 0 };

    for (size_t i = 8; i < ARRAY_LEN(argv); i += 2) {
        argv[i] = "--host";
        argv[i + 1] = "a.example";
    }
    EXPECT_EQ(certs_options_parse((int)ARRAY_LEN(argv) - 2, argv, &options, &err), ST_OK);
    EXPECT_EQ(options.host_count, CERTIFICATE_HOSTS_MAX);
    EXPECT_EQ(certs_options_parse((int)ARRAY_LEN(argv), argv, &options, &err), ST_BAD_INPUT);
    EXPECT_TEXT(err.text, "--host: more than 32");
}

/* ---- the commands, in a folder ---- */

static char folder[32];
static char dir[64]; /* in it */

static struct certs_options asked(const char *command)
{
    return (struct certs_options){ .command = command, .folder = dir };
}

static struct buf said; /* by the last command */

static enum status run(const struct certs_options *options, struct err *err)
{
    said.len = 0;
    return certs_run(options, &said, err);
}

static enum status make_ca(struct err *err)
{
    struct certs_options options = asked("ca");

    options.cluster = "c";
    return run(&options, err);
}

static struct certs_options host(const char *command, const char *node, const char *role)
{
    struct certs_options options = asked(command);

    options.node = node;
    options.role = role;
    options.zone = "z";
    return options;
}

static void begin(void)
{
    (void)strcpy(folder, "/tmp/certs-XXXXXX");
    EXPECT(mkdtemp(folder) != NULL);
    (void)snprintf(dir, sizeof dir, "%s/ca", folder);
}

static void end(void)
{
    char command[64];

    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    EXPECT_EQ(system(command), 0);
    buf_done(&said);
}

static void read_text(const char *name, struct buf *out)
{
    char *path = certs_path(dir, name, "");
    struct stat info;
    struct err err;

    EXPECT_EQ(stat(path, &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600);
    out->len = 0;
    EXPECT_EQ(tls_file_read(path, true, out, &err), ST_OK);
    free(path);
}

TEST(a_ca_and_a_certificate_are_made_once_and_never_overwritten)
{
    struct certs_options worker = host("issue", "w", "worker");
    struct buf before = { 0 };
    struct buf after = { 0 };
    struct buf key = { 0 };
    struct err err = { 0 };

    begin();
    EXPECT_EQ(make_ca(&err), ST_OK);
    EXPECT_EQ(run(&worker, &err), ST_OK);
    read_text("w.crt", &before);
    read_text("w.key", &key);
    EXPECT(certificate_has_key(buf_view(&before), buf_view(&key)));
    EXPECT_EQ(run(&worker, &err), ST_EXISTS);
    EXPECT_EQ(make_ca(&err), ST_EXISTS);
    EXPECT(strstr(err.text, "ca.crt is there already") != NULL);
    read_text("w.crt", &after);
    EXPECT(bytes_equal(buf_view(&before), buf_view(&after)));
    end();
    buf_done(&before);
    buf_done(&after);
    buf_done(&key);
}

TEST(a_key_without_its_certificate_is_not_overwritten)
{
    struct certs_options worker = host("issue", "w", "worker");
    char *path;
    struct err err = { 0 };

    begin();
    EXPECT_EQ(make_ca(&err), ST_OK);
    EXPECT_EQ(run(&worker, &err), ST_OK);
    path = certs_path(dir, "w", ".crt");
    EXPECT_EQ(unlink(path), 0);
    EXPECT_EQ(run(&worker, &err), ST_EXISTS);
    EXPECT(strstr(err.text, "w.key is there already") != NULL);
    free(path);
    path = certs_path(dir, "ca", ".crt");
    EXPECT_EQ(unlink(path), 0);
    EXPECT_EQ(make_ca(&err), ST_EXISTS);
    EXPECT(strstr(err.text, "ca.key is there already") != NULL);
    free(path);
    end();
}

static const struct {
    const char *name;
    const char *node;
    const char *role;
    const char *want;
} bad_hosts[] = {
    { "a role that is none", "n", "admin", "role \"admin\"" },
    { "a node above", "../n", "worker", "node \"../n\"" },
    { "the CA's name", "ca", "worker", "that file is the CA's" },
    { "a node one too long", "abcdefghijklmnopqrstuvwxyz012345", "worker", "at most 31" },
};

TEST(no_file_is_made_for_a_name_that_is_none)
{
    struct err err = { 0 };

    begin();
    EXPECT_EQ(make_ca(&err), ST_OK);
    for (size_t i = 0; i < ARRAY_LEN(bad_hosts); i++) {
        struct certs_options options = host("issue", bad_hosts[i].node, bad_hosts[i].role);

        test_case = bad_hosts[i].name;
        EXPECT_EQ(run(&options, &err), ST_BAD_INPUT);
        EXPECT(strstr(err.text, bad_hosts[i].want) != NULL);
    }
    end();
}

TEST(renewal_keeps_keys_and_touches_only_what_is_due)
{
    struct certs_options worker = host("issue", "w", "worker");
    struct certs_options renew = asked("renew");
    struct buf before = { 0 };
    struct buf after = { 0 };
    struct buf ca = { 0 };
    struct buf key = { 0 };
    struct err err = { 0 };

    begin();
    EXPECT_EQ(make_ca(&err), ST_OK);
    EXPECT_EQ(run(&worker, &err), ST_OK);
    read_text("w.crt", &before);
    read_text("w.key", &key);
    read_text("ca.crt", &ca);
    EXPECT_EQ(run(&renew, &err), ST_OK);
    EXPECT_TEXT(buf_text(&said), "0 renewed, 1 not due\n");
    read_text("w.crt", &after);
    EXPECT(bytes_equal(buf_view(&before), buf_view(&after)));
    renew.within_days = CERTS_DAYS_HOST + 1;
    EXPECT_EQ(run(&renew, &err), ST_OK);
    read_text("w.crt", &after);
    EXPECT(!bytes_equal(buf_view(&before), buf_view(&after)));
    EXPECT(certificate_has_key(buf_view(&after), buf_view(&key)));
    EXPECT(certificate_is_of(buf_view(&ca), buf_view(&after)));
    read_text("ca.crt", &before);
    EXPECT(bytes_equal(buf_view(&before), buf_view(&ca)));
    end();
    buf_done(&before);
    buf_done(&after);
    buf_done(&ca);
    buf_done(&key);
}

/* What a change of the CA takes: the certificates go into the new one's folder. */
TEST(a_certificate_of_another_ca_is_renewed_only_when_that_ca_is_named)
{
    struct certs_options worker = host("issue", "w", "worker");
    struct certs_options renew = asked("renew");
    struct buf moved = { 0 };
    struct buf ca = { 0 };
    char old_ca[64];
    char *path;
    struct err err = { 0 };

    begin();
    EXPECT_EQ(make_ca(&err), ST_OK);
    EXPECT_EQ(run(&worker, &err), ST_OK);
    read_text("w.crt", &moved);
    (void)snprintf(dir, sizeof dir, "%s/new", folder);
    EXPECT_EQ(make_ca(&err), ST_OK);
    path = certs_path(dir, "w", ".crt");
    EXPECT_EQ(certs_file_new(path, buf_view(&moved), &err), ST_OK);
    EXPECT_EQ(run(&renew, &err), ST_DENIED);
    EXPECT(strstr(err.text, "w.crt: another CA has signed it") != NULL);
    renew.old_ca = path; /* of neither */
    EXPECT_EQ(run(&renew, &err), ST_DENIED);
    (void)snprintf(old_ca, sizeof old_ca, "%s/ca/ca.crt", folder);
    renew.old_ca = old_ca;
    EXPECT_EQ(run(&renew, &err), ST_OK);
    EXPECT(strstr(buf_text(&said), "1 renewed, 0 not due\n") != NULL);
    EXPECT_EQ(run(&renew, &err), ST_OK);
    EXPECT_TEXT(buf_text(&said), "0 renewed, 1 not due\n");
    read_text("ca.crt", &ca);
    read_text("w.crt", &moved);
    EXPECT(certificate_is_of(buf_view(&ca), buf_view(&moved)));
    end();
    free(path);
    buf_done(&moved);
    buf_done(&ca);
}

TEST(a_request_is_signed_only_for_whom_the_signer_says)
{
    struct certs_options request = host("request", "w", "worker");
    struct certs_options sign = host("sign", "w", "controlplane");
    char home[64];
    char file[80];
    struct err err = { 0 };

    begin();
    EXPECT_EQ(make_ca(&err), ST_OK);
    (void)snprintf(home, sizeof home, "%s/host", folder);
    (void)snprintf(file, sizeof file, "%s/w.csr", home);
    request.folder = home;
    request.cluster = "c";
    EXPECT_EQ(run(&request, &err), ST_OK);
    EXPECT_EQ(run(&request, &err), ST_EXISTS);
    sign.file = file;
    EXPECT_EQ(run(&sign, &err), ST_DENIED);
    EXPECT(strstr(err.text, "not signed") != NULL);
    sign.role = "worker";
    EXPECT_EQ(run(&sign, &err), ST_OK);
    EXPECT_EQ(run(&sign, &err), ST_EXISTS);
    end();
}

/* A host chooses its names itself: whoever signs must see them. */
TEST(what_was_signed_is_said_host_names_included)
{
    static const char *const hosts[] = { "a.example", "*.b.example", "10.1.2.3" };
    struct certs_options request = host("request", "w", "worker");
    struct certs_options sign = host("sign", "w", "worker");
    char home[64];
    char file[80];
    struct err err = { 0 };

    begin();
    EXPECT_EQ(make_ca(&err), ST_OK);
    (void)snprintf(home, sizeof home, "%s/host", folder);
    (void)snprintf(file, sizeof file, "%s/w.csr", home);
    request.folder = home;
    request.cluster = "c";
    request.host_count = ARRAY_LEN(hosts);
    memcpy(request.hosts, hosts, sizeof hosts);
    EXPECT_EQ(run(&request, &err), ST_OK);
    sign.file = file;
    EXPECT_EQ(run(&sign, &err), ST_OK);
    EXPECT(strstr(buf_text(&said), "w.crt\n") != NULL);
    EXPECT(strstr(buf_text(&said), "lapwing://c/worker/z/w") != NULL);
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
        EXPECT(strstr(buf_text(&said), hosts[i]) != NULL);
    end();
}

TEST(all_of_a_folder_or_one_file_is_shown)
{
    struct certs_options show = asked("show");
    struct err err = { 0 };
    char *path;

    begin();
    EXPECT_EQ(make_ca(&err), ST_OK);
    EXPECT_EQ(run(&show, &err), ST_OK);
    EXPECT(strstr(buf_text(&said), "ca.crt\n  a CA\n") != NULL);
    path = certs_path(dir, "ca", ".crt");
    show.folder = path;
    EXPECT_EQ(run(&show, &err), ST_OK);
    free(path);
    path = certs_path(dir, "ca", ".key");
    show.folder = path;
    EXPECT_EQ(run(&show, &err), ST_BAD_INPUT);
    free(path);
    show.folder = "/nonexistent";
    EXPECT_EQ(run(&show, &err), ST_IO);
    end();
}
