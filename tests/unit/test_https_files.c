/* From configuration to certificate, and reading it again at SIGHUP. */
#include "base/https_files.h"

#include <signal.h>
#include <stdio.h>

#include "tests/unit/check.h"
#include "tests/unit/https_fixture.h"

static const struct config_option alone[] = { HTTPS_OPTIONS, { 0 } };
static const struct config_option with_cluster[] = {
    HTTPS_OPTIONS,
    { "tls", "cert_file", NULL, "certificate in the cluster", CONFIG_TEXT, true, 1, 200 },
    { "tls", "key_file", NULL, "its key", CONFIG_TEXT, true, 1, 200 },
    { 0 },
};

/* Which files a program is told of. */
enum told { NO, GOOD, WRONG };

struct settings {
    enum told certificate, key, cluster; /* of [https], and both of [tls] */
};

static void put_flag(char *argv[], int *argc, const char *name, enum told told, const char *good)
{
    static char texts[4][200];

    if (told == NO)
        return;
    (void)snprintf(texts[*argc - 1], sizeof texts[0], "--%s=%s", name,
                   told == GOOD ? good : "/nowhere.pem");
    argv[*argc] = texts[*argc - 1];
    ++*argc;
}

static struct config *configure(const struct config_option *options,
                                const struct settings *settings,
                                const struct https_folder *folder)
{
    char *argv[5] = { (char *)"program" };
    struct config *config = NULL;
    struct err err = { 0 };
    int argc = 1;

    put_flag(argv, &argc, "https.cert_file", settings->certificate, folder->certificate);
    put_flag(argv, &argc, "https.key_file", settings->key, folder->key);
    put_flag(argv, &argc, "tls.cert_file", settings->cluster, folder->certificate);
    put_flag(argv, &argc, "tls.key_file", settings->cluster, folder->key);
    EXPECT_EQ(config_load(options, argc, argv, &config, &err), ST_OK);
    EXPECT_TEXT(err.text, "");
    return config;
}

static const struct {
    const char *name;
    const struct config_option *options;
    struct settings settings;
    const char *why; /* NULL: it opens */
    bool is_own;
} rows[] = {
    { "both", alone, { GOOD, GOOD, NO }, NULL, false },
    { "no key", alone, { GOOD, NO, NO }, "https.key_file is not set", false },
    { "no certificate", alone, { NO, GOOD, NO }, "https.cert_file is not set", false },
    { "neither", alone, { NO, NO, NO }, "https.cert_file is not set", false },
    { "both, beside the cluster's", with_cluster, { GOOD, GOOD, WRONG }, NULL, false },
    { "wrong ones, beside the cluster's",
      with_cluster,
      { WRONG, WRONG, GOOD },
      "/nowhere.pem",
      false },
    { "the cluster's", with_cluster, { NO, NO, GOOD }, NULL, true },
    { "one, beside the cluster's",
      with_cluster,
      { GOOD, NO, GOOD },
      "https.key_file is not set",
      false },
    { "none at all", with_cluster, { NO, NO, NO }, "https.cert_file is not set", false },
};

TEST(an_https_address_needs_both_files_or_those_of_the_cluster)
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
        config = configure(rows[i].options, &rows[i].settings, &folder);
        EXPECT_EQ(https_files_open(&loop, config, &files, &err) == ST_OK, rows[i].why == NULL);
        EXPECT_EQ(files != NULL, rows[i].why == NULL);
        EXPECT_EQ(files != NULL && https_files_are_own(files), rows[i].is_own);
        EXPECT(rows[i].why == NULL || strstr(err.text, rows[i].why) != NULL);
        https_files_close(files);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        CHECK(uv_loop_close(&loop) == 0);
        https_files_free(files);
        config_free(config);
        https_folder_remove(&folder);
    }
}

/* ---- reading them anew, from a signal on ---- */

struct renewal {
    struct https_files *files;
    struct ssl_ctx_st *old;
    uv_timer_t poll;
    unsigned polls;
};

static void poll_cb(uv_timer_t *timer)
{
    struct renewal *renewal = container_of(timer, struct renewal, poll);
    struct ssl_ctx_st *now = https_certificate_context(https_files_certificate(renewal->files));

    https_context_free(now);
    if (now == renewal->old && ++renewal->polls < 2000)
        return;
    EXPECT(now != renewal->old);
    https_files_close(renewal->files);
    uv_close((uv_handle_t *)timer, NULL);
}

TEST(at_sighup_a_new_certificate_is_taken)
{
    struct test_certificate pair;
    struct https_folder folder;
    struct renewal renewal = { 0 };
    struct config *config;
    struct err err = { 0 };
    uv_loop_t loop;

    https_folder_make(&folder);
    https_pair_new(&pair);
    CHECK(uv_loop_init(&loop) == 0);
    config = configure(alone, &(struct settings){ GOOD, GOOD, NO }, &folder);
    EXPECT_EQ(https_files_open(&loop, config, &renewal.files, &err), ST_OK);
    renewal.old = https_certificate_context(https_files_certificate(renewal.files));
    https_file_write(folder.certificate, buf_view(&pair.certificate));
    https_file_write(folder.key, buf_view(&pair.key));
    CHECK(uv_timer_init(&loop, &renewal.poll) == 0);
    CHECK(uv_timer_start(&renewal.poll, poll_cb, 5, 5) == 0);
    CHECK(raise(SIGHUP) == 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
    https_context_free(renewal.old);
    https_files_free(renewal.files);
    config_free(config);
    https_folder_remove(&folder);
    test_certificate_done(&pair);
}
