/* sim_control: run the simulation of the control group.
 *
 *   sim_control --seeds N [--first S] [--step D] [--jobs J]
 *                                                  many; the first failure is printed and ends it
 *   sim_control --seed S                           one, with what happened
 *   ... [--break WHAT] [--expect-failure]         a rule is left out (README.md lists them)
 *
 * Each seed has a process of its own, so that a CHECK in the code under test names its seed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "tests/sim/sim.h"

enum { SEED_SECONDS_MAX = 120, JOBS_MAX = 16 };

struct options {
    uint64_t first;
    uint64_t count;
    uint64_t step; /* from one seed to the next: what a seed is like depends on it modulo 8 */
    unsigned jobs;
    enum sim_break broken;
    const char *break_name;
    bool single;
    bool expect_failure;
};

struct job {
    pid_t pid;
    uint64_t seed;
    int pipe;
};

static enum sim_break break_of(const char *name)
{
    static const char *const names[BREAK_COUNT] = {
        "nothing", "votes", "appends",      "sequence", "install", "mark",   "readback",
        "rot",     "lease", "restart-vote", "epoch",    "sync",    "change", "amnesia",
    };

    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0)
            return (enum sim_break)i;
    fprintf(stderr, "--break: %s is none of", name);
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        fprintf(stderr, " %s", names[i]);
    fprintf(stderr, "\n");
    exit(2);
}

static struct options parse(int argc, char **argv)
{
    struct options options = {
        .first = 1, .count = 20, .step = 1, .jobs = 2, .break_name = "nothing"
    };

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--expect-failure") == 0) {
            options.expect_failure = true;
            continue;
        }
        if (strcmp(argv[i], "--seeds") == 0) {
            options.count = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--first") == 0) {
            options.first = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--step") == 0) {
            options.step = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--jobs") == 0) {
            options.jobs = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0) {
            options.first = strtoull(value, NULL, 10);
            options.count = 1;
            options.single = true;
        } else if (strcmp(argv[i], "--break") == 0) {
            options.broken = break_of(value);
            options.break_name = value;
        } else {
            fprintf(stderr,
                    "usage: sim_control --seeds N [--first S] [--step D] [--jobs J] | --seed S "
                    "[--break WHAT] [--expect-failure]\n");
            exit(2);
        }
        i++;
    }
    if (options.step == 0)
        options.step = 1;
    if (options.jobs == 0 || options.jobs > JOBS_MAX)
        options.jobs = 1;
    return options;
}

static void start(struct job *job, uint64_t seed, const struct options *options)
{
    struct sim_counts counts;
    int ends[2];
    ssize_t written;

    fflush(stdout);
    CHECK(pipe(ends) == 0);
    job->seed = seed;
    job->pid = fork();
    CHECK(job->pid >= 0);
    if (job->pid > 0) {
        close(ends[1]);
        job->pipe = ends[0];
        return;
    }
    close(ends[0]);
    alarm(SEED_SECONDS_MAX);
    sim_run(seed, options->broken, options->single, &counts);
    written = write(ends[1], &counts, sizeof counts);
    fflush(stdout);
    exit(written == (ssize_t)sizeof counts ? 0 : 3); /* not _exit(): the leak checker runs here */
}

/* Wait for one job to end; true when its seed passed. */
static bool reap(struct job *jobs, unsigned count, struct sim_counts *total, uint64_t *out_seed)
{
    uint64_t *sum = (uint64_t *)total;
    uint64_t one[sizeof *total / sizeof *sum];
    int status;
    pid_t pid = wait(&status);

    for (unsigned i = 0; i < count; i++) {
        if (jobs[i].pid != pid)
            continue;
        *out_seed = jobs[i].seed;
        jobs[i].pid = 0;
        if (read(jobs[i].pipe, one, sizeof one) == (ssize_t)sizeof one)
            for (size_t k = 0; k < ARRAY_LEN(one); k++)
                sum[k] += one[k];
        close(jobs[i].pipe);
        if (WIFSIGNALED(status))
            printf("seed %llu: ended by signal %d\n", (unsigned long long)*out_seed,
                   WTERMSIG(status));
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    CHECK(!"a child that was never started");
}

static void report(const struct options *options, const struct sim_counts *c)
{
    printf("%llu seeds from %llu: committed %llu, acknowledged %llu, repeated %llu, reads %llu "
           "(%llu by lease, %llu without the core), freezes %llu, traps %llu, "
           "power cuts %llu, kills %llu, links broken %llu, leaders %llu, snapshots %llu, installs "
           "%llu, truncations %llu, transfers %llu, members added %llu, removed %llu, "
           "replaced %llu, changes %llu, entries read back %llu, pieces of log dropped %llu, "
           "receptions kept over a restart %llu, snapshots doubted %llu, disks full %llu, stuck "
           "%llu, failed %llu, caught lying %llu, emptied %llu, refused %llu, grown to three "
           "voters %llu, events %llu\n",
           (unsigned long long)options->count, (unsigned long long)options->first,
           (unsigned long long)c->committed, (unsigned long long)c->acks,
           (unsigned long long)c->retries, (unsigned long long)c->reads,
           (unsigned long long)c->lease_reads, (unsigned long long)c->fast_reads,
           (unsigned long long)c->freezes, (unsigned long long)c->traps,
           (unsigned long long)c->crashes, (unsigned long long)c->kills,
           (unsigned long long)c->link_breaks, (unsigned long long)c->leaders,
           (unsigned long long)c->takes, (unsigned long long)c->installs,
           (unsigned long long)c->truncations, (unsigned long long)c->transfers,
           (unsigned long long)c->adds, (unsigned long long)c->removes,
           (unsigned long long)c->replaces, (unsigned long long)c->changes,
           (unsigned long long)c->read_back, (unsigned long long)c->drops,
           (unsigned long long)c->resumes, (unsigned long long)c->doubts,
           (unsigned long long)c->full, (unsigned long long)c->stuck, (unsigned long long)c->failed,
           (unsigned long long)c->lies, (unsigned long long)c->emptied,
           (unsigned long long)c->refused, (unsigned long long)c->grown,
           (unsigned long long)c->events);
}

int main(int argc, char **argv)
{
    struct options options = parse(argc, argv);
    struct job jobs[JOBS_MAX] = { 0 };
    struct sim_counts total = { 0 };
    uint64_t next = options.first;
    uint64_t end = options.first + options.count * options.step;
    unsigned running = 0;
    unsigned failed = 0;

    while ((next < end && failed == 0) || running > 0) {
        uint64_t seed = 0;

        for (unsigned i = 0; i < options.jobs && next < end && failed == 0; i++) {
            if (jobs[i].pid != 0)
                continue;
            start(&jobs[i], next, &options);
            next += options.step;
            running++;
        }
        if (running == 0)
            break;
        if (!reap(jobs, options.jobs, &total, &seed)) {
            failed++;
            if (options.broken == BREAK_NOTHING)
                printf("FAILED: replay with ./dev sim --seed %llu\n", (unsigned long long)seed);
            else
                printf("FAILED, as %s are broken: sim_control --seed %llu --break %s\n",
                       options.break_name, (unsigned long long)seed, options.break_name);
        }
        running--;
    }
    if (failed == 0)
        report(&options, &total);
    if (options.expect_failure)
        return failed > 0 ? 0 : 1;
    return failed > 0 ? 1 : 0;
}
