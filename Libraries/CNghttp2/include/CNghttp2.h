// The one door to libnghttp2: its own header, and what Swift cannot call made callable.
#ifndef CNGHTTP2_H
#define CNGHTTP2_H

#include <nghttp2/nghttp2.h>

#endif
