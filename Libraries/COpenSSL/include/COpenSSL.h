// The one door to OpenSSL: its own headers, and what Swift cannot call (macros, stacks) made callable.
#ifndef COPENSSL_H
#define COPENSSL_H

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/random.h>

/// Sets what every context of ours has: protocol versions, modes, no renegotiation, no prompt for key passwords.
bool openssl_context_prepare(SSL_CTX *context, int minimum_version);

/// Attaches two memory BIOs to the session, which then owns them: *input is read by it, *output is written by it.
bool openssl_session_attach(SSL *session, BIO **input, BIO **output);

/// Sets the name that is sent in the handshake (SNI).
bool openssl_session_set_name(SSL *session, const char *name);

/// Makes the list of acceptable client authorities that the server sends; the file's certificates.
bool openssl_context_set_client_authorities(SSL_CTX *context, const char *file);

/// How many bytes wait in a memory BIO.
size_t openssl_bio_pending(BIO *bio);

/// One subject alternative name: type is GEN_DNS, GEN_URI, GEN_EMAIL or GEN_IPADD.
typedef void (*openssl_name_visitor)(void *argument, int type, const unsigned char *bytes, int count);

/// Visits the subject alternative names of a certificate.
void openssl_certificate_visit_names(X509 *certificate, openssl_name_visitor visit, void *argument);

/// The subject in RFC 2253 form, to be released with openssl_release, or NULL.
char *openssl_certificate_subject(X509 *certificate);
void openssl_release(void *bytes);

/// Seconds since the epoch at which the certificate ends, or INT64_MIN when that cannot be read.
int64_t openssl_certificate_end(X509 *certificate);

/// SHA-256 whose state can be kept between processes: eight words and the number of bytes. Both hold only whole blocks of
/// 64 bytes, which callers see to. OpenSSL's newer interface hides the state.
void openssl_sha256_begin(uint32_t state[8]);
void openssl_sha256_blocks(uint32_t state[8], const unsigned char *bytes, size_t count);

/// The digest of the bytes whose state is given, `before` of them, and `count` more.
void openssl_sha256_end(const uint32_t state[8], uint64_t before, const unsigned char *bytes, size_t count,
                        unsigned char digest[32]);

/// The library and the reason in a packed error of OpenSSL's queue.
int openssl_error_library(unsigned long code);
int openssl_error_reason(unsigned long code);

#endif
