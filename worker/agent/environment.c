/* Execution environments: what environment_plan decides is done here.  Loop thread. */
#include "worker/agent/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "worker/agent/invocation.h"
#include "worker/agent/output.h"
#include "worker/agent/report.h"
#include "worker/runtime/dns_relay.h"
#include "worker/runtime/environment_variables.h"
#include "worker/runtime/ready_rules.h"

enum { USAGE_MS = 100, BYTES_PER_MB = 1 << 20 };

static struct slot_view *view_of(const struct environment *env)
{
    return &env->agent->slots[env->slot];
}

enum environment_state environment_state(const struct environment *env)
{
    return view_of(env)->state;
}

/* ---- the parts of an environment's process ---- */

static void on_line(struct bytes line, void *context)
{
    struct environment *env = context;
    enum environment_state state = environment_state(env);

    function_log_append(env->agent->logs, env->log_key, clock_stamp_ms(&clock_system), line);
    /* While it restarts, the invocation that is attached is the one that comes next. */
    if (env->invocation != NULL && state != ENVIRONMENT_RESTARTING)
        invocation_line(env->invocation, line);
}

/* What an invocation needs when nothing is in its way: the least of the last runs, by and by
 * forgotten.  A mean would be of how busy the host is, and on a busy host call for environments,
 * which make it busier. */
enum { RUN_FORGET = 32 };

static uint32_t run_estimate(uint32_t known_us, uint64_t us)
{
    if (us > UINT32_MAX)
        us = UINT32_MAX;
    if (known_us == 0 || us <= known_us)
        return us < 1 ? 1 : (uint32_t)us;
    return known_us + (uint32_t)((us - known_us + RUN_FORGET - 1) / RUN_FORGET);
}

/* Before the table moves on: how long did it take from where it was? */
static void take_times(struct environment *env)
{
    struct slot_view *view = view_of(env);
    uint64_t now_ns = uv_hrtime();

    if (view->state == ENVIRONMENT_INIT) {
        env->init_us = (now_ns - env->init_start_ns) / 1000;
        view->start_us = env->init_us < UINT32_MAX ? (uint32_t)env->init_us : UINT32_MAX;
        invocations_look(env->agent); /* others may start now */
    }
    if (view->state != ENVIRONMENT_FINISHING)
        return;
    view->run_us = run_estimate(view->run_us, (now_ns - env->busy_since_ns) / 1000);
}

static void on_next(void *context)
{
    struct environment *env = context;

    take_times(env);
    environment_on(env, ENVIRONMENT_NEXT);
}

static void on_answer(const struct runtime_answer *answer, void *context)
{
    struct environment *env = context;
    struct invocation *inv = env->invocation;

    environment_drain(env);
    if (inv != NULL)
        invocation_answered(inv, answer);
}

static void on_init_error(const struct runtime_answer *answer, void *context)
{
    struct environment *env = context;

    environment_drain(env);
    env->failure = FAILURE_POSTED;
    env->failure_payload.len = 0;
    buf_append(&env->failure_payload, answer->body.data, answer->body.len);
    (void)snprintf(env->failure_type, sizeof env->failure_type, "%s", answer->error_type);
    environment_on(env, ENVIRONMENT_INIT_ERROR);
}

static const struct runtime_handler runtime_handler = { on_next, on_answer, on_init_error };

void environment_drain(struct environment *env)
{
    if (env->output != NULL)
        output_drain(env->output);
}

void environment_measure(struct environment *env)
{
    uint64_t now = uv_now(env->agent->loop);

    if (now - env->usage_asked_ms < USAGE_MS && env->usage_asked_ms != 0)
        return;
    env->usage_asked_ms = now;
    spawner_link_slot(env->agent->spawner, SPAWNER_USAGE, env->slot);
}

static void close_parts(struct environment *env)
{
    (void)uv_timer_stop(&env->timer);
    runtime_server_close(env->runtime);
    relay_close(env->api);
    relay_close(env->dns_tcp);
    dns_relay_close(env->dns);
    output_close(env->output);
    env->runtime = NULL;
    env->api = NULL;
    env->dns_tcp = NULL;
    env->dns = NULL;
    env->output = NULL;
}

static int take_fd(struct spawner_message *message, enum spawner_fd which)
{
    int fd = message->fds[which];

    message->fds[which] = -1;
    return fd;
}

static enum status open_parts(struct environment *env, struct spawner_message *message)
{
    struct agent *agent = env->agent;
    uv_loop_t *loop = agent->loop;
    struct err err = { 0 };
    enum status st;

    if (message->fd_count <= SPAWNER_FD_DNS_TCP)
        return ST_CORRUPT;
    st = output_start(loop, take_fd(message, SPAWNER_FD_OUTPUT), on_line, env, &env->output, &err);
    if (st == ST_OK)
        st = runtime_server_start(loop, take_fd(message, SPAWNER_FD_RUNTIME), &runtime_handler, env,
                                  &env->runtime, &err);
    if (st == ST_OK)
        st = relay_start(loop, take_fd(message, SPAWNER_FD_RELAY), &agent->settings->api, &env->api,
                         &err);
    if (st == ST_OK)
        st = dns_relay_start(loop, take_fd(message, SPAWNER_FD_DNS), &agent->settings->resolvers,
                             &env->dns, &err);
    if (st == ST_OK)
        st = relay_start(loop, take_fd(message, SPAWNER_FD_DNS_TCP), &agent->settings->resolvers,
                         &env->dns_tcp, &err);
    if (st != ST_OK)
        log_event(LOG_ERROR, "environment_not_served", LU("slot", env->slot),
                  LS("error", err.text));
    return st;
}

/* ---- actions ---- */

static void timer_cb(uv_timer_t *timer)
{
    environment_on(container_of(timer, struct environment, timer), ENVIRONMENT_LIMIT);
}

static void arm(struct environment *env, uint64_t ms)
{
    int rv = uv_timer_start(&env->timer, timer_cb, ms, 0);

    CHECK(rv == 0); /* fails only on a closing handle */
}

static void drop_package(struct environment *env)
{
    if (env->holds_package)
        package_cache_drop(env->agent->packages, env->function->code_sha256.data);
    env->holds_package = false;
}

/* Forget the present life; the slot's state is set by the table. */
static void clear(struct environment *env)
{
    struct slot_view *view = view_of(env);

    close_parts(env);
    if (env->function != NULL)
        drop_package(env);
    if (env->function != NULL)
        lapwing__function__free_unpacked(env->function, NULL);
    if (env->successor != NULL)
        lapwing__function__free_unpacked(env->successor, NULL);
    env->function = NULL;
    env->successor = NULL;
    if (env->invocation != NULL)
        environment_unbind(env);
    view->memory_mb = 0;
    view->start_us = 0;
    view->run_us = 0;
    env->failure = FAILURE_NONE;
    env->failure_payload.len = 0;
    env->failure_type[0] = '\0';
    env->start_error[0] = '\0';
    env->init_us = 0;
    env->peak_mb = 0;
    env->usage_asked_ms = 0;
    invocations_look(env->agent);
    agent_changed(env->agent);
}

/* Detach the invocation with what it needs to know; NULL when there is none. */
static struct invocation *detach(struct environment *env)
{
    struct invocation *inv = env->invocation;

    if (inv == NULL)
        return NULL;
    inv->failure = env->failure;
    inv->failure_payload.len = 0;
    buf_append(&inv->failure_payload, env->failure_payload.data, env->failure_payload.len);
    memcpy(inv->failure_type, env->failure_type, sizeof inv->failure_type);
    memcpy(inv->start_error, env->start_error, sizeof inv->start_error);
    inv->exit = env->exit;
    inv->refuse_reason = env->refuse_reason;
    memcpy(inv->refusal, env->refusal, sizeof inv->refusal);
    if (env->peak_mb > inv->peak_mb)
        inv->peak_mb = env->peak_mb;
    environment_unbind(env);
    return inv;
}

/* Clear the slot, then tell its invocation, which may take the slot at once. */
static void end(struct environment *env, enum invocation_event event)
{
    struct invocation *inv;

    close_parts(env); /* what it printed last still belongs to its invocation */
    inv = detach(env);
    clear(env);
    if (inv != NULL)
        invocation_on(inv, event);
}

static void attach(struct environment *env, struct invocation *inv)
{
    env->invocation = inv;
    view_of(env)->bound = true;
    inv->environment = env;
}

static void kill_process(struct environment *env)
{
    close_parts(env);
    spawner_link_slot(env->agent->spawner, SPAWNER_KILL, env->slot);
}

static void kill_and_tell(struct environment *env, enum invocation_event event)
{
    struct invocation *inv;

    kill_process(env);
    inv = detach(env);
    if (inv != NULL)
        invocation_on(inv, event);
}

static void package_done(struct package_waiter *waiter, const struct package_result *result)
{
    struct environment *env = container_of(waiter, struct environment, package);

    env->holds_package = result->status == ST_OK;
    if (result->status == ST_OK) {
        environment_on(env, ENVIRONMENT_PACKAGE);
        return;
    }
    env->refuse_reason = LAPWING__REFUSE_REASON__REFUSE_PACKAGE;
    (void)snprintf(env->refusal, sizeof env->refusal, "package: %.200s", result->text);
    environment_on(env, ENVIRONMENT_NO_PACKAGE);
}

static enum environment_event fetch(struct environment *env)
{
    uint64_t bytes;

    env->failure = FAILURE_NONE;
    env->failure_payload.len = 0;
    if (env->successor != NULL) {
        drop_package(env);
        lapwing__function__free_unpacked(env->function, NULL);
        env->function = env->successor;
        env->successor = NULL;
        agent_log_key(env->function, env->log_key);
    }
    if (env->holds_package)
        return ENVIRONMENT_PACKAGE;
    if (package_cache_hold(env->agent->packages, env->function->code_sha256.data, &bytes)) {
        env->holds_package = true;
        return ENVIRONMENT_PACKAGE;
    }
    env->package.done = package_done;
    if (package_cache_fetch(env->agent->packages, env->function->code_sha256.data,
                            env->function->code_bytes, &env->package) == ST_OK)
        return ENVIRONMENT_NO_EVENT;
    env->refuse_reason = LAPWING__REFUSE_REASON__REFUSE_PACKAGE;
    (void)snprintf(env->refusal, sizeof env->refusal, "package: the cache is full of those in use");
    return ENVIRONMENT_NO_PACKAGE;
}

static void log_stream_name(const char *version, char out[LOG_STREAM_BYTES])
{
    time_t now = (time_t)(clock_stamp_ms(&clock_system) / 1000);
    char id_hex[33], date[16];
    uint8_t id[16];
    struct tm day;

    random_bytes(id, sizeof id);
    hex_encode(bytes_of(id, sizeof id), id_hex);
    (void)gmtime_r(&now, &day);
    (void)strftime(date, sizeof date, "%Y/%m/%d", &day);
    (void)snprintf(out, LOG_STREAM_BYTES, "%s/[%s]%s", date, version, id_hex);
}

static void build_variables(struct environment *env, struct variables *out)
{
    const struct stream_identity *identity = &env->agent->settings->identity;
    char access_key_id[37], secret[DERIVED_SECRET_BYTES], stream[LOG_STREAM_BYTES];
    struct variables_input input = { env->function, env->version, stream, access_key_id, secret };

    (void)snprintf(access_key_id, sizeof access_key_id, "LWFK%.32s", env->function->uid);
    for (char *c = access_key_id; *c != '\0'; c++)
        if (*c >= 'a' && *c <= 'f')
            *c = (char)(*c - 'a' + 'A');
    hash_derived_secret(bytes_of(identity->key, sizeof identity->key), access_key_id, secret);
    log_stream_name(env->version, stream);
    variables_build(&input, out);
}

/* Said at each cold start, not once a function: an environment's log then tells by itself what ran
 * in it, and nothing needs to be remembered. */
static void tell_mapped(const struct environment *env, const struct runtime *runtime)
{
    if (strcmp(runtime->name, runtime->present) != 0)
        log_event(LOG_WARN, "runtime_mapped", LS("function", env->log_key),
                  LS("asked", runtime->name), LS("then", runtime->present));
}

static enum environment_event spawn(struct environment *env)
{
    Lapwing__SpawnEnvironment message = LAPWING__SPAWN_ENVIRONMENT__INIT;
    const struct runtime *runtime;
    struct runtime_command command;
    struct variables variables, ready;
    struct buf line = { 0 };
    struct err err = { 0 };
    char package[2 * PACKAGE_HASH_BYTES + 1];
    char *argv[RUNTIME_ARGS_MAX];
    enum status st;

    runtime = runtimes_find(&env->agent->runtimes, env->function->runtime);
    CHECK(runtime != NULL); /* invocation.c looked before it took a slot */
    tell_mapped(env, runtime);
    runtime_command(runtime, env->function->memory_mb, &command);
    for (size_t i = 0; i < command.count; i++)
        argv[i] = command.args[i];
    hex_encode(bytes_of(env->function->code_sha256.data, PACKAGE_HASH_BYTES), package);
    build_variables(env, &variables);
    variables_build_ready(env->function->runtime, &ready);
    if (ready_allowed(&variables, &ready)) {
        message.ready_environment = ready.list;
        message.n_ready_environment = ready.count;
    }
    message.slot = env->slot;
    message.package = package;
    message.argv = argv;
    message.n_argv = command.count;
    message.environment = variables.list;
    message.n_environment = variables.count;
    message.memory_mb = env->function->memory_mb;
    message.ephemeral_mb = env->function->ephemeral_mb;
    message.runtime = (char *)(uintptr_t)runtime->present;
    env->init_start_ns = uv_hrtime();
    st = spawner_link_spawn(env->agent->spawner, &message, &err);
    variables_done(&variables);
    variables_done(&ready);
    if (st != ST_OK) {
        env->refuse_reason = LAPWING__REFUSE_REASON__REFUSE_STARTING;
        (void)snprintf(env->refusal, sizeof env->refusal, "%s", err.text);
        return ENVIRONMENT_SPAWN_FAILED;
    }
    report_init_start(&line, env->function->runtime, env->function->region);
    on_line(buf_view(&line), env);
    buf_done(&line);
    return ENVIRONMENT_NO_EVENT;
}

static enum environment_event serve(struct environment *env)
{
    if (open_parts(env, env->spawned) != ST_OK) {
        env->failure = FAILURE_OURS;
        return ENVIRONMENT_STOP;
    }
    /* Inside an invocation its own time limit counts, not that of init. */
    if (env->invocation == NULL || env->invocation->state != INVOCATION_RESTARTING)
        arm(env, env->agent->settings->init_ms);
    return ENVIRONMENT_NO_EVENT;
}

static enum environment_event rest(struct environment *env)
{
    struct slot_view *view = view_of(env);

    view->last_used_ms = uv_now(env->agent->loop);
    environment_measure(env);
    if (env->invocation == NULL) {
        struct invocation *inv = invocation_take_waiting(env->agent, &view->identity);

        if (inv != NULL)
            attach(env, inv);
    }
    if (env->invocation != NULL)
        return ENVIRONMENT_BIND;
    arm(env, env->agent->settings->freeze_ms);
    invocations_look(env->agent); /* it could make room for another function */
    agent_changed(env->agent);
    return ENVIRONMENT_NO_EVENT;
}

static void offer(struct environment *env, bool thaw)
{
    struct invocation *inv = env->invocation;

    (void)uv_timer_stop(&env->timer);
    env->busy_since_ns = uv_hrtime();
    if (thaw)
        spawner_link_slot(env->agent->spawner, SPAWNER_THAW, env->slot);
    CHECK(inv != NULL);
    inv->init_us = env->init_us;
    env->init_us = 0;
    invocation_on(inv, INVOCATION_ENVIRONMENT_READY);
}

static enum environment_event overrun(struct environment *env)
{
    struct invocation *inv = env->invocation;

    log_event(LOG_WARN, "init_overran", LS("function", env->function->name),
              LU("limit_ms", env->agent->settings->init_ms),
              LS("then", inv == NULL ? "stopped" : "repeated within the invocation"));
    kill_process(env);
    if (inv == NULL)
        return ENVIRONMENT_NO_EVENT;
    invocation_on(inv, INVOCATION_ENVIRONMENT_OVERRAN);
    return ENVIRONMENT_PARK;
}

/* Perform one action.  Returns the event it caused at once, or ENVIRONMENT_NO_EVENT. */
static enum environment_event perform(struct environment *env, enum environment_action action)
{
    switch (action) {
    case ENVIRONMENT_DO_NOTHING:
    case ENVIRONMENT_DO_DELIVER: /* by environment_hand_out(), which has the event */
        return ENVIRONMENT_NO_EVENT;
    case ENVIRONMENT_DO_FETCH:
        return fetch(env);
    case ENVIRONMENT_DO_SPAWN:
        return spawn(env);
    case ENVIRONMENT_DO_GIVE_UP:
        end(env, INVOCATION_ENVIRONMENT_NONE);
        return ENVIRONMENT_NO_EVENT;
    case ENVIRONMENT_DO_SERVE:
        return serve(env);
    case ENVIRONMENT_DO_REST:
        return rest(env);
    case ENVIRONMENT_DO_OFFER:
    case ENVIRONMENT_DO_THAW:
        offer(env, action == ENVIRONMENT_DO_THAW);
        return ENVIRONMENT_NO_EVENT;
    case ENVIRONMENT_DO_FREEZE:
        spawner_link_slot(env->agent->spawner, SPAWNER_FREEZE, env->slot);
        arm(env, env->agent->settings->idle_ms);
        return ENVIRONMENT_NO_EVENT;
    case ENVIRONMENT_DO_FINISH:
        arm(env, env->finish_ms);
        return ENVIRONMENT_NO_EVENT;
    case ENVIRONMENT_DO_KILL:
        kill_and_tell(env, INVOCATION_ENVIRONMENT_FAILED);
        return ENVIRONMENT_NO_EVENT;
    case ENVIRONMENT_DO_REPLACE:
        kill_process(env);
        return ENVIRONMENT_NO_EVENT;
    case ENVIRONMENT_DO_OVERRUN:
        return overrun(env);
    case ENVIRONMENT_DO_BURY:
        end(env, INVOCATION_ENVIRONMENT_FAILED);
        return ENVIRONMENT_NO_EVENT;
    case ENVIRONMENT_DO_LOSE:
        close_parts(env);
        invocation_on(env->invocation, INVOCATION_ENVIRONMENT_OVERRAN);
        return ENVIRONMENT_NO_EVENT;
    case ENVIRONMENT_DO_CLEAR:
        clear(env);
        return ENVIRONMENT_NO_EVENT;
    case ENVIRONMENT_FORBIDDEN:
        break;
    }
    CHECK(!"environment: event not allowed in this state");
}

void environment_on(struct environment *env, enum environment_event event)
{
    while (event != ENVIRONMENT_NO_EVENT) {
        struct environment_move move = environment_next(environment_state(env), event);

        view_of(env)->state = move.next;
        event = perform(env, move.action);
    }
}

/* ---- calls from the rest of the agent ---- */

static Lapwing__Function *function_copy(const Lapwing__Function *function)
{
    size_t len = lapwing__function__get_packed_size(function);
    uint8_t *packed = must_calloc(1, len + 1);
    Lapwing__Function *copy;

    (void)lapwing__function__pack(function, packed);
    copy = lapwing__function__unpack(NULL, len, packed);
    CHECK(copy != NULL); /* what we packed can be unpacked */
    free(packed);
    return copy;
}

void environment_start(struct environment *env,
                       const Lapwing__Function *function,
                       const char *version,
                       struct invocation *inv)
{
    struct slot_view *view = view_of(env);

    CHECK(env->invocation == NULL || env->invocation == inv);
    if (view->state == ENVIRONMENT_FREE) {
        env->function = function_copy(function);
        agent_log_key(env->function, env->log_key);
    } else {
        CHECK(env->successor == NULL);
        env->successor = function_copy(function);
    }
    (void)snprintf(env->version, sizeof env->version, "%s", version);
    view->memory_mb = function->memory_mb;
    view->start_us = 0;
    view->run_us = 0;
    attach(env, inv);
    environment_on(env, ENVIRONMENT_START);
    agent_changed(env->agent);
}

void environment_bind(struct environment *env, struct invocation *inv)
{
    enum environment_state state = environment_state(env);

    CHECK(env->invocation == NULL);
    attach(env, inv);
    if (state == ENVIRONMENT_IDLE || state == ENVIRONMENT_FROZEN)
        environment_on(env, ENVIRONMENT_BIND);
}

void environment_unbind(struct environment *env)
{
    CHECK(env->invocation != NULL);
    env->invocation->environment = NULL;
    env->invocation = NULL;
    view_of(env)->bound = false;
}

void environment_hand_out(struct environment *env, const struct runtime_event *event)
{
    environment_on(env, ENVIRONMENT_HAND_OUT);
    runtime_server_hand_out(env->runtime, event);
}

void environment_answered(struct environment *env, uint64_t left_ms)
{
    env->finish_ms = left_ms;
    environment_on(env, ENVIRONMENT_ANSWERED);
}

/* A process is known to the spawner in these states, and so may end. */
static bool has_process(enum environment_state state)
{
    return state != ENVIRONMENT_FREE && state != ENVIRONMENT_FETCHING &&
           state != ENVIRONMENT_SPAWNING && state != ENVIRONMENT_DOOMED &&
           state != ENVIRONMENT_PARKED;
}

void environment_on_spawned(struct agent *agent, uint32_t slot, struct spawner_message *message)
{
    struct environment *env = &agent->environments[slot];
    const Lapwing__SpawnReply *reply = message->message->reply;

    if (reply->status == ST_OK) {
        env->spawned = message;
        environment_on(env, ENVIRONMENT_SPAWNED);
        env->spawned = NULL;
        return;
    }
    log_event(LOG_WARN, "environment_not_started", LU("slot", slot), LS("error", reply->text));
    env->refuse_reason = LAPWING__REFUSE_REASON__REFUSE_STARTING;
    (void)snprintf(env->refusal, sizeof env->refusal, "%s", reply->text);
    environment_on(env, ENVIRONMENT_SPAWN_FAILED);
}

void environment_on_exited(struct agent *agent, const Lapwing__EnvironmentExited *exited)
{
    struct environment *env;
    uint32_t peak = (uint32_t)((exited->memory_peak_bytes + BYTES_PER_MB - 1) / BYTES_PER_MB);

    if (exited->slot >= agent->settings->environments_max)
        return; /* not one that we asked for */
    env = &agent->environments[exited->slot];
    if (!has_process(environment_state(env))) {
        log_event(LOG_WARN, "exit_unexpected", LU("slot", exited->slot));
        return;
    }
    env->exit = (struct exit_fact){ exited->signaled, exited->out_of_memory, exited->code };
    (void)snprintf(env->start_error, sizeof env->start_error, "%.60s", exited->start_error);
    env->failure = FAILURE_EXITED;
    if (peak > env->peak_mb)
        env->peak_mb = peak;
    environment_on(env, ENVIRONMENT_EXITED);
}

void environment_on_usage(struct agent *agent, uint32_t slot, const Lapwing__SpawnReply *reply)
{
    struct environment *env = &agent->environments[slot];
    uint32_t peak = (uint32_t)((reply->memory_peak_bytes + BYTES_PER_MB - 1) / BYTES_PER_MB);

    /* An answer about the slot's former life is at most as late as its exit, which clears it. */
    if (peak > env->peak_mb)
        env->peak_mb = peak;
}

void environments_init(struct agent *agent)
{
    uint32_t count = agent->settings->environments_max;

    agent->environments = must_calloc(count, sizeof *agent->environments);
    agent->slots = must_calloc(count, sizeof *agent->slots);
    for (uint32_t i = 0; i < count; i++) {
        struct environment *env = &agent->environments[i];
        int rv = uv_timer_init(agent->loop, &env->timer);

        CHECK(rv == 0); /* cannot fail on a live loop */
        env->agent = agent;
        env->slot = i;
    }
}

static void package_ignored(struct package_waiter *waiter, const struct package_result *result)
{
}

void environments_stop(struct agent *agent)
{
    for (uint32_t i = 0; i < agent->settings->environments_max; i++) {
        struct environment *env = &agent->environments[i];

        env->package.done = package_ignored; /* a download may end while the loop runs out */
        clear(env);
        buf_done(&env->failure_payload);
        uv_close((uv_handle_t *)&env->timer, NULL);
    }
}
