/* How a package comes: every way ends, and a bad image is no reason to do without the package. */
#include "worker/packages/package_fetch_plan.h"

#include "tests/unit/check.h"

static enum fetch_action walk(const enum fetch_event *events, size_t count, enum fetch_state *out)
{
    struct fetch_move move = { FETCH_START, FETCH_FORBIDDEN };

    for (size_t i = 0; i < count; i++)
        move = fetch_next(move.next, events[i]);
    *out = move.next;
    return move.action;
}

TEST(each_way_leads_to_the_package_or_says_why_not)
{
    static const struct {
        const char *name;
        enum fetch_event events[8];
        size_t count;
        enum fetch_state state;
        enum fetch_action action;
    } rows[] = {
        { "an image",
          { FETCH_BY_IMAGE, FETCH_OK, FETCH_OK, FETCH_OK, FETCH_OK },
          5,
          FETCH_DONE,
          FETCH_DO_TELL },
        { "no image yet",
          { FETCH_BY_IMAGE, FETCH_MISSING, FETCH_OK, FETCH_OK_IMAGE, FETCH_OK },
          5,
          FETCH_DONE,
          FETCH_DO_END },
        { "an image that cannot be stored",
          { FETCH_BY_IMAGE, FETCH_MISSING, FETCH_OK, FETCH_OK_IMAGE, FETCH_FAILED },
          5,
          FETCH_DONE,
          FETCH_DO_END },
        { "a rotten chunk",
          { FETCH_BY_IMAGE, FETCH_OK, FETCH_OK, FETCH_MISSING },
          4,
          FETCH_ZIP,
          FETCH_DO_ZIP },
        { "an image that is none",
          { FETCH_BY_IMAGE, FETCH_OK, FETCH_OK, FETCH_OK, FETCH_MISSING },
          5,
          FETCH_ZIP,
          FETCH_DO_ZIP },
        { "a store that does not answer",
          { FETCH_BY_IMAGE, FETCH_FAILED },
          2,
          FETCH_DONE,
          FETCH_DO_TELL },
        { "one that stops answering",
          { FETCH_BY_IMAGE, FETCH_OK, FETCH_OK, FETCH_FAILED },
          4,
          FETCH_ZIP,
          FETCH_DO_ZIP },
        { "of a former run", { FETCH_FOUND, FETCH_OK }, 2, FETCH_DONE, FETCH_DO_TELL },
        { "of a former run, rotten",
          { FETCH_FOUND, FETCH_MISSING },
          2,
          FETCH_MANIFEST,
          FETCH_DO_MANIFEST },
        { "a folder", { FETCH_BY_ZIP, FETCH_OK, FETCH_OK }, 3, FETCH_DONE, FETCH_DO_TELL },
        { "no zip", { FETCH_BY_ZIP, FETCH_MISSING }, 2, FETCH_DONE, FETCH_DO_TELL },
        { "a zip that is refused",
          { FETCH_BY_ZIP, FETCH_OK, FETCH_FAILED },
          3,
          FETCH_DONE,
          FETCH_DO_TELL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum fetch_state state;

        test_case = rows[i].name;
        EXPECT_EQ(walk(rows[i].events, rows[i].count, &state), rows[i].action);
        EXPECT_EQ(state, rows[i].state);
    }
    test_case = NULL;
}

/* The drivers only ever bring OK, MISSING or FAILED once it has begun. */
TEST(no_step_is_left_without_a_way_out)
{
    for (int state = FETCH_VERIFYING; state < FETCH_DONE; state++) {
        EXPECT(fetch_next((enum fetch_state)state, FETCH_OK).action != FETCH_FORBIDDEN);
        EXPECT(fetch_next((enum fetch_state)state, FETCH_MISSING).action != FETCH_FORBIDDEN);
        EXPECT(fetch_next((enum fetch_state)state, FETCH_FAILED).action != FETCH_FORBIDDEN);
    }
    for (int event = 0; event < FETCH_EVENTS; event++)
        EXPECT_EQ(fetch_next(FETCH_DONE, (enum fetch_event)event).action, FETCH_FORBIDDEN);
    EXPECT_EQ(fetch_event_of(ST_OK), FETCH_OK);
    EXPECT_EQ(fetch_event_of(ST_CORRUPT), FETCH_MISSING);
    EXPECT_EQ(fetch_event_of(ST_NOT_FOUND), FETCH_MISSING);
    EXPECT_EQ(fetch_event_of(ST_IO), FETCH_FAILED);
    EXPECT_EQ(fetch_event_of(ST_BAD_INPUT), FETCH_FAILED);
}

TEST(an_image_of_a_small_zip_does_not_pay)
{
    EXPECT(!fetch_image_pays(FETCH_IMAGE_ZIP_BYTES_MIN - 1));
    EXPECT(fetch_image_pays(FETCH_IMAGE_ZIP_BYTES_MIN));
}
