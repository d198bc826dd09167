// The one door to libyaml: its own header.
#ifndef CYAML_H
#define CYAML_H

#include <yaml.h>

#endif
