internal import CPlatform
internal import Core
internal import Glibc

/// What the spawning thread hands to the loop: a running child, not watched yet. Whoever gets it owns the descriptors.
struct SpawnedProcess: Sendable {
    var identity: ProcessIdentity
    var pidfd: Int32
    var ownsGroup: Bool
    var input: Int32?
    var output: Int32?
    var errors: Int32?

    /// Kills and reaps a child that cannot be watched.
    func abandon() {
        if ownsGroup { kill(-identity.pid, SIGKILL) } else { kill(identity.pid, SIGKILL) }
        while waitpid(identity.pid, nil, 0) < 0 && errno == EINTR {}
    }

    static func spawn(_ specification: ProcessSpecification) throws(HarbourError) -> SpawnedProcess {
        platform_prepare_spawning()
        let environment = try ProcessEnvironment.resolve(specification.environment)
        let path = try ProcessEnvironment.find(specification.executable, path: environment["PATH"])
        guard specification.descriptors.count + 3 <= Int(PLATFORM_SPAWN_DESCRIPTORS) else {
            throw HarbourError(.invalidParameter, "A process can be given at most 13 descriptors.")
        }
        var plan = DescriptorPlan()
        defer { plan.closeChildEnds() }
        do throws(HarbourError) {
            try plan.open(specification)
            var pidfd: Int32 = -1
            let pid = try start(specification, path, environment, plan.child, pidfd: &pidfd)
            guard let identity = ProcessIdentity(pid: pid) else {
                kill(pid, SIGKILL)
                while waitpid(pid, nil, 0) < 0 && errno == EINTR {}
                close(pidfd)
                throw HarbourError(.unavailable, "A started process could not be found in /proc; is it mounted?")
            }
            let ownsGroup = if case .inherited = specification.group { false } else { true }
            return SpawnedProcess(
                identity: identity, pidfd: pidfd, ownsGroup: ownsGroup, input: plan.input, output: plan.output,
                errors: plan.errors)
        } catch {
            plan.closeOurEnds()
            throw error
        }
    }

    private static func start(
        _ specification: ProcessSpecification, _ path: String, _ environment: [String: String],
        _ descriptors: [Int32], pidfd: inout Int32
    ) throws(HarbourError) -> Int32 {
        let arguments = try CStringArray([specification.executable] + specification.arguments)
        let variables = try CStringArray(environment.map { "\($0.key)=\($0.value)" })
        let directory = try CStringArray(specification.directory.map { [$0] } ?? [])
        let program = try CStringArray([path])
        defer { for array in [arguments, variables, directory, program] { array.free() } }
        let limits = specification.limits.map {
            platform_limit(resource: $0.resource.rawValue, soft: $0.soft, hard: $0.hard)
        }
        var stage: Int32 = 0
        var failure: Int32 = 0
        let pid = descriptors.withUnsafeBufferPointer { descriptors in
            limits.withUnsafeBufferPointer { limits in
                var spawn = platform_spawn_request()
                spawn.path = UnsafePointer(program.pointers[0])
                spawn.arguments = UnsafePointer(arguments.pointers)
                spawn.environment = UnsafePointer(variables.pointers)
                spawn.directory = UnsafePointer(directory.pointers[0])
                spawn.descriptors = descriptors.baseAddress
                spawn.descriptor_count = Int32(descriptors.count)
                spawn.group = group(specification.group)
                spawn.parent_death_signal = specification.parentDeathSignal ?? 0
                spawn.nice = specification.nice
                spawn.limits = limits.baseAddress
                spawn.limit_count = Int32(limits.count)
                return platform_spawn(&spawn, &pidfd, &stage, &failure)
            }
        }
        guard pid > 0 else { throw error(specification, stage: UInt32(stage), failure) }
        return pid
    }

    private static func group(_ group: ProcessSpecification.Group) -> platform_group {
        switch group {
        case .inherited: PLATFORM_GROUP_INHERITED
        case .own: PLATFORM_GROUP_OWN
        case .session: PLATFORM_GROUP_SESSION
        }
    }

    private static func error(_ specification: ProcessSpecification, stage: UInt32, _ number: Int32) -> HarbourError {
        let name = specification.executable
        let code: ErrorCode =
            switch number {
            case ENOENT, ENOTDIR: .notFound
            case EACCES, EPERM: .permissionDenied
            case EINVAL, E2BIG, ENAMETOOLONG, ENOEXEC, EBADF: .invalidParameter
            default: .unavailable
            }
        let what =
            switch platform_spawn_stage(stage) {
            case PLATFORM_STAGE_DIRECTORY:
                "The folder \(specification.directory ?? "") that \(name) is to run in cannot be entered"
            case PLATFORM_STAGE_LIMIT: "A resource limit of \(name) could not be set"
            case PLATFORM_STAGE_NICE: "The priority of \(name) could not be set"
            case PLATFORM_STAGE_DESCRIPTORS: "The inputs and outputs of \(name) could not be set up"
            default: "The program \(name) could not be started"
            }
        return .system(what, number, code: code)
    }
}

/// A NULL-terminated array of C strings on the heap, freed by its owner.
private struct CStringArray {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) throws(HarbourError) {
        guard !strings.contains(where: { $0.utf8.contains(0) }) else {
            throw HarbourError(
                .invalidParameter, "The program, its arguments and its variables must not hold NUL characters.")
        }
        count = strings.count
        pointers = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { pointers[index] = strdup(string) }
        pointers[count] = nil
    }

    func free() {
        for index in 0..<count { Glibc.free(pointers[index]) }
        pointers.deallocate()
    }
}
