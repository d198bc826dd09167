// The one door to libcurl: its own header, and what Swift cannot call made callable.
#ifndef CCURL_H
#define CCURL_H

#include <curl/curl.h>

#endif
