// The one door to libcurl: its own header, and what Swift cannot call (variadic functions, a union) made callable.
#ifndef CCURL_H
#define CCURL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

/// curl_easy_setopt for options that take a number.
CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value);

/// curl_easy_setopt for options that take a size.
CURLcode ccurl_set_size(CURL *easy, CURLoption option, curl_off_t value);

/// curl_easy_setopt for options that take a text, which is copied unless the option says otherwise; NULL resets it.
CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *value);

/// curl_easy_setopt for options that take a pointer, which must outlive the transfer.
CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, void *value);

/// Called with received bytes: a piece of the body, or one header line.
typedef size_t (*ccurl_receive)(char *bytes, size_t size, size_t count, void *argument);
/// Called for bytes to send.
typedef size_t (*ccurl_supply)(char *buffer, size_t size, size_t count, void *argument);

/// The three callbacks of a transfer, with one argument for all.
CURLcode ccurl_set_callbacks(
    CURL *easy, ccurl_receive header, ccurl_receive body, ccurl_supply upload, void *argument);

/// Called to open the socket of a connection to an address; CURL_SOCKET_BAD to refuse.
typedef curl_socket_t (*ccurl_open_socket)(void *argument, curlsocktype purpose, struct curl_sockaddr *address);

/// Who opens the sockets of a transfer.
CURLcode ccurl_set_open_socket(CURL *easy, ccurl_open_socket open, void *argument);

/// The address of a socket that is to be opened; the structure has it in place.
const struct sockaddr *ccurl_address(const struct curl_sockaddr *address);

typedef int (*ccurl_socket)(CURL *easy, curl_socket_t socket, int what, void *argument, void *socket_argument);
typedef int (*ccurl_timer)(CURLM *multi, long milliseconds, void *argument);

/// The two callbacks of a multi handle, with one argument for both.
CURLMcode ccurl_multi_set_callbacks(CURLM *multi, ccurl_socket socket, ccurl_timer timer, void *argument);

/// curl_multi_setopt for options that take a number.
CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value);

/// Takes the next finished transfer; false when there is none.
bool ccurl_next_finished(CURLM *multi, CURL **easy, CURLcode *result);

/// The status of the last answer, or 0.
long ccurl_status(CURL *easy);

/// How many connections the transfer has opened: 0 when it used one that was open.
long ccurl_connections_made(CURL *easy);

/// The argument that was set as CURLOPT_PRIVATE.
void *ccurl_private(CURL *easy);

#endif
