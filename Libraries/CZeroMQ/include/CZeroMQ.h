// The one door to libzmq: its own header, and what Swift cannot call made callable.
#ifndef CZEROMQ_H
#define CZEROMQ_H

#include <zmq.h>

#endif
