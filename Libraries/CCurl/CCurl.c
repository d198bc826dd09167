#include "CCurl.h"

CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value)
{
    return curl_easy_setopt(easy, option, value);
}

CURLcode ccurl_set_size(CURL *easy, CURLoption option, curl_off_t value)
{
    return curl_easy_setopt(easy, option, value);
}

CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *value)
{
    return curl_easy_setopt(easy, option, value);
}

CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, void *value)
{
    return curl_easy_setopt(easy, option, value);
}

CURLcode ccurl_set_callbacks(
    CURL *easy, ccurl_receive header, ccurl_receive body, ccurl_supply upload, void *argument)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, argument);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, argument);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_READFUNCTION, upload);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_READDATA, argument);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_PRIVATE, argument);
    return code;
}

CURLcode ccurl_set_open_socket(CURL *easy, ccurl_open_socket open, void *argument)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open);
    return code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, argument) : code;
}

const struct sockaddr *ccurl_address(const struct curl_sockaddr *address)
{
    return &address->addr;
}

CURLMcode ccurl_multi_set_callbacks(CURLM *multi, ccurl_socket socket, ccurl_timer timer, void *argument)
{
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket);
    if (code == CURLM_OK)
        code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, argument);
    if (code == CURLM_OK)
        code = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer);
    if (code == CURLM_OK)
        code = curl_multi_setopt(multi, CURLMOPT_TIMERDATA, argument);
    return code;
}

CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value)
{
    return curl_multi_setopt(multi, option, value);
}

bool ccurl_next_finished(CURLM *multi, CURL **easy, CURLcode *result)
{
    int left;
    for (CURLMsg *message = curl_multi_info_read(multi, &left); message; message = curl_multi_info_read(multi, &left)) {
        if (message->msg != CURLMSG_DONE)
            continue;
        *easy = message->easy_handle;
        *result = message->data.result;
        return true;
    }
    return false;
}

long ccurl_status(CURL *easy)
{
    long status = 0;
    return curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK ? status : 0;
}

long ccurl_connections_made(CURL *easy)
{
    long count = 0;
    return curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &count) == CURLE_OK ? count : 0;
}

void *ccurl_private(CURL *easy)
{
    void *argument = NULL;
    return curl_easy_getinfo(easy, CURLINFO_PRIVATE, &argument) == CURLE_OK ? argument : NULL;
}
