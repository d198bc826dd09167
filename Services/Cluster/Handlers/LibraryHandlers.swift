internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients
internal import ServiceKit

/// The routes of libraries.
struct LibraryHandlers: Sendable {
    let engine: ClusterEngine

    func register(on router: ServiceRouter) {
        router.on(ClusterAPI.installLibraries) { [engine] input, context in
            for library in input.body.libraries {
                if let problem = LaunchPlan.problem(of: library) {
                    throw HarbourError(.invalidParameter, "Each of `libraries` \(problem).")
                }
            }
            let controller = try await engine.controller(input.body.clusterID)
            try await controller.installLibraries(input.body.libraries, context.call())
            return Empty()
        }
        router.on(ClusterAPI.uninstallLibraries) { [engine] input, _ in
            let controller = try await engine.controller(input.body.clusterID)
            try await controller.context.libraries.set(input.body.libraries, removed: true, of: controller.id)
            return Empty()
        }
        router.on(ClusterAPI.listLibraryStatuses) { [engine] input, context in
            let controller = try await engine.controller(input.clusterID)
            return ClusterLibraryStatuses(
                clusterID: input.clusterID, libraryStatuses: try await controller.libraryStatuses(context.call()))
        }
    }
}

extension ClusterController {
    /// Adds libraries for good, and to the driver at once when the cluster runs.
    func installLibraries(_ libraries: [Library], _ call: CallContext) async throws {
        let all = LibraryStore.merged(row.spec.libraries ?? [], try await context.libraries.changes(of: id))
        guard Set(all + libraries).count <= 200 else {
            throw HarbourError(.resourceExhausted, "A cluster has 200 libraries at most.")
        }
        try await context.libraries.set(libraries, removed: false, of: id)
        guard record.step == .running, let link else { return }
        _ = try await link.client.call(
            DriverAPI.installLibraries, .init(body: InstallDriverLibraries(libraries: libraries)), context: call)
    }

    /// Writes down again the libraries that the driver has beside those of the specification, once the row was lost.
    func keepLibraries(of link: DriverLink) async {
        var pause = Pause(from: .milliseconds(100), to: .seconds(5))
        while self.link?.generation == link.generation, !isForgotten {
            do {
                let found = try await link.client.call(DriverAPI.listLibraries, .init()).libraries.map(\.library)
                let changed = try await context.libraries.changes(of: id).map(\.library)
                let known = Set((row.spec.libraries ?? []) + changed)
                let lost = found.filter { !known.contains($0) }
                if !lost.isEmpty { try await context.libraries.set(lost, removed: false, of: id) }
                return
            } catch {
                logger.warning("lost libraries are not known yet", ["error": HarbourError.describe(error)])
                guard (try? await pause.wait(on: context.loop)) != nil else { return }
            }
        }
    }

    /// The cluster's libraries, with how far its driver is; all PENDING while it does not run.
    func libraryStatuses(_ call: CallContext) async throws -> [LibraryFullStatus] {
        let changes = try await context.libraries.changes(of: id)
        let wanted = LibraryStore.merged(row.spec.libraries ?? [], changes)
        guard record.step == .running, let link else {
            return wanted.map { LibraryFullStatus(library: $0, status: .pending) }
        }
        var found = try await link.client.call(DriverAPI.listLibraries, .init(), context: call).libraries
        for index in found.indices where !wanted.contains(found[index].library) {
            found[index].status = .uninstallOnRestart
        }
        let known = Set(found.map(\.library))
        return found + wanted.filter { !known.contains($0) }.map { LibraryFullStatus(library: $0, status: .pending) }
    }
}
