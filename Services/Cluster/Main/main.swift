import ClusterService
import LocalBackend
import ServiceKit

// A backend is one line here: see Plugins/README.md.
ServiceRuntime.main(
    ClusterService.definition(backends: [
        BackendFactory("local") { LocalBackend(context: $0, loop: $1) }
    ]))
