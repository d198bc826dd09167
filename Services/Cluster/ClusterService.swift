// Filled by the service it starts.
