// Filled together with the module it tests.
