internal import CPlatform
internal import Core
internal import Glibc

/// The descriptors of one spawn: what becomes 0, 1, 2, ... of the child, which of them we have opened for it, and our
/// ends of the pipes.
struct DescriptorPlan {
    private(set) var child: [Int32] = []
    private(set) var input: Int32?
    private(set) var output: Int32?
    private(set) var errors: Int32?
    private var opened: [Int32] = []
    private var ours: [Int32] = []

    mutating func open(_ specification: ProcessSpecification) throws(HarbourError) {
        switch specification.input {
        case .inherited: child.append(0)
        case .null: child.append(try file("/dev/null", O_RDONLY))
        case .pipe:
            let (reader, writer) = try pipe()
            input = writer
            try own(reader, peer: writer)
        }
        output = try openOutput(specification.output, inherited: 1)
        errors = try openOutput(specification.errors, inherited: 2)
        child += specification.descriptors
    }

    /// Our end, when it is a pipe.
    private mutating func openOutput(_ target: ProcessSpecification.Output, inherited: Int32) throws(HarbourError)
        -> Int32?
    {
        switch target {
        case .inherited: child.append(inherited)
        case .null: child.append(try file("/dev/null", O_WRONLY))
        case .file(let path): child.append(try file(path, O_WRONLY | O_APPEND | O_CREAT))
        case .sameAsOutput: child.append(child.count > 1 ? child[1] : inherited)
        case .pipe:
            let (reader, writer) = try pipe()
            try own(writer, peer: reader)
            return reader
        }
        return nil
    }

    private mutating func file(_ path: String, _ flags: Int32) throws(HarbourError) -> Int32 {
        let descriptor = Glibc.open(path, flags | O_CLOEXEC | O_NOCTTY, 0o600)
        guard descriptor >= 0 else {
            let code: ErrorCode = errno == ENOENT ? .notFound : errno == EACCES ? .permissionDenied : .unavailable
            throw .system("The file \(path) could not be opened", errno, code: code)
        }
        opened.append(descriptor)
        return descriptor
    }

    /// The child's end goes to the child; ours must not block the loop.
    private mutating func own(_ childEnd: Int32, peer: Int32) throws(HarbourError) {
        child.append(childEnd)
        opened.append(childEnd)
        ours.append(peer)
        guard fcntl(peer, F_SETFL, O_NONBLOCK) == 0 else { throw .system("A pipe could not be made", errno) }
    }

    private func pipe() throws(HarbourError) -> (reader: Int32, writer: Int32) {
        var ends: [Int32] = [-1, -1]
        guard platform_pipe(&ends, false) == 0 else { throw .system("A pipe could not be made", errno) }
        return (ends[0], ends[1])
    }

    mutating func closeChildEnds() {
        for descriptor in opened { close(descriptor) }
        opened = []
    }

    mutating func closeOurEnds() {
        for descriptor in ours { close(descriptor) }
        ours = []
    }
}
