/* A fuzz target: one function over bytes that nobody may trust.  libFuzzer calls it in the build of
 * `./dev fuzz`; in every other build replay.c feeds it the corpus, as a test. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's name for it.  Returns 0; a CHECK or a sanitizer says what is wrong. */
__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
