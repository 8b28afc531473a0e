#include "base/identity.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tls_files.h"
#include "tests/unit/certificates.h"
#include "tests/unit/check.h"

static const struct config_option options[] = { IDENTITY_OPTIONS, { 0 } };

/* A folder with the files of one program, and its configuration. */
struct place {
    char folder[32];
    char ca[64], certificate[64], key[64];
    struct tls_files files;
    struct config *config;
};

static void write_text(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    EXPECT(fd >= 0);
    EXPECT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    EXPECT_EQ(fchmod(fd, mode), 0);
    EXPECT_EQ(close(fd), 0);
}

static void open_place(struct place *place)
{
    static const char *const names[] = { "--node.name=n",
                                         "--node.zone=z",
                                         "--node.cluster=c",
                                         "--cluster.key_file=%s/key",
                                         "--tls.ca_file=%s/ca.crt",
                                         "--tls.cert_file=%s/node.crt",
                                         "--tls.key_file=%s/node.key" };
    char flags[ARRAY_LEN(names) + 1][96] = { "test" };
    char *argv[ARRAY_LEN(names) + 1] = { flags[0] };
    char path[64];
    struct err err = { 0 };

    *place = (struct place){ .folder = "/tmp/identity-XXXXXX" };
    EXPECT(mkdtemp(place->folder) != NULL);
    test_identity_files("c/worker/z/n", place->folder, getuid());
    (void)snprintf(place->ca, sizeof place->ca, "%s/ca.crt", place->folder);
    (void)snprintf(place->certificate, sizeof place->certificate, "%s/node.crt", place->folder);
    (void)snprintf(place->key, sizeof place->key, "%s/node.key", place->folder);
    (void)snprintf(path, sizeof path, "%s/key", place->folder);
    write_text(path, "abababababababababababababababababababababababababababababababab\n", 0600);
    place->files = (struct tls_files){ place->ca, place->certificate, place->key };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(flags[i + 1], sizeof flags[i + 1], names[i], place->folder);
        argv[i + 1] = flags[i + 1];
    }
    EXPECT_EQ(config_load(options, ARRAY_LEN(names) + 1, argv, &place->config, &err), ST_OK);
}

static void close_place(struct place *place)
{
    char command[64];

    config_free(place->config);
    (void)snprintf(command, sizeof command, "rm -rf %s", place->folder);
    EXPECT_EQ(system(command), 0);
}

TEST(an_identity_is_read_with_its_certificate)
{
    struct stream_identity identity = { 0 };
    struct place place;
    struct err err = { 0 };

    open_place(&place);
    EXPECT_EQ(identity_read(place.config, "worker", &identity, &err), ST_OK);
    EXPECT_TEXT(identity.self.node, "n");
    EXPECT_TEXT(identity.self.role, "worker");
    EXPECT(identity.self.epoch > 1ull << 50); /* milliseconds of this century, and random bits */
    EXPECT_EQ(identity.key[31], 0xab);
    identity_done(&identity);
    EXPECT_EQ(identity_read(place.config, "objstore", &identity, &err), ST_BAD_INPUT);
    EXPECT(strstr(err.text, "is of lapwing://c/worker/z/n, this program is lapwing://c/objstore") !=
           NULL);
    close_place(&place);
}

enum spoil { KEY_MODE, KEY_GONE, CERTIFICATE_GONE, CA_GONE, CERTIFICATE_TEXT, CA_FOLDER, LARGE };

static const struct {
    const char *name;
    enum spoil spoil;
    enum status want;
    const char *text;
} spoils[] = {
    { "a key that others may read", KEY_MODE, ST_DENIED, "chmod 600" },
    { "no key", KEY_GONE, ST_IO, "node.key" },
    { "no certificate", CERTIFICATE_GONE, ST_IO, "node.crt" },
    { "no CA", CA_GONE, ST_IO, "ca.crt" },
    { "a certificate that is none", CERTIFICATE_TEXT, ST_BAD_INPUT, "node.crt" },
    { "a folder", CA_FOLDER, ST_BAD_INPUT, "not a file" },
    { "a file that is too large", LARGE, ST_BAD_INPUT, "want at most 262144" },
};

static void spoil(const struct place *place, enum spoil kind)
{
    switch (kind) {
    case KEY_MODE:
        EXPECT_EQ(chmod(place->key, 0640), 0);
        break;
    case KEY_GONE:
        EXPECT_EQ(unlink(place->key), 0);
        break;
    case CERTIFICATE_GONE:
        EXPECT_EQ(unlink(place->certificate), 0);
        break;
    case CA_GONE:
        EXPECT_EQ(unlink(place->ca), 0);
        break;
    case CERTIFICATE_TEXT:
        write_text(place->certificate, "nothing of the kind\n", 0600);
        break;
    case CA_FOLDER:
        EXPECT_EQ(unlink(place->ca), 0);
        EXPECT_EQ(mkdir(place->ca, 0700), 0);
        break;
    case LARGE:
        EXPECT_EQ(truncate(place->ca, TLS_FILE_BYTES_MAX + 1), 0);
        break;
    }
}

TEST(wrong_files_are_named)
{
    for (size_t i = 0; i < ARRAY_LEN(spoils); i++) {
        struct stream_identity identity = { 0 };
        struct place place;
        struct err err = { 0 };

        test_case = spoils[i].name;
        open_place(&place);
        spoil(&place, spoils[i].spoil);
        EXPECT_EQ(identity_read(place.config, "worker", &identity, &err), spoils[i].want);
        EXPECT(strstr(err.text, spoils[i].text) != NULL);
        close_place(&place);
    }
}

TEST(a_file_as_large_as_the_limit_is_read)
{
    struct stream_identity identity = { 0 };
    struct place place;
    struct stat info;
    struct err err = { 0 };
    FILE *file;

    open_place(&place);
    EXPECT_EQ(stat(place.ca, &info), 0);
    file = fopen(place.ca, "ae");
    EXPECT(file != NULL);
    for (long long i = info.st_size; i < TLS_FILE_BYTES_MAX; i++)
        EXPECT_EQ(fputc('\n', file), '\n');
    EXPECT_EQ(fclose(file), 0);
    EXPECT_EQ(identity_read(place.config, "worker", &identity, &err), ST_OK);
    identity_done(&identity);
    close_place(&place);
}

/* ---- reloading, from a signal on ---- */

struct reload {
    uv_loop_t loop;
    struct place place;
    struct stream_identity identity;
    struct certificate_watch *watch;
    int64_t first_s;
    uv_timer_t poll;
    unsigned polls;
};

static void poll_cb(uv_timer_t *timer)
{
    struct reload *reload = container_of(timer, struct reload, poll);

    if (tls_context_expires_s(reload->identity.tls) == reload->first_s && ++reload->polls < 2000)
        return;
    certificate_watch_stop(reload->watch);
    uv_close((uv_handle_t *)timer, NULL);
}

TEST(a_signal_makes_new_files_count_without_a_restart)
{
    struct node_identity names = test_names("c/worker/z/n");
    struct test_certificate fresh;
    struct reload reload = { 0 };
    struct err err = { 0 };

    open_place(&reload.place);
    EXPECT_EQ(uv_loop_init(&reload.loop), 0);
    EXPECT_EQ(identity_read(reload.place.config, "worker", &reload.identity, &err), ST_OK);
    reload.first_s = tls_context_expires_s(reload.identity.tls);
    reload.watch = identity_watch(&reload.loop, reload.place.config, &reload.identity);
    /* Another CA as well: the old certificate would not pass by itself. */
    test_certificate_span(&names, NULL, -10, 40 * TEST_DAY_S, &fresh);
    write_text(reload.place.ca, buf_text(&fresh.authority), 0600);
    write_text(reload.place.certificate, buf_text(&fresh.certificate), 0600);
    write_text(reload.place.key, buf_text(&fresh.key), 0600);
    EXPECT_EQ(uv_timer_init(&reload.loop, &reload.poll), 0);
    EXPECT_EQ(uv_timer_start(&reload.poll, poll_cb, 5, 5), 0);
    EXPECT_EQ(raise(SIGHUP), 0);
    (void)uv_run(&reload.loop, UV_RUN_DEFAULT);
    EXPECT(tls_context_expires_s(reload.identity.tls) > reload.first_s);
    EXPECT_EQ(uv_loop_close(&reload.loop), 0);
    identity_done(&reload.identity);
    test_certificate_done(&fresh);
    close_place(&reload.place);
}

TEST(broken_files_leave_the_certificate_in_use)
{
    struct place place;
    struct stream_identity identity = { 0 };
    struct err err = { 0 };
    int64_t expires_s;

    open_place(&place);
    EXPECT_EQ(identity_read(place.config, "worker", &identity, &err), ST_OK);
    expires_s = tls_context_expires_s(identity.tls);
    for (size_t i = 0; i < ARRAY_LEN(spoils); i++) {
        test_case = spoils[i].name;
        test_identity_files("c/worker/z/n", place.folder, getuid());
        spoil(&place, spoils[i].spoil);
        EXPECT_EQ(tls_files_reload(&place.files, identity.tls, &err), spoils[i].want);
        EXPECT_EQ(tls_context_expires_s(identity.tls), expires_s);
        (void)unlink(place.key);
        (void)rmdir(place.ca);
    }
    identity_done(&identity);
    close_place(&place);
}
