internal import ClusterBackend
internal import Core

extension ExamSession {
    func resumableLogs() async throws {
        let backend = try await backend()
        guard backend.capabilities.has(.logs) else { return }
        let id = try newID()
        let (request, cluster) = try await start(backend, id)
        _ = try await identify(cluster, request)
        let token = request.launch.token
        for number in 1...5 { try await subject.say("exam line \(number)", at: cluster.driver, token: token) }
        let all = try await lines(backend, cluster.handle, after: 0, atLeast: 5)
        try expect(texts(all) == (1...5).map { "exam line \($0)" }, "all lines should come, in order, not \(all)")
        try expect(
            zip(all, all.dropFirst()).allSatisfy { $0.sequence < $1.sequence }, "the numbers of lines should grow")
        let third = try line("exam line 3", in: all)
        let rest = try await lines(backend, cluster.handle, after: third.sequence, atLeast: 2)
        try expect(texts(rest) == ["exam line 4", "exam line 5"], "reading should resume after a line, not \(rest)")
        await backend.close()

        let restarted = try await self.backend()
        _ = try await restarted.recover([RecoveryEntry(id: id, handle: cluster.handle)], asOf: .now)
        let again = try await lines(restarted, cluster.handle, after: third.sequence, atLeast: 2)
        try expect(
            again.map(\.sequence) == rest.map(\.sequence), "the numbers should be the same after a restart")
        let followed = Collected<BackendLogLine>()
        let last = rest.last?.sequence ?? 0
        let following = Task {
            try await restarted.logs(of: cluster.handle, after: last, follow: true) { followed.add($0) }
        }
        try await subject.say("exam line 6", at: cluster.driver, token: token)
        try await within(ExamSession.patience, "a new line") { await followed.wait { !$0.isEmpty } }
        try await subject.say("exam line 7", at: cluster.driver, token: token)
        try await subject.kill(id)
        try await within(ExamSession.patience, "the end of a followed log") { try await following.value }
        try expect(
            texts(followed.elements) == ["exam line 6", "exam line 7"],
            "following should bring each new line once, not \(followed.elements)")
        let dead = try await lines(restarted, cluster.handle, after: last, atLeast: 2)
        try expect(texts(dead).count == 2, "the lines of a dead driver should stay readable")
        try await terminate(restarted, id, cluster.handle)
    }

    private func texts(_ lines: [BackendLogLine]) -> [String] {
        lines.map(\.text).filter { $0.hasPrefix("exam line") }
    }

    private func line(_ text: String, in lines: [BackendLogLine]) throws -> BackendLogLine {
        guard let line = lines.first(where: { $0.text == text }) else { throw fail("\"\(text)\" should be there") }
        return line
    }

    /// Reads until the present end, again until there are enough, for a line may be on its way.
    private func lines(
        _ backend: any ClusterBackend, _ handle: ClusterHandle, after sequence: Int64, atLeast count: Int
    ) async throws -> [BackendLogLine] {
        try await within(ExamSession.patience, "reading \(count) lines") { [self] in
            while true {
                let read = Collected<BackendLogLine>()
                try await backend.logs(of: handle, after: sequence, follow: false) { read.add($0) }
                if texts(read.elements).count >= count { return read.elements }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    func resumableStats() async throws {
        let backend = try await backend()
        guard backend.capabilities.has(.stats) else { return }
        let id = try newID()
        let (request, cluster) = try await start(backend, id)
        _ = try await identify(cluster, request)
        let first = try await samples(backend, cluster.handle, after: 0)
        try expect(first.contains { $0.node == "driver" }, "the driver should be among the nodes")
        for sample in first {
            try expect(sample.memoryBytes > 0 && sample.processes > 0, "a sample should have measured something")
        }
        await backend.close()
        let restarted = try await self.backend()
        _ = try await restarted.recover([RecoveryEntry(id: id, handle: cluster.handle)], asOf: .now)
        let last = first.map(\.sequence).max() ?? 0
        let second = try await samples(restarted, cluster.handle, after: last)
        try expect(second.allSatisfy { $0.sequence > last }, "samples should resume after the last one seen")
        try expect(
            (second.first?.cpuTime ?? .zero) >= (first.first?.cpuTime ?? .zero), "totals should not fall")
        let ending = Task {
            try await restarted.stats(of: cluster.handle, after: 0, every: .milliseconds(100)) { _ in }
        }
        try await terminate(restarted, id, cluster.handle)
        try await within(ExamSession.patience, "the end of the samples") { try await ending.value }
    }

    private func samples(
        _ backend: any ClusterBackend, _ handle: ClusterHandle, after sequence: Int64
    ) async throws -> [NodeStats] {
        let read = Collected<NodeStats>()
        let reading = Task {
            try await backend.stats(of: handle, after: sequence, every: .milliseconds(100)) { read.add($0) }
        }
        try await within(ExamSession.patience, "two samples") {
            await read.wait { Set($0.map(\.sequence)).count >= 2 }
        }
        reading.cancel()
        _ = await reading.result
        return read.elements
    }

    func cancellationOfStreams() async throws {
        let backend = try await backend()
        let id = try newID()
        let (request, cluster) = try await start(backend, id)
        _ = try await identify(cluster, request)
        let seen = Collected<ClusterStatus>()
        var streams = [Task { try await backend.watch(cluster.handle) { seen.add($0) } }]
        if backend.capabilities.has(.logs) {
            streams.append(
                Task { try await backend.logs(of: cluster.handle, after: 0, follow: true) { _ in } })
        }
        if backend.capabilities.has(.stats) {
            streams.append(
                Task { try await backend.stats(of: cluster.handle, after: 0, every: .seconds(3600)) { _ in } })
        }
        try await within(ExamSession.patience, "the first status") { await seen.wait { !$0.isEmpty } }
        for stream in streams { stream.cancel() }
        try await within(ExamSession.patience, "the end of cancelled streams") { [streams] in
            for stream in streams { _ = await stream.result }
        }
        struct Enough: Error {}
        do {
            try await within(ExamSession.patience, "the end of a stream whose receiver throws") {
                try await backend.watch(cluster.handle) { _ in throw Enough() }
            }
            throw fail("an error of the receiver should come out")
        } catch is Enough {
            // As it should be.
        }
        try expect(
            try await backend.status(of: cluster.handle) == .running(workers: 0), "streams are no part of a cluster")
        try await terminate(backend, id, cluster.handle)
    }

    func secrecy() async throws {
        let backend = try await backend()
        let id = try newID()
        var request = subject.request(id, workers: 0)
        let words = ["token", "variable", "file"].map { "exam-secret-\($0)-\(Identifier.secret(bytes: 8))" }
        request.launch.token = Secret(words[0])
        request.spec.secretEnvironment["EXAM_SECRET"] = Secret(words[1])
        request.launch.files.append(LaunchFile(name: "exam.secret", content: Array(words[2].utf8)))
        var texts: [String] = []
        let events = Collected<ProvisionEvent>()
        let cluster = try await backend.provision(request) { events.add($0) }
        let identity = try await identify(cluster, request)
        texts += events.elements.map { String(reflecting: $0) } + [String(reflecting: cluster), identity.process]
        texts += events.elements.map { event in
            guard case .handle(let handle) = event else { return "" }
            return String(decoding: handle.payload, as: UTF8.self)
        }
        texts.append(String(decoding: cluster.handle.payload, as: UTF8.self))
        texts += try await subject.listing() + subject.remains(of: id)
        if backend.capabilities.has(.logs) {
            let lines = Collected<BackendLogLine>()
            try await backend.logs(of: cluster.handle, after: 0, follow: false) { lines.add($0) }
            texts += lines.elements.map(\.text)
        }
        var other = request
        other.spec.sparkConf["spark.exam"] = "another wish"
        let refused = try await expectError("another wish") { [other] in try await backend.provision(other) { _ in } }
        texts.append(refused.describeChain())
        texts.append(String(reflecting: request))
        for word in words {
            for text in texts where text.contains(word) {
                throw fail("the secret \(word.prefix(20)) should not be readable, but is in: \(text.prefix(400))")
            }
        }
        try await terminate(backend, id, cluster.handle)
    }
}
