#define _GNU_SOURCE
#include "COpenSSL.h"

#include <openssl/sha.h>
#include <string.h>
#include <time.h>

/// Without this, OpenSSL asks for the password of an encrypted key on the terminal.
static int refuse_password(char *buffer, int size, int writing, void *argument)
{
    (void)buffer, (void)size, (void)writing, (void)argument;
    return -1;
}

bool openssl_context_prepare(SSL_CTX *context, int minimum_version)
{
    if (SSL_CTX_set_min_proto_version(context, minimum_version) != 1)
        return false;
    if (SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1)
        return false;
    // Forward secrecy and authenticated encryption only; concerns TLS 1.2, 1.3 has nothing else.
    if (SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
        return false;
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    // An idle connection gives its record buffers back.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_default_passwd_cb(context, refuse_password);
    // Certificates are not to be fetched for, nor sessions kept by, the client; servers hand out tickets.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return true;
}

bool openssl_session_attach(SSL *session, BIO **input, BIO **output)
{
    *input = BIO_new(BIO_s_mem());
    *output = BIO_new(BIO_s_mem());
    if (!*input || !*output) {
        BIO_free(*input);
        BIO_free(*output);
        return false;
    }
    BIO_set_mem_eof_return(*input, -1);
    BIO_set_mem_eof_return(*output, -1);
    SSL_set_bio(session, *input, *output);
    return true;
}

bool openssl_session_set_name(SSL *session, const char *name)
{
    return SSL_set_tlsext_host_name(session, name) == 1;
}

bool openssl_context_set_client_authorities(SSL_CTX *context, const char *file)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);
    if (!names)
        return false;
    SSL_CTX_set_client_CA_list(context, names);
    return true;
}

size_t openssl_bio_pending(BIO *bio)
{
    return BIO_ctrl_pending(bio);
}

void openssl_certificate_visit_names(X509 *certificate, openssl_name_visitor visit, void *argument)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int index = 0; index < sk_GENERAL_NAME_num(names); index++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
        const ASN1_STRING *text;
        switch (name->type) {
        case GEN_DNS:
        case GEN_URI:
        case GEN_EMAIL:
            text = name->d.ia5;
            break;
        case GEN_IPADD:
            text = name->d.iPAddress;
            break;
        default:
            continue;
        }
        visit(argument, name->type, ASN1_STRING_get0_data(text), ASN1_STRING_length(text));
    }
    GENERAL_NAMES_free(names);
}

char *openssl_certificate_subject(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (!bio)
        return NULL;
    char *copy = NULL;
    // UTF-8 stays UTF-8; control characters are still escaped.
    const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    if (X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, flags) >= 0) {
        char *bytes;
        const long count = BIO_get_mem_data(bio, &bytes);
        if (count >= 0)
            copy = OPENSSL_strndup(count == 0 ? "" : bytes, (size_t)count);
    }
    BIO_free(bio);
    return copy;
}

void openssl_release(void *bytes)
{
    OPENSSL_free(bytes);
}

int64_t openssl_certificate_end(X509 *certificate)
{
    struct tm time;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1)
        return INT64_MIN;
    return timegm(&time);
}

int openssl_error_library(unsigned long code)
{
    return ERR_GET_LIB(code);
}

int openssl_error_reason(unsigned long code)
{
    return ERR_GET_REASON(code);
}

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"

static SHA256_CTX resumed(const uint32_t state[8], uint64_t before)
{
    SHA256_CTX context;
    SHA256_Init(&context);
    memcpy(context.h, state, 32);
    // The length is counted in bits, as two words.
    context.Nl = (SHA_LONG)(before << 3);
    context.Nh = (SHA_LONG)(before >> 29);
    return context;
}

void openssl_sha256_begin(uint32_t state[8])
{
    SHA256_CTX context;
    SHA256_Init(&context);
    memcpy(state, context.h, 32);
}

void openssl_sha256_blocks(uint32_t state[8], const unsigned char *bytes, size_t count)
{
    SHA256_CTX context = resumed(state, 0);
    SHA256_Update(&context, bytes, count);
    memcpy(state, context.h, 32);
}

void openssl_sha256_end(const uint32_t state[8], uint64_t before, const unsigned char *bytes, size_t count,
                        unsigned char digest[32])
{
    SHA256_CTX context = resumed(state, before);
    SHA256_Update(&context, bytes, count);
    SHA256_Final(digest, &context);
}

#pragma clang diagnostic pop
