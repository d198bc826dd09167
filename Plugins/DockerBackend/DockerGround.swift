internal import ClusterBackend
internal import Core
internal import EventLoop
internal import Glibc

/// What is the same for all clusters of one engine.
struct Ground: Sendable {
    var machine: EngineInfo
    var reach: DockerSettings.Reach
    /// The container that the service runs in, when it runs in one of this engine.
    var own: EngineContainer?

    /// Where the engine finds a folder that the service calls so; nil when it cannot see it.
    func onEngine(_ path: String) -> String? {
        guard let own else { return path }
        let mounts = own.mounts.filter { path == $0.destination || path.hasPrefix("\($0.destination)/") }
        guard let mount = mounts.max(by: { $0.destination.utf8.count < $1.destination.utf8.count }) else { return nil }
        return mount.source + path.dropFirst(mount.destination.count)
    }
}

extension DockerBackend {
    /// Looks at the engine's machine and at where we are, the first time.
    func settle() async throws(HarbourError) -> Ground {
        if let ground { return ground }
        let (settings, engine) = try configured.get()
        let machine = try await engine.info()
        guard machine.isLinux else {
            throw HarbourError(.backendUnavailable, "The container engine runs no Linux containers. Use one that does.")
        }
        var own: EngineContainer?
        for candidate in settings.ownContainer.map({ [$0] }) ?? OwnContainer.candidates() {
            if let found = try await engine.container(candidate) {
                own = found
                break
            }
        }
        let reach = settings.reach ?? (own == nil && settings.endpoint.socket != nil ? .socket : .network)
        let ground = Ground(machine: machine, reach: reach, own: own)
        self.ground = ground
        return ground
    }

    /// As whom the nodes' processes run: as we do, so that the socket in our folder is ours; in a rootless engine as its
    /// root, which is we; else as the image says.
    func user(of image: EngineImage, _ ground: Ground) throws(HarbourError) -> NodeUser {
        if let text = try settings.user, let user = NodeUser(text) { return user }
        if ground.machine.isRootless { return NodeUser(0, 0) }
        if ground.reach == .socket && geteuid() != 0 { return NodeUser(geteuid(), getegid()) }
        if image.user.isEmpty { return NodeUser(0, 0) }
        guard let user = NodeUser(image.user) else {
            throw HarbourError(
                .launchFailed,
                "The image's user \(image.user.prefix(64)) is a name. Give it as a number in the image, "
                    + "or set HARBOUR_BACKEND_DOCKER_USER.")
        }
        return user
    }

    /// Where the service finds the driver of a container that runs.
    func address(of driver: EngineContainer, _ id: ClusterIdentifier, _ ground: Ground) throws(HarbourError)
        -> DriverAddress
    {
        if ground.reach == .socket { return .unix(path: folder(id).socket) }
        let network = try settings.network ?? names.network(id)
        guard let address = driver.addresses[network] else {
            throw HarbourError(
                .launchFailed, "The driver's container has no address in the network \(network). Look at the engine.")
        }
        return .http(host: address, port: DockerPlan.driverPort)
    }

    nonisolated func folder(_ id: ClusterIdentifier) -> DockerFolder {
        DockerFolder(root: context.folder, names, id)
    }
}
