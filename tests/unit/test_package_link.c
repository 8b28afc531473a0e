#include "worker/agent/package_link.h"

#include "tests/unit/check.h"
#include "worker/agent/agent.h"

TEST(a_download_that_ends_after_the_worker_has_stopped_is_refused)
{
    static struct agent agent; /* as agent_stop() leaves it: without a spawner */
    struct package_question question = { .ask = PACKAGE_ASK_CONVERT, .hex = "", .fd = -1 };
    struct err err = { 0 };

    EXPECT_EQ(package_link_ask(&agent, &question, &err), ST_UNAVAILABLE);
    EXPECT_TEXT(err.text, "spawner: this worker has stopped");
}
