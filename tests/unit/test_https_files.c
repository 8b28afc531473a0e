/* From configuration to certificate, and reading it again at SIGHUP. */
#include "base/https_files.h"

#include <signal.h>
#include <stdio.h>

#include "cli/dev/self_signed.h"
#include "tests/unit/check.h"
#include "tests/unit/https_fixture.h"

static const struct config_option options[] = { HTTPS_OPTIONS, { 0 } };

static struct config *configure(const char *certificate, const char *key)
{
    char flags[2][160];
    char *argv[3] = { (char *)"program" };
    struct config *config = NULL;
    struct err err = { 0 };
    int argc = 1;

    (void)snprintf(flags[0], sizeof flags[0], "--https.cert_file=%s", certificate);
    (void)snprintf(flags[1], sizeof flags[1], "--https.key_file=%s", key);
    if (certificate[0] != '\0')
        argv[argc++] = flags[0];
    if (key[0] != '\0')
        argv[argc++] = flags[1];
    EXPECT_EQ(config_load(options, argc, argv, &config, &err), ST_OK);
    return config;
}

static const struct {
    const char *name;
    bool certificate, key; /* are they set? */
    const char *why;       /* NULL: it opens */
} rows[] = {
    { "both", true, true, NULL },
    { "no key", true, false, "https.key_file is not set" },
    { "no certificate", false, true, "https.cert_file is not set" },
    { "neither", false, false, "https.cert_file is not set" },
};

TEST(an_https_address_needs_both_files)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct https_folder folder;
        struct https_files *files = NULL;
        struct config *config;
        struct err err = { 0 };
        uv_loop_t loop;

        test_case = rows[i].name;
        https_folder_make(&folder);
        CHECK(uv_loop_init(&loop) == 0);
        config =
            configure(rows[i].certificate ? folder.certificate : "", rows[i].key ? folder.key : "");
        EXPECT_EQ(https_files_open(&loop, config, &files, &err),
                  rows[i].why == NULL ? ST_OK : ST_BAD_INPUT);
        EXPECT_EQ(files != NULL, rows[i].why == NULL);
        EXPECT(rows[i].why == NULL || strstr(err.text, rows[i].why) != NULL);
        https_files_close(files);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        CHECK(uv_loop_close(&loop) == 0);
        https_files_free(files);
        config_free(config);
        https_folder_remove(&folder);
    }
}

/* One turn after a SIGHUP. */
static void hang_up(uv_loop_t *loop)
{
    CHECK(raise(SIGHUP) == 0);
    (void)uv_run(loop, UV_RUN_NOWAIT);
}

TEST(at_sighup_a_new_certificate_is_taken_and_a_broken_one_is_not)
{
    struct buf ca = { 0 };
    struct buf certificate = { 0 };
    struct buf key = { 0 };
    struct https_folder folder;
    struct https_files *files = NULL;
    struct config *config;
    struct ssl_ctx_st *old;
    struct err err = { 0 };
    uv_loop_t loop;

    https_folder_make(&folder);
    self_signed_make(&ca, &certificate, &key);
    CHECK(uv_loop_init(&loop) == 0);
    config = configure(folder.certificate, folder.key);
    EXPECT_EQ(https_files_open(&loop, config, &files, &err), ST_OK);
    old = https_certificate_context(https_files_certificate(files));
    hang_up(&loop);
    EXPECT(https_certificate_context(https_files_certificate(files)) == old);
    https_file_write(folder.certificate, bytes_of_text("broken"));
    hang_up(&loop);
    EXPECT(https_certificate_context(https_files_certificate(files)) == old);
    SSL_CTX_up_ref(old); /* so that the new one cannot have its place in memory */
    https_file_write(folder.certificate, buf_view(&certificate));
    https_file_write(folder.key, buf_view(&key));
    hang_up(&loop);
    EXPECT(https_certificate_context(https_files_certificate(files)) != old);
    SSL_CTX_free(old);
    https_files_close(files);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
    https_files_free(files);
    config_free(config);
    https_folder_remove(&folder);
    buf_done(&ca);
    buf_done(&certificate);
    buf_done(&key);
}
