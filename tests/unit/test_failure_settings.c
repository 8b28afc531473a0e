#include "base/failure_settings.h"

#include "tests/unit/check.h"

static const struct config_option options[] = { FAILURE_OPTIONS, { 0 } };

static const struct {
    const char *name;
    char *suspect, *out;
    enum status load, read; /* of the flags alone, and of both together */
    uint32_t suspect_ms, out_ms;
} rows[] = {
    { "the defaults", NULL, NULL, ST_OK, ST_OK, 300, 900 },
    { "both", "--detection.suspect_ms=500", "--detection.out_ms=2000", ST_OK, ST_OK, 500, 2000 },
    { "too soon", "--detection.suspect_ms=199", NULL, ST_BAD_INPUT, ST_OK, 0, 0 },
    { "too late", "--detection.out_ms=60001", NULL, ST_BAD_INPUT, ST_OK, 0, 0 },
    { "no time between them", "--detection.suspect_ms=900", NULL, ST_OK, ST_BAD_INPUT, 900, 900 },
};

TEST(limits_of_detection_are_read_and_must_fit_together)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *argv[3] = { "program" };
        int argc = 1;
        struct failure_limits limits = { 0 };
        struct config *config = NULL;
        struct err err = { 0 };

        test_case = rows[i].name;
        if (rows[i].suspect != NULL)
            argv[argc++] = rows[i].suspect;
        if (rows[i].out != NULL)
            argv[argc++] = rows[i].out;
        EXPECT_EQ(config_load(options, argc, argv, &config, &err), rows[i].load);
        if (config == NULL)
            continue;
        EXPECT_EQ(failure_limits_read(config, 50, &limits, &err), rows[i].read);
        EXPECT_EQ(limits.suspect_ms, rows[i].suspect_ms);
        EXPECT_EQ(limits.out_ms, rows[i].out_ms);
        EXPECT_EQ(err.text[0] == '\0', rows[i].read == ST_OK);
        config_free(config);
    }
}
