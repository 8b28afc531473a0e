/* The decoder of aws-chunked; layout and life in aws_chunk.h. */
#include "objstore/s3/aws_chunk.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

/* SHA-256 of nothing, which the string to sign of a chunk names. */
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

void aws_chunk_init(struct aws_chunk *chunk, const struct aws_chunk_key *key)
{
    memset(chunk, 0, sizeof *chunk);
    if (key == NULL)
        return;
    chunk->is_signed = true;
    chunk->key = *key;
}

void aws_chunk_done(struct aws_chunk *chunk)
{
    hash_done(&chunk->hash);
    buf_done(&chunk->line);
    buf_done(&chunk->trailer);
}

bool aws_chunk_is_finished(const struct aws_chunk *chunk)
{
    return chunk->state == AWS_CHUNK_FINISHED;
}

/* Sign `what` in the chain and compare. */
static enum status check_signature(struct aws_chunk *chunk,
                                   const char *algorithm,
                                   const char *digests,
                                   const char *got,
                                   struct err *err)
{
    uint8_t mac[SHA256_BYTES];
    char want[SHA256_HEX_BYTES];
    struct buf text = { 0 };

    buf_printf(&text, "%s\n%s\n%s\n%s\n%s", algorithm, chunk->key.timestamp, chunk->key.scope,
               chunk->key.previous, digests);
    hash_hmac_sha256(bytes_of(chunk->key.key, SHA256_BYTES), buf_view(&text), mac);
    buf_done(&text);
    hex_encode(bytes_of(mac, sizeof mac), want);
    if (!bytes_equal_secret(bytes_of_text(want), bytes_of_text(got)))
        return err_set(err, ST_DENIED, "the signature of a chunk does not match");
    memcpy(chunk->key.previous, want, sizeof want);
    return ST_OK;
}

static enum status chunk_ended(struct aws_chunk *chunk, struct err *err)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];
    char digests[SHA256_HEX_BYTES * 2 + 2];

    if (!chunk->is_signed)
        return ST_OK;
    hash_end(&chunk->hash, digest);
    hex_encode(bytes_of(digest, sizeof digest), hex);
    (void)snprintf(digests, sizeof digests, "%s\n%s", EMPTY_SHA256, hex);
    return check_signature(chunk, "AWS4-HMAC-SHA256-PAYLOAD", digests, chunk->signature, err);
}

static enum status trailer_ended(struct aws_chunk *chunk, struct err *err)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];

    chunk->state = AWS_CHUNK_FINISHED;
    if (!chunk->is_signed || chunk->trailer.len == 0)
        return ST_OK;
    hash_sha256(buf_view(&chunk->trailer), digest);
    hex_encode(bytes_of(digest, sizeof digest), hex);
    return check_signature(chunk, "AWS4-HMAC-SHA256-TRAILER", hex, chunk->trailer_signature, err);
}

/* "HEX;chunk-signature=..." */
static enum status read_size(struct aws_chunk *chunk, struct err *err)
{
    static const char name[] = ";chunk-signature=";
    const char *line = buf_text(&chunk->line);
    uint64_t size = 0;
    size_t digits = 0;

    while (isxdigit((unsigned char)line[digits]) && digits < 9) {
        char c = line[digits++];

        size = size * 16 + (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    if (digits == 0 || size > AWS_CHUNK_BYTES_MAX)
        return err_set(err, ST_BAD_INPUT, "a chunk's size is malformed or too large");
    line += digits;
    if (line[0] != '\0' && line[0] != ';')
        return err_set(err, ST_BAD_INPUT, "a chunk's size is followed by something else");
    if (strncmp(line, name, sizeof name - 1) == 0)
        (void)snprintf(chunk->signature, sizeof chunk->signature, "%s", line + sizeof name - 1);
    else
        chunk->signature[0] = '\0';
    chunk->left = size;
    chunk->is_last = size == 0;
    if (chunk->is_signed)
        hash_init(&chunk->hash, HASH_SHA256);
    if (!chunk->is_last) {
        chunk->state = AWS_CHUNK_DATA;
        return ST_OK;
    }
    chunk->state = AWS_CHUNK_TRAILER;
    return chunk_ended(chunk, err);
}

static enum status read_trailer(struct aws_chunk *chunk, struct err *err)
{
    static const char signature[] = "x-amz-trailer-signature:";
    const char *line = buf_text(&chunk->line);
    const char *colon = strchr(line, ':');

    if (line[0] == '\0')
        return trailer_ended(chunk, err);
    if (colon == NULL || ++chunk->trailers > AWS_CHUNK_TRAILERS_MAX)
        return err_set(err, ST_BAD_INPUT, "a trailer is malformed, or one too many");
    if (strncasecmp(line, signature, sizeof signature - 1) == 0) {
        (void)snprintf(chunk->trailer_signature, sizeof chunk->trailer_signature, "%s",
                       line + sizeof signature - 1);
        return ST_OK;
    }
    for (const char *c = line; c < colon; c++)
        buf_printf(&chunk->trailer, "%c", tolower((unsigned char)*c));
    colon++;
    while (*colon == ' ')
        colon++;
    buf_printf(&chunk->trailer, ":%s\n", colon);
    return ST_OK;
}

static enum status read_line(struct aws_chunk *chunk, struct err *err)
{
    if (chunk->state == AWS_CHUNK_SIZE)
        return read_size(chunk, err);
    if (chunk->state == AWS_CHUNK_TRAILER)
        return read_trailer(chunk, err);
    CHECK(chunk->state == AWS_CHUNK_DATA_END);
    if (chunk->line.len > 0)
        return err_set(err, ST_BAD_INPUT, "a chunk is longer than it says");
    chunk->state = AWS_CHUNK_SIZE;
    return ST_OK;
}

/* Gather a line up to CRLF; true when it is complete in chunk->line. */
static bool take_line(struct aws_chunk *chunk, struct bytes *in)
{
    const uint8_t *end = memchr(in->data, '\n', in->len);
    size_t len = end != NULL ? (size_t)(end - in->data) + 1 : in->len;

    buf_append(&chunk->line, in->data, len);
    *in = bytes_of(in->data + len, in->len - len);
    if (end == NULL)
        return false;
    chunk->line.len--;
    if (chunk->line.len > 0 && chunk->line.data[chunk->line.len - 1] == '\r')
        chunk->line.len--;
    return true;
}

/* A carriage return that came without its line feed yet does not count. */
static bool line_is_too_long(const struct aws_chunk *chunk, bool whole)
{
    size_t len = chunk->line.len;

    if (!whole && len > 0 && chunk->line.data[len - 1] == '\r')
        len--;
    return len > AWS_CHUNK_LINE_BYTES_MAX;
}

static struct bytes take_data(struct aws_chunk *chunk, struct bytes *in)
{
    size_t len = in->len < chunk->left ? in->len : (size_t)chunk->left;
    struct bytes data = bytes_of(in->data, len);

    *in = bytes_of(in->data + len, in->len - len);
    chunk->left -= len;
    if (chunk->is_signed)
        hash_add(&chunk->hash, data);
    return data;
}

enum status aws_chunk_next(struct aws_chunk *chunk,
                           struct bytes *in,
                           struct bytes *out_data,
                           struct err *err)
{
    enum status st = ST_OK;

    *out_data = (struct bytes){ 0 };
    while (in->len > 0 && st == ST_OK) {
        if (chunk->state == AWS_CHUNK_FINISHED)
            return err_set(err, ST_BAD_INPUT, "bytes follow the last chunk");
        if (chunk->state == AWS_CHUNK_DATA) {
            *out_data = take_data(chunk, in);
            if (chunk->left > 0)
                return ST_OK;
            chunk->state = AWS_CHUNK_DATA_END;
            return chunk_ended(chunk, err);
        }
        bool whole = take_line(chunk, in);

        if (line_is_too_long(chunk, whole))
            return err_set(err, ST_BAD_INPUT, "a line between chunks is too long");
        if (!whole)
            return ST_OK;
        st = read_line(chunk, err);
        chunk->line.len = 0;
    }
    return st;
}

bool aws_chunk_trailer(const struct aws_chunk *chunk, const char *name, struct bytes *out_value)
{
    struct bytes rest = buf_view(&chunk->trailer);
    size_t len = strlen(name);

    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.len);
        size_t line = (size_t)(end - rest.data);

        if (line > len && rest.data[len] == ':' && memcmp(rest.data, name, len) == 0) {
            *out_value = bytes_of(rest.data + len + 1, line - len - 1);
            return true;
        }
        rest = bytes_of(end + 1, rest.len - line - 1);
    }
    return false;
}
