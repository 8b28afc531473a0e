#include "base/tls.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/identity.h"
#include "base/link_rules.h"
#include "tests/unit/certificates.h"
#include "tests/unit/check.h"

/* ---- a peer that is not our code: it may offer anything ---- */

struct stranger {
    SSL_CTX *context;
    SSL *ssl;
    BIO *in;
    BIO *out;
};

static X509 *pem_certificate(const struct buf *pem)
{
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    EXPECT(certificate != NULL);
    BIO_free(bio);
    return certificate;
}

static EVP_PKEY *pem_key(const struct buf *pem)
{
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    EXPECT(key != NULL);
    BIO_free(bio);
    return key;
}

/* Issuer becomes the certificate itself. */
static void sign_by_itself(X509 *certificate, EVP_PKEY *key)
{
    int at = X509_get_ext_by_NID(certificate, NID_authority_key_identifier, -1);

    X509_EXTENSION_free(X509_delete_ext(certificate, at));
    EXPECT_EQ(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)), 1);
    EXPECT(X509_sign(certificate, key, EVP_sha256()) > 0);
}

enum offer { OFFER_CERTIFICATE, OFFER_SELF_SIGNED, OFFER_NONE, OFFER_OLD_TLS };

static void stranger_open(struct stranger *stranger,
                          const struct test_certificate *own,
                          enum offer offer,
                          bool server)
{
    X509 *certificate = pem_certificate(&own->certificate);
    EVP_PKEY *key = pem_key(&own->key);

    stranger->context = SSL_CTX_new(TLS_method());
    if (offer == OFFER_SELF_SIGNED)
        sign_by_itself(certificate, key);
    if (offer == OFFER_OLD_TLS)
        EXPECT_EQ(SSL_CTX_set_max_proto_version(stranger->context, TLS1_2_VERSION), 1);
    if (offer != OFFER_NONE) {
        EXPECT_EQ(SSL_CTX_use_certificate(stranger->context, certificate), 1);
        EXPECT_EQ(SSL_CTX_use_PrivateKey(stranger->context, key), 1);
    }
    stranger->ssl = SSL_new(stranger->context);
    stranger->in = BIO_new(BIO_s_mem());
    stranger->out = BIO_new(BIO_s_mem());
    SSL_set_bio(stranger->ssl, stranger->in, stranger->out);
    if (server)
        SSL_set_accept_state(stranger->ssl);
    else
        SSL_set_connect_state(stranger->ssl);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void stranger_close(struct stranger *stranger)
{
    SSL_free(stranger->ssl);
    SSL_CTX_free(stranger->context);
}

/* Let both speak until nobody says anything or one side of ours failed. */
static enum status meet(struct tls_session *session, struct stranger *stranger, struct err *err)
{
    struct buf wire = { 0 };
    struct buf plain = { 0 };
    enum status st = ST_OK;
    uint8_t piece[16384];

    for (int turn = 0; turn < 10 && st == ST_OK; turn++) {
        int n;

        (void)SSL_do_handshake(stranger->ssl);
        n = BIO_read(stranger->out, piece, sizeof piece);
        st = tls_receive(session, bytes_of(piece, n > 0 ? (size_t)n : 0), &plain, &wire, err);
        if (wire.len > 0)
            EXPECT_EQ(BIO_write(stranger->in, wire.data, (int)wire.len), (int)wire.len);
        wire.len = 0;
    }
    EXPECT_EQ(plain.len, 0); /* not a byte of protocol */
    buf_done(&wire);
    buf_done(&plain);
    return st;
}

static const struct {
    const char *name;
    const char *identity; /* by our cluster's CA unless foreign */
    bool foreign;
    int64_t from_s;
    int64_t until_s;
    enum offer offer;
    const char *want; /* part of the reason; NULL: accepted */
} strangers[] = {
    { "whom we expect", "c/objstore/z/peer", false, -10, 3600, OFFER_CERTIFICATE, NULL },
    { "one that has run out", "c/objstore/z/peer", false, -3600, -5, OFFER_CERTIFICATE, "run out" },
    { "one of the future", "c/objstore/z/peer", false, 3600, 7200, OFFER_CERTIFICATE,
      "not valid yet" },
    { "one of a foreign CA", "c/objstore/z/peer", true, -10, 3600, OFFER_CERTIFICATE,
      "not in our bundle" },
    { "one of another cluster", "d/objstore/z/peer", true, -10, 3600, OFFER_CERTIFICATE,
      "not in our bundle" },
    { "one of a wrong role", "c/worker/z/peer", false, -10, 3600, OFFER_CERTIFICATE,
      "no business" },
    { "one of another node", "c/objstore/z/other", false, -10, 3600, OFFER_CERTIFICATE,
      "here we expect peer" },
    { "one signed by itself", "c/objstore/z/peer", false, -10, 3600, OFFER_SELF_SIGNED,
      "signed by itself" },
    { "none", "c/objstore/z/peer", false, -10, 3600, OFFER_NONE, "" },
    { "TLS 1.2", "c/objstore/z/peer", false, -10, 3600, OFFER_OLD_TLS, "" },
};

/* Our end, as server or client, with one of these. */
static void meet_stranger(size_t i, const struct test_certificate *ca, bool we_serve)
{
    const struct tls_expected expected = { we_serve, LINK_ROLE(NODE_ROLE_OBJSTORE), "peer" };
    struct node_identity names = test_names(strangers[i].identity);
    struct node_identity self = test_names("c/objstore/z/self");
    struct tls_material material = test_material(ca);
    struct test_certificate own;
    struct tls_session *session;
    struct tls_context *context;
    struct stranger stranger;
    struct err err = { 0 };
    enum status st;

    test_certificate_span(&names, strangers[i].foreign ? NULL : ca, strangers[i].from_s,
                          strangers[i].until_s, &own);
    EXPECT_EQ(tls_context_new(&self, &material, &context, &err), ST_OK);
    session = tls_session_new(context, &expected);
    stranger_open(&stranger, &own, strangers[i].offer, !we_serve);
    st = meet(session, &stranger, &err);
    EXPECT_EQ(st == ST_OK, strangers[i].want == NULL);
    EXPECT_EQ(tls_ready(session), strangers[i].want == NULL);
    if (strangers[i].want == NULL) {
        EXPECT(node_identity_equal(&tls_peer(session)->identity, &names));
        EXPECT(tls_peer(session)->not_after_s > (int64_t)time(NULL));
    } else {
        EXPECT(strstr(err.text, strangers[i].want) != NULL);
    }
    stranger_close(&stranger);
    tls_session_free(session);
    tls_context_free(context);
    test_certificate_done(&own);
}

TEST(only_whom_we_expect_passes_the_handshake_on_either_side)
{
    struct node_identity self = test_names("c/objstore/z/self");
    struct test_certificate ca;

    test_certificate_new(&self, NULL, &ca);
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
        test_case = strangers[i].name;
        meet_stranger(i, &ca, true);
        meet_stranger(i, &ca, false);
    }
    test_certificate_done(&ca);
}

/* A certificate of another cluster by a CA that we do trust, as when one CA serves two. */
TEST(another_cluster_is_refused_also_under_a_ca_that_is_in_our_bundle)
{
    const struct tls_expected expected = { true, LINK_ROLE(NODE_ROLE_OBJSTORE), NULL };
    struct node_identity self = test_names("c/objstore/z/self");
    struct node_identity names = test_names("d/objstore/z/peer");
    struct test_certificate ours;
    struct test_certificate theirs;
    struct tls_context *context;
    struct tls_session *session;
    struct tls_material material;
    struct stranger stranger;
    struct err err = { 0 };

    test_certificate_new(&self, NULL, &ours);
    test_certificate_new(&names, NULL, &theirs);
    buf_append(&ours.authority, theirs.authority.data, theirs.authority.len);
    material = test_material(&ours);
    EXPECT_EQ(tls_context_new(&self, &material, &context, &err), ST_OK);
    session = tls_session_new(context, &expected);
    stranger_open(&stranger, &theirs, OFFER_CERTIFICATE, false);
    EXPECT_EQ(meet(session, &stranger, &err), ST_DENIED);
    EXPECT(strstr(err.text, "of cluster d, we are of c") != NULL);
    stranger_close(&stranger);
    tls_session_free(session);
    tls_context_free(context);
    test_certificate_done(&ours);
    test_certificate_done(&theirs);
}

/* ---- two of our ends ---- */

struct pair {
    struct tls_session *client;
    struct tls_session *server;
    struct buf to_client;
    struct buf to_server;
    struct buf at_client;
    struct buf at_server;
};

static void pair_open(struct pair *pair, struct tls_context *client, struct tls_context *server)
{
    const unsigned any = ~0u;

    *pair = (struct pair){ 0 };
    pair->client = tls_session_new(client, &(struct tls_expected){ false, any, NULL });
    pair->server = tls_session_new(server, &(struct tls_expected){ true, any, NULL });
}

static enum status deliver(struct tls_session *to,
                           struct buf *wire,
                           struct buf *plain,
                           struct buf *answer,
                           struct err *err)
{
    struct buf taken = *wire;
    enum status st;

    *wire = (struct buf){ 0 };
    st = tls_receive(to, buf_view(&taken), plain, answer, err);
    buf_done(&taken);
    return st;
}

static enum status pair_run(struct pair *pair, struct err *err)
{
    enum status st = ST_OK;

    for (int turn = 0; turn < 4 && st == ST_OK; turn++) {
        st = deliver(pair->client, &pair->to_client, &pair->at_client, &pair->to_server, err);
        if (st == ST_OK)
            st = deliver(pair->server, &pair->to_server, &pair->at_server, &pair->to_client, err);
    }
    return st;
}

/* What one says the other hears. */
static void pair_talk(struct pair *pair)
{
    struct err err = { 0 };

    pair->at_server.len = 0;
    EXPECT_EQ(tls_send(pair->client, bytes_of_text("hello"), &pair->to_server, &err), ST_OK);
    EXPECT_EQ(pair_run(pair, &err), ST_OK);
    EXPECT(bytes_equal(buf_view(&pair->at_server), bytes_of_text("hello")));
}

static void pair_close(struct pair *pair)
{
    tls_session_free(pair->client);
    tls_session_free(pair->server);
    buf_done(&pair->to_client);
    buf_done(&pair->to_server);
    buf_done(&pair->at_client);
    buf_done(&pair->at_server);
}

TEST(two_cas_in_a_bundle_are_both_accepted)
{
    struct node_identity names = test_names("c/objstore/z/n");
    struct test_certificate old;
    struct test_certificate new;
    struct tls_context *contexts[2];
    struct tls_material material;
    struct buf bundle = { 0 };
    struct pair pair;
    struct err err = { 0 };

    test_certificate_new(&names, NULL, &old);
    test_certificate_new(&names, NULL, &new);
    buf_append(&bundle, old.authority.data, old.authority.len);
    buf_append(&bundle, new.authority.data, new.authority.len);
    material = test_material(&old);
    material.authorities = buf_view(&bundle);
    EXPECT_EQ(tls_context_new(&names, &material, &contexts[0], &err), ST_OK);
    material = test_material(&new);
    material.authorities = buf_view(&bundle);
    EXPECT_EQ(tls_context_new(&names, &material, &contexts[1], &err), ST_OK);
    for (int client = 0; client < 2; client++) {
        pair_open(&pair, contexts[client], contexts[1 - client]);
        EXPECT_EQ(pair_run(&pair, &err), ST_OK);
        EXPECT(tls_ready(pair.client) && tls_ready(pair.server));
        pair_talk(&pair);
        pair_close(&pair);
    }
    tls_context_free(contexts[0]);
    tls_context_free(contexts[1]);
    test_certificate_done(&old);
    test_certificate_done(&new);
    buf_done(&bundle);
}

TEST(a_new_certificate_is_for_new_sessions_and_a_broken_one_for_none)
{
    struct node_identity names = test_names("c/objstore/z/n");
    struct test_certificate first;
    struct test_certificate second;
    struct tls_context *context;
    struct tls_material material;
    struct pair early;
    struct pair late;
    struct err err = { 0 };
    int64_t expires_s;

    test_certificate_new(&names, NULL, &first);
    test_certificate_span(&names, &first, -10, 20 * TEST_DAY_S, &second);
    material = test_material(&first);
    EXPECT_EQ(tls_context_new(&names, &material, &context, &err), ST_OK);
    expires_s = tls_context_expires_s(context);
    pair_open(&early, context, context);
    EXPECT_EQ(pair_run(&early, &err), ST_OK);
    EXPECT_EQ(tls_peer(early.client)->not_after_s, expires_s);

    material.certificate = bytes_of_text("broken");
    EXPECT_EQ(tls_context_replace(context, &material, &err), ST_BAD_INPUT);
    EXPECT_EQ(tls_context_expires_s(context), expires_s);
    material = test_material(&second);
    EXPECT_EQ(tls_context_replace(context, &material, &err), ST_OK);
    EXPECT(tls_context_expires_s(context) > expires_s);
    pair_talk(&early);
    EXPECT_EQ(tls_peer(early.client)->not_after_s, expires_s);
    pair_open(&late, context, context);
    EXPECT_EQ(pair_run(&late, &err), ST_OK);
    EXPECT_EQ(tls_peer(late.client)->not_after_s, tls_context_expires_s(context));
    pair_talk(&late);
    pair_close(&early);
    pair_close(&late);
    tls_context_free(context);
    test_certificate_done(&first);
    test_certificate_done(&second);
}

/* ---- many threads ---- */

enum { THREADS = 4, HANDSHAKES = 25 };

struct visitor {
    struct tls_context *context;
    unsigned met;
};

static void *visit(void *argument)
{
    struct visitor *visitor = argument;

    for (unsigned i = 0; i < HANDSHAKES; i++) {
        struct tls_peer_entry entry = { 0 };
        struct pair pair;
        struct err err = { 0 };

        pair_open(&pair, visitor->context, visitor->context);
        if (pair_run(&pair, &err) == ST_OK && tls_ready(pair.server)) {
            entry.facts = *tls_peer(pair.server);
            tls_peers_add(visitor->context, &entry);
            visitor->met++;
            tls_peers_remove(visitor->context, &entry);
        }
        pair_close(&pair);
    }
    return NULL;
}

TEST(threads_make_handshakes_while_certificates_are_exchanged)
{
    struct node_identity names = test_names("c/objstore/z/n");
    struct tls_expiry expiries[TLS_EXPIRIES_MAX];
    struct visitor visitors[THREADS] = { 0 };
    struct test_certificate certificates[2];
    struct tls_context *context;
    struct tls_material material;
    pthread_t threads[THREADS];
    struct err err = { 0 };

    test_certificate_new(&names, NULL, &certificates[0]);
    test_certificate_span(&names, &certificates[0], -10, 20 * TEST_DAY_S, &certificates[1]);
    material = test_material(&certificates[0]);
    EXPECT_EQ(tls_context_new(&names, &material, &context, &err), ST_OK);
    for (unsigned i = 0; i < THREADS; i++) {
        visitors[i].context = context;
        EXPECT_EQ(pthread_create(&threads[i], NULL, visit, &visitors[i]), 0);
    }
    for (unsigned i = 0; i < HANDSHAKES; i++) {
        material = test_material(&certificates[(i + 1) % 2]);
        EXPECT_EQ(tls_context_replace(context, &material, &err), ST_OK);
        EXPECT(tls_expiries(context, expiries) >= 1);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
        EXPECT_EQ(visitors[i].met, HANDSHAKES);
    }
    tls_context_free(context);
    test_certificate_done(&certificates[0]);
    test_certificate_done(&certificates[1]);
}

TEST(a_client_that_its_server_refuses_is_told_so)
{
    struct node_identity names = test_names("c/worker/z/n");
    const struct tls_expected nobody = { true, 0, NULL };
    struct test_certificate own;
    struct tls_context *context;
    struct tls_material material;
    struct pair pair;
    struct err err = { 0 };

    test_certificate_new(&names, NULL, &own);
    material = test_material(&own);
    EXPECT_EQ(tls_context_new(&names, &material, &context, &err), ST_OK);
    pair_open(&pair, context, context);
    tls_session_free(pair.server);
    pair.server = tls_session_new(context, &nobody);
    EXPECT_EQ(pair_run(&pair, &err), ST_DENIED);
    EXPECT_EQ(deliver(pair.client, &pair.to_client, &pair.at_client, &pair.to_server, &err),
              ST_DENIED);
    EXPECT_TEXT(err.text, "the peer refuses us (alert bad certificate), its log says why");
    pair_close(&pair);
    tls_context_free(context);
    test_certificate_done(&own);
}

/* ---- what a program may start with ---- */

enum wrong {
    RIGHT,
    RUN_OUT,
    NO_AUTHORITY,
    GARBAGE_AUTHORITY,
    LEAF_AS_AUTHORITY,
    MANY_AUTHORITIES,
    FOREIGN_AUTHORITY,
    NO_CERTIFICATE,
    CUT_CERTIFICATE,
    OTHER_NODE,
    AUTHORITY_AS_CERTIFICATE,
    LONG_CHAIN,
    NO_KEY,
    OTHER_KEY,
};

static const struct {
    const char *name;
    enum wrong wrong;
    const char *want; /* part of the text; NULL: taken */
} materials[] = {
    { "what is right", RIGHT, NULL },
    { "a certificate that has run out", RUN_OUT, NULL },
    { "no CA", NO_AUTHORITY, "CA bundle: no certificate" },
    { "a CA that cannot be read", GARBAGE_AUTHORITY, "CA bundle: certificate 2 cannot be read" },
    { "a CA that is none", LEAF_AS_AUTHORITY, "certificate 1 is not of a CA" },
    { "a CA too many", MANY_AUTHORITIES, "CA bundle: more than 16" },
    { "a CA of somebody else", FOREIGN_AUTHORITY, "its CA is not in the CA bundle" },
    { "no certificate", NO_CERTIFICATE, "certificate: no certificate" },
    { "half a certificate", CUT_CERTIFICATE, "certificate: certificate 1 cannot be read" },
    { "a certificate of another node", OTHER_NODE, "this program is lapwing://c/objstore/z/n" },
    { "a certificate without identity", AUTHORITY_AS_CERTIFICATE, "0 names of the form" },
    { "a chain that is too long", LONG_CHAIN, "certificate: more than 8" },
    { "no key", NO_KEY, "no private key" },
    { "the key of another", OTHER_KEY, "it is not the certificate's" },
};

static void repeat(struct buf *pem, unsigned times)
{
    size_t len = pem->len;
    uint8_t *copy = must_calloc(1, len);

    memcpy(copy, pem->data, len);
    for (unsigned i = 1; i < times; i++)
        buf_append(pem, copy, len);
    free(copy);
}

static void spoil(struct test_certificate *own,
                  const struct test_certificate *other,
                  enum wrong wrong)
{
    struct tls_material from = test_material(other);

    switch (wrong) {
    case NO_AUTHORITY:
        own->authority.len = 0;
        break;
    case GARBAGE_AUTHORITY:
        repeat(&own->authority, 2);
        own->authority.len -= 60;
        break;
    case LEAF_AS_AUTHORITY:
        own->authority.len = 0;
        buf_append(&own->authority, own->certificate.data, own->certificate.len);
        break;
    case MANY_AUTHORITIES:
        repeat(&own->authority, CERTIFICATE_AUTHORITIES_MAX + 1);
        break;
    case FOREIGN_AUTHORITY:
        own->authority.len = 0;
        buf_append(&own->authority, from.authorities.data, from.authorities.len);
        break;
    case NO_CERTIFICATE:
        own->certificate.len = 0;
        break;
    case CUT_CERTIFICATE:
        own->certificate.len /= 2;
        break;
    case AUTHORITY_AS_CERTIFICATE:
        own->certificate.len = 0;
        buf_append(&own->certificate, own->authority.data, own->authority.len);
        break;
    case LONG_CHAIN:
        repeat(&own->certificate, CERTIFICATE_CHAIN_MAX + 1);
        break;
    case NO_KEY:
        own->key.len = 0;
        break;
    case OTHER_KEY:
        own->key.len = 0;
        buf_append(&own->key, from.key.data, from.key.len);
        break;
    default:
        break;
    }
}

TEST(a_program_starts_only_with_files_that_belong_together)
{
    struct node_identity names = test_names("c/objstore/z/n");
    struct node_identity others = test_names("c/objstore/z/other");
    struct test_certificate other;

    test_certificate_new(&others, NULL, &other);
    for (size_t i = 0; i < ARRAY_LEN(materials); i++) {
        bool old = materials[i].wrong == RUN_OUT;
        struct test_certificate own;
        struct tls_material material;
        struct tls_context *context = NULL;
        struct err err = { 0 };

        test_case = materials[i].name;
        test_certificate_span(materials[i].wrong == OTHER_NODE ? &others : &names, NULL,
                              old ? -3600 : -10, old ? -5 : 3600, &own);
        spoil(&own, &other, materials[i].wrong);
        material = test_material(&own);
        EXPECT_EQ(tls_context_new(&names, &material, &context, &err),
                  materials[i].want == NULL ? ST_OK : ST_BAD_INPUT);
        if (materials[i].want != NULL)
            EXPECT(strstr(err.text, materials[i].want) != NULL);
        tls_context_free(context);
        test_certificate_done(&own);
    }
    test_certificate_done(&other);
}

TEST(bundles_and_chains_may_have_as_many_as_the_limit)
{
    struct node_identity names = test_names("c/objstore/z/n");
    struct test_certificate own;
    struct tls_material material;
    struct tls_context *context = NULL;
    struct err err = { 0 };

    test_certificate_new(&names, NULL, &own);
    repeat(&own.authority, CERTIFICATE_AUTHORITIES_MAX);
    repeat(&own.certificate, CERTIFICATE_CHAIN_MAX);
    material = test_material(&own);
    EXPECT_EQ(tls_context_new(&names, &material, &context, &err), ST_OK);
    tls_context_free(context);
    test_certificate_done(&own);
}

TEST(bytes_that_are_no_tls_are_bad_input)
{
    struct node_identity names = test_names("c/objstore/z/n");
    struct test_certificate own;
    struct tls_context *context = NULL;
    struct tls_material material;
    struct err err = { 0 };

    test_certificate_new(&names, NULL, &own);
    material = test_material(&own);
    EXPECT_EQ(tls_context_new(&names, &material, &context, &err), ST_OK);
    for (int server = 0; server < 2; server++) {
        struct tls_session *session =
            tls_session_new(context, &(struct tls_expected){ server != 0, ~0u, NULL });
        struct buf plain = { 0 };
        struct buf wire = { 0 };

        EXPECT_EQ(
            tls_receive(session, bytes_of_text("GET / HTTP/1.1\r\n\r\n"), &plain, &wire, &err),
            ST_BAD_INPUT);
        EXPECT(!tls_ready(session));
        EXPECT_EQ(plain.len, 0);
        tls_session_free(session);
        buf_done(&plain);
        buf_done(&wire);
    }
    tls_context_free(context);
    test_certificate_done(&own);
}

static const struct {
    uint8_t number;
    const char *want;
} alerts[] = {
    { 40, "the peer refuses us (alert handshake failure), its log says why" },
    { 42, "the peer refuses us (alert bad certificate), its log says why" },
    { 99, "the peer refuses us (alert 99), its log says why" }, /* no such one exists */
};

TEST(an_alert_in_place_of_an_answer_is_told_by_name_or_number)
{
    const struct tls_expected anybody = { false, ~0u, NULL };
    struct stream_identity self;

    test_identity("c/objstore/z/n", &self);
    for (size_t i = 0; i < ARRAY_LEN(alerts); i++) {
        uint8_t record[] = { 21, 3, 3, 0, 2, 2, alerts[i].number };
        struct tls_session *session = tls_session_new(self.tls, &anybody);
        struct buf plain = { 0 };
        struct buf wire = { 0 };
        struct err err = { 0 };

        test_case = alerts[i].want;
        EXPECT_EQ(tls_receive(session, bytes_of(NULL, 0), &plain, &wire, &err), ST_OK);
        EXPECT_EQ(tls_receive(session, bytes_of(record, sizeof record), &plain, &wire, &err),
                  ST_DENIED);
        EXPECT_TEXT(err.text, alerts[i].want);
        tls_session_free(session);
        buf_done(&plain);
        buf_done(&wire);
    }
    identity_done(&self);
}

static const struct {
    const char *name;
    int64_t left_s;
    enum certificate_urgency want;
} urgencies[] = {
    { "a year", 365 * TEST_DAY_S, CERTIFICATE_FINE },
    { "30 days", 30 * TEST_DAY_S, CERTIFICATE_FINE },
    { "a second under 30 days", 30 * TEST_DAY_S - 1, CERTIFICATE_WARN },
    { "7 days", 7 * TEST_DAY_S, CERTIFICATE_WARN },
    { "a second under 7 days", 7 * TEST_DAY_S - 1, CERTIFICATE_ALARM },
    { "over", -1, CERTIFICATE_ALARM },
};

TEST(less_time_is_more_urgent)
{
    for (size_t i = 0; i < ARRAY_LEN(urgencies); i++) {
        test_case = urgencies[i].name;
        EXPECT_EQ(certificate_urgency(1000000000 + urgencies[i].left_s, 1000000000),
                  urgencies[i].want);
    }
}
