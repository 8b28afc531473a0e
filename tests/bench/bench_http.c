/* bench_http: one load on an HTTP server on loopback, as a line of JSON.
 *
 *   bench_http --port 4566 --kind put --target /bucket/a- --bytes 4096 --key test --secret test
 *   bench_http --port 4566 --kind get --target /bucket/a- --bytes 4096 --objects 64 ...
 *   bench_http --port 2379 --kind etcd --bytes 256 --clients 16
 *
 * For S3 requests are signed; without --key they are not, for nginx.  A GET takes what a PUT with
 * the same --bytes and --seed left.  http_load.h says how it works. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "tests/bench/http_load.h"

static void refuse(const char *what)
{
    (void)fprintf(stderr, "bench_http: %s\n", what);
    exit(2);
}

static enum load_kind kind_of(const char *text)
{
    static const char *const names[] = {
        [LOAD_GET] = "get",
        [LOAD_PUT] = "put",
        [LOAD_ETCD] = "etcd",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(text, names[i]) == 0)
            return (enum load_kind)i;
    refuse("--kind get, put or etcd");
    return LOAD_GET;
}

static void take_option(struct load_settings *out, int option, const char *text)
{
    switch (option) {
    case 'k':
        out->kind = kind_of(text);
        return;
    case 'p':
        out->port = (unsigned)strtoul(text, NULL, 10);
        return;
    case 't':
        out->target = text;
        return;
    case 'a':
        out->key = text;
        return;
    case 'x':
        out->secret = text;
        return;
    case 'b':
        out->bytes = strtoull(text, NULL, 10);
        return;
    case 'e':
        out->seed = strtoull(text, NULL, 10);
        return;
    case 'o':
        out->objects = (unsigned)strtoul(text, NULL, 10);
        return;
    case 'c':
        out->clients = (unsigned)strtoul(text, NULL, 10);
        return;
    case 's':
        out->seconds = strtod(text, NULL);
        return;
    case 'd':
        out->drain_s = strtod(text, NULL);
        return;
    case 'r':
        out->requests = strtoull(text, NULL, 10);
        return;
    default:
        exit(2);
    }
}

static void check(const struct load_settings *settings)
{
    if (settings->port == 0 || settings->port > 65535)
        refuse("--port: 1 to 65535");
    if (settings->clients == 0 || settings->clients > LOAD_CLIENTS_MAX)
        refuse("--clients: 1 to 1024");
    if (settings->objects == 0 || settings->objects > LOAD_OBJECTS_MAX)
        refuse("--objects: 1 to 65536");
    if (settings->bytes < LOAD_BYTES_MIN || settings->bytes > LOAD_BYTES_MAX)
        refuse("--bytes: 16 to 1073741824");
    if ((settings->key == NULL) != (settings->secret == NULL))
        refuse("--key and --secret go together");
    if (!(settings->seconds > 0))
        refuse("--seconds: more than 0");
}

static void parse(int argc, char **argv, struct load_settings *out)
{
    static const struct option options[] = {
        { "kind", required_argument, NULL, 'k' },
        { "port", required_argument, NULL, 'p' },
        { "target", required_argument, NULL, 't' },
        { "key", required_argument, NULL, 'a' },
        { "secret", required_argument, NULL, 'x' },
        { "bytes", required_argument, NULL, 'b' },
        { "seed", required_argument, NULL, 'e' },
        { "objects", required_argument, NULL, 'o' },
        { "clients", required_argument, NULL, 'c' },
        { "seconds", required_argument, NULL, 's' },
        { "requests", required_argument, NULL, 'r' },
        { "drain", required_argument, NULL, 'd' },
        { NULL, 0, NULL, 0 },
    };
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int option;

    *out = (struct load_settings){
        .target = "/",
        .bytes = 4096,
        .seed = 1,
        .objects = 64,
        .clients = 1,
        .threads = cores > 0 ? (unsigned)cores : 1,
        .seconds = 3,
        .drain_s = 60,
        .requests = UINT64_MAX,
    };
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        take_option(out, option, optarg);
    check(out);
}

static double percentile(const struct load_result *result, unsigned percent)
{
    return result->count == 0 ? 0 : (double)result->us[(result->count - 1) * percent / 100];
}

int main(int argc, char **argv)
{
    struct load_settings settings;
    struct load_result result;
    double rate;

    parse(argc, argv, &settings);
    load_run(&settings, &result);
    rate = result.elapsed_s > 0 ? (double)result.count / result.elapsed_s : 0;
    (void)printf("{\"clients\": %u, \"bytes\": %llu, \"requests\": %llu, \"failed\": %llu, "
                 "\"unfinished\": %llu, "
                 "\"per_second\": %.1f, \"mb_per_second\": %.1f, \"p50_us\": %.0f, "
                 "\"p99_us\": %.0f, \"max_us\": %.0f}\n",
                 settings.clients, (unsigned long long)settings.bytes,
                 (unsigned long long)result.count, (unsigned long long)result.failed,
                 (unsigned long long)result.unfinished, rate, rate * (double)settings.bytes / 1e6,
                 percentile(&result, 50), percentile(&result, 99), percentile(&result, 100));
    if (result.failed > 0)
        (void)fprintf(stderr, "first failure: %s\n", result.failure);
    free(result.us);
    return 0;
}
