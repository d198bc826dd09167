// The one door to libpq: its own header, and what Swift cannot call made callable.
#ifndef CPOSTGRES_H
#define CPOSTGRES_H

#include <postgresql/libpq-fe.h>

#endif
