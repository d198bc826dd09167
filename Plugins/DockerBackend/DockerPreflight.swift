public import ClusterBackend
internal import Core
internal import EventLoop

extension DockerBackend {
    private typealias Check = PreflightReport.Check

    /// Whether the engine answers, is new enough, enforces limits, and has the image.
    public func preflight() async -> PreflightReport {
        var checks: [Check] = []
        do throws(HarbourError) {
            let (settings, engine) = try configured.get()
            let about = try await engine.about()
            let version = try await engine.agreedVersion()
            let words = about["Version"]?.string.map { " \($0)" } ?? ""
            checks.append(
                Check(
                    "Docker engine", passed: true,
                    message: "The container engine\(words) answers at \(engine.endpoint.text) with API \(version)."))
            if engine.endpoint.isOpen {
                checks.append(
                    Check(
                        "Docker connection", passed: true,
                        message:
                            "The connection to the engine is not encrypted; whoever reads it can take the engine over. "
                            + "Set HARBOUR_BACKEND_DOCKER_TLS_FOLDER."))
            }
            let ground = try await settle()
            checks.append(limits(ground.machine))
            checks.append(way(ground))
            let image = try await engine.image(settings.image)
            checks.append(
                image != nil
                    ? Check("image", passed: true, message: "The image \(settings.image) is there.")
                    : Check(
                        "image", passed: false,
                        message: "The image \(settings.image) is not on the engine. Build it with deploy/images/build, "
                            + "or pull it."))
        } catch {
            checks.append(Check("Docker engine", passed: false, message: error.message))
        }
        return PreflightReport(checks: checks)
    }

    private func limits(_ machine: EngineInfo) -> Check {
        machine.enforcesMemory && machine.enforcesCores
            ? Check(
                "limits", passed: true,
                message: "\(machine.processors) cores and \(machine.memoryMiB) MiB are there, and limits are enforced.")
            : Check(
                "limits", passed: false,
                message: "The engine's kernel does not enforce limits on memory and cores. Switch its cgroups on.")
    }

    private func way(_ ground: Ground) -> Check {
        switch ground.reach {
        case .socket:
            guard ground.onEngine(context.folder) != nil else {
                return Check(
                    "way to drivers", passed: false,
                    message: "\(context.folder) is inside the service's container only. Mount a volume there.")
            }
            return Check(
                "way to drivers", passed: true, message: "Drivers are reached by sockets in \(context.folder).")
        case .network:
            return Check("way to drivers", passed: true, message: "Drivers are reached by their containers' networks.")
        }
    }
}
