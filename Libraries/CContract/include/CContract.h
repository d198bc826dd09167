// The documents of schemas/openapi, in the executable as they stand in the repository.
#ifndef CCONTRACT_H
#define CCONTRACT_H

#include <stddef.h>

/// The bytes of `schemas/openapi/<name>.json`; NULL when there is no such document.
const unsigned char *contract_document(const char *name, size_t *count);

#endif
