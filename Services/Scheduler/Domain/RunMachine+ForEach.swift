internal import Core

// For-each tasks: their iterations are tasks of the run from the moment on in which the for-each task begins.

extension RunMachine {
    /// Makes the iterations of a for-each task that begins.
    ///
    /// Begun again by a repair with the same inputs, it keeps the iterations that succeeded.
    /// - Returns: why it cannot be.
    mutating func expand(_ index: Int, _ forEach: ForEachPlan) -> AttemptOutcome? {
        let text: String
        do { text = try resolve(forEach.inputs, for: index) } catch {
            return .failure(Termination.unresolved.code, error.message)
        }
        guard let inputs = (try? JSONValue(json: Array(text.utf8)))?.array, inputs.count <= Self.maxInputs else {
            return .failure(
                Termination.badInputs.code, "\(Termination.badInputs.sentence) They are: \(text.prefix(200))")
        }
        if let children = tasks[index].children, children.map({ tasks[$0].place?.input }) == inputs {
            for child in children where tasks[child].phase.result != .success { reopen(child) }
            return nil
        }
        tasks[index].children = tasks.count..<(tasks.count + inputs.count)
        for (number, input) in inputs.enumerated() {
            tasks.append(TaskRecord(place: IterationPlace(parent: index, number: number, input: input)))
        }
        return nil
    }

    /// Whether one more iteration may begin.
    func hasRoom(_ parent: Int) -> Bool {
        guard case .forEach(let forEach) = plan.tasks[parent].work, tasks[parent].phase == .running else {
            return false
        }
        let active = (tasks[parent].children ?? 0..<0).count { child in
            switch tasks[child].phase {
            // One that waits for its retry keeps its place: it is in the middle of its work.
            case .running, .stopping, .waitingForRetry: true
            case .blocked, .ended: false
            }
        }
        return active < forEach.concurrency
    }

    /// Ends a for-each task whose iterations have all ended.
    mutating func finishForEach(_ index: Int, at now: Timestamp) {
        guard case .forEach = plan(of: index).work, let children = tasks[index].children else { return }
        guard children.allSatisfy({ tasks[$0].phase.isEnded }) else { return }
        let bad = children.filter { tasks[$0].phase.result != .success }
        guard let first = bad.first else { return end(index, with: .success(), at: now) }
        let reason = tasks[first].attempts.last?.outcome?.message ?? ""
        end(
            index,
            with: .failure(
                Termination.iterationsFailed.code,
                "\(bad.count) of \(children.count) iterations did not succeed. The first is number "
                    + "\(tasks[first].place?.number ?? 0): \(reason)"), at: now)
    }

    /// Makes a task ready to be run once more.
    mutating func reopen(_ index: Int) {
        tasks[index].phase = .blocked
        tasks[index].startTime = nil
        tasks[index].endTime = nil
        tasks[index].earlierAttempts = tasks[index].attempts.count
    }
}
