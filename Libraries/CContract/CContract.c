#include "CContract.h"

#include <string.h>

// Clang knows #embed in every language version and mentions that it is newer than this one.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char common[] = {
#embed "../../schemas/openapi/common.json"
};
static const unsigned char workspace[] = {
#embed "../../schemas/openapi/workspace.json"
};
static const unsigned char scheduler[] = {
#embed "../../schemas/openapi/scheduler.json"
};
static const unsigned char cluster[] = {
#embed "../../schemas/openapi/cluster.json"
};
static const unsigned char driver[] = {
#embed "../../schemas/openapi/driver.json"
};
static const unsigned char monitoring[] = {
#embed "../../schemas/openapi/monitoring.json"
};

static const struct {
    const char *name;
    const unsigned char *bytes;
    size_t count;
} documents[] = {
    {"common", common, sizeof common},          {"workspace", workspace, sizeof workspace},
    {"scheduler", scheduler, sizeof scheduler}, {"cluster", cluster, sizeof cluster},
    {"driver", driver, sizeof driver},          {"monitoring", monitoring, sizeof monitoring},
};

const unsigned char *contract_document(const char *name, size_t *count) {
    for (size_t index = 0; index < sizeof documents / sizeof documents[0]; index++) {
        if (strcmp(documents[index].name, name) != 0) continue;
        *count = documents[index].count;
        return documents[index].bytes;
    }
    return NULL;
}
