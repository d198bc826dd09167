// Filled by the module of this name.
