import ClusterService
import DockerBackend
import LocalBackend
import RemoteBackend
import ServiceKit
import SparkBackend

// A backend is one line here: see Plugins/README.md.
ServiceRuntime.main(
    ClusterService.definition(backends: [
        BackendFactory("local") { LocalBackend(context: $0, loop: $1) },
        BackendFactory("remote", settings: RemoteBackend.settings) { try RemoteBackend(context: $0, loop: $1) },
        BackendFactory("spark", settings: SparkBackend.settings) { try SparkBackend(context: $0, loop: $1) },
        BackendFactory("docker", settings: DockerBackend.settings) { DockerBackend(context: $0, loop: $1) },
    ]))
