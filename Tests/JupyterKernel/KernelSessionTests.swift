import Core
import Testing

@testable import JupyterKernel

/// Drives the state machine and writes its actions down.
struct Driver {
    var session = KernelSession(session: "s", interruptByMessage: false)
    var log: [String] = []
    var sent: [String] = []

    mutating func handle(_ event: KernelSession.Event) {
        for action in session.handle(event) {
            switch action {
            case .send(let channel, let message):
                sent.append(message.id)
                log.append("\(channel) \(message.type)")
            case .report(let id, let event): log.append("\(id) \(Driver.text(event))")
            case .answer(let id, let answer): log.append("\(id) \(answer?.type ?? "busy")")
            case .stray(let output): log.append("stray \(output)")
            case .ready: log.append("ready")
            case .signalInterrupt: log.append("SIGINT")
            case .schedule(let timer, _): log.append("+\(timer)")
            case .cancel: break
            }
        }
    }

    mutating func take() -> [String] {
        defer { log = [] }
        return log
    }

    mutating func receive(
        _ channel: KernelChannel, _ type: String, parent: String? = nil, _ content: JSONObject = [:]
    ) {
        handle(
            .received(
                channel,
                JupyterMessage(id: "k", type: type, parentID: parent ?? sent.last, content: content.encodedJSON())))
    }

    mutating func becomeReady() {
        handle(.launched)
        receive(.output, "status", ["execution_state": "busy"])
        receive(.shell, "kernel_info_reply")
        log = []
    }

    static func text(_ event: KernelRequestEvent) -> String {
        switch event {
        case .began: "began"
        case .counted(let count): "count \(count)"
        case .asked(let input): "asked \(input.question.jsonText())"
        case .output(.stream(_, let text)): "out \(text)"
        case .output(let output): "\(output)"
        case .ended(let result):
            switch result.status {
            case .ok: result.mayLackOutputs ? "ok?" : "ok"
            case .error(let error): error.name
            case .aborted: "aborted"
            case .died(let reason): "died \(reason)"
            case .withdrawn: "withdrawn"
            }
        }
    }
}

@Suite struct KernelSessionTests {
    @Test func aKernelIsReadyWhenItsOutputsArrive() {
        var driver = Driver()
        driver.handle(.submit(1, KernelRequest("1")))
        driver.handle(.launched)
        #expect(driver.take() == ["shell kernel_info_request"])
        driver.receive(.shell, "kernel_info_reply")
        #expect(driver.take() == ["+subscription"])
        driver.handle(.fired(.subscription))
        #expect(driver.take() == ["shell kernel_info_request", "+subscription"])
        driver.receive(.output, "status", ["execution_state": "busy"])
        #expect(driver.take() == ["ready", "1 began", "shell execute_request"])
    }

    @Test func aRequestEndsWhenReplyAndIdleHaveCome() {
        for idleFirst in [false, true] {
            var driver = Driver()
            driver.becomeReady()
            driver.handle(.submit(1, KernelRequest("1")))
            driver.handle(.submit(2, KernelRequest("2")))
            let first = driver.sent[driver.sent.count - 1]
            #expect(driver.take() == ["1 began", "shell execute_request"])
            driver.receive(.output, "status", parent: first, ["execution_state": "busy"])
            driver.receive(.output, "execute_input", parent: first, ["execution_count": 3])
            driver.receive(.output, "stream", parent: first, ["name": "stdout", "text": "a"])
            #expect(driver.take() == ["1 count 3", "1 out a"])
            if idleFirst {
                driver.receive(.output, "status", parent: first, ["execution_state": "idle"])
                #expect(driver.take() == ["+end"])
            }
            driver.receive(.shell, "execute_reply", parent: first, ["status": "ok", "execution_count": 3])
            if !idleFirst {
                // An output may still come between them.
                driver.receive(.output, "stream", parent: first, ["name": "stdout", "text": "b"])
                #expect(driver.take() == ["+end", "1 out b"])
                driver.receive(.output, "status", parent: first, ["execution_state": "idle"])
            }
            #expect(driver.take() == ["1 ok", "2 began", "shell execute_request"])
        }
    }

    @Test func repliesAndStatesOfOthersChangeNothing() {
        var driver = Driver()
        driver.becomeReady()
        driver.handle(.submit(1, KernelRequest("1")))
        _ = driver.take()
        driver.receive(.shell, "execute_reply", parent: "another", ["status": "ok"])
        driver.receive(.output, "status", parent: "another", ["execution_state": "idle"])
        driver.receive(.shell, "kernel_info_reply", parent: "another")
        driver.receive(.control, "interrupt_reply")
        #expect(driver.take().isEmpty)
        driver.receive(.output, "stream", parent: "another", ["name": "stdout", "text": "late"])
        #expect(driver.take() == ["1 out late"])
    }

    @Test func aLostIdleIsFoundByAsking() {
        var driver = Driver()
        driver.becomeReady()
        driver.handle(.submit(1, KernelRequest("1")))
        driver.receive(.shell, "execute_reply", ["status": "ok"])
        _ = driver.take()
        driver.handle(.fired(.end))
        #expect(driver.take() == ["shell kernel_info_request", "+end"])
        driver.receive(.output, "status", ["execution_state": "busy"])
        #expect(driver.take() == ["1 ok?"])
    }

    @Test func aLostReplyIsFoundByAsking() {
        for hasError in [false, true] {
            var driver = Driver()
            driver.becomeReady()
            driver.handle(.submit(1, KernelRequest("1")))
            driver.handle(.interrupt)
            driver.handle(.interrupt)
            if hasError { driver.receive(.output, "error", ["ename": "KeyboardInterrupt"]) }
            driver.handle(.fired(.end))
            let probe = driver.sent.last
            _ = driver.take()
            driver.receive(.output, "status", parent: probe, ["execution_state": "busy"])
            #expect(driver.take() == ["+end"])
            driver.receive(.shell, "kernel_info_reply", parent: probe)
            #expect(driver.take() == [hasError ? "1 KeyboardInterrupt" : "1 KernelInterrupted"])
        }
    }

    @Test func queuedRequestsCanBeTakenBack() {
        var driver = Driver()
        driver.becomeReady()
        for id in 1...3 { driver.handle(.submit(UInt64(id), KernelRequest("x"))) }
        _ = driver.take()
        driver.handle(.withdraw(2))
        driver.handle(.withdraw(1))
        #expect(driver.take() == ["2 withdrawn"])
        #expect(driver.session.running == 1)
        #expect(driver.session.waiting == 1)
    }

    @Test func interruptsGoToWhatRunsInTheKernelsWay() {
        var driver = Driver()
        driver.becomeReady()
        driver.handle(.interrupt)
        #expect(driver.take().isEmpty)
        driver.handle(.submit(1, KernelRequest("x")))
        _ = driver.take()
        driver.handle(.interrupt)
        #expect(driver.take() == ["SIGINT", "+end"])
        driver.session = KernelSession(session: "s", interruptByMessage: true)
        driver.becomeReady()
        driver.handle(.submit(1, KernelRequest("x")))
        driver.handle(.interrupt)
        #expect(driver.take().suffix(2) == ["control interrupt_request", "+end"])
    }

    @Test func deathEndsWhatRunsAndWaits() {
        var driver = Driver()
        driver.becomeReady()
        driver.handle(.submit(1, KernelRequest("x")))
        driver.handle(.submit(2, KernelRequest("y")))
        _ = driver.take()
        driver.handle(.ended("gone", willRestart: false))
        #expect(driver.take() == ["1 died gone", "2 died gone"])
        driver.handle(.submit(3, KernelRequest("z")))
        #expect(driver.take() == ["3 died The kernel does not run any more."])
    }

    @Test func aRestartKeepsWhatWaits() {
        var driver = Driver()
        driver.becomeReady()
        driver.handle(.submit(1, KernelRequest("x")))
        driver.handle(.submit(2, KernelRequest("y")))
        // The reply of the first has come: it ended well, whatever happened then.
        driver.receive(.shell, "execute_reply", ["status": "ok"])
        _ = driver.take()
        driver.handle(.ended("gone", willRestart: true))
        #expect(driver.take() == ["1 ok?"])
        driver.handle(.launched)
        driver.receive(.output, "status")
        driver.receive(.shell, "kernel_info_reply")
        #expect(driver.take() == ["shell kernel_info_request", "ready", "2 began", "shell execute_request"])
    }

    @Test func aQuestionIsAnsweredByASentence() {
        var driver = Driver()
        driver.becomeReady()
        driver.handle(.submit(1, KernelRequest("input()")))
        _ = driver.take()
        driver.receive(.input, "input_request", ["prompt": "Name? "])
        let log = driver.take()
        #expect(log.first?.hasPrefix("1 out Name? \nNobody can be asked here") == true)
        #expect(log.last == "input input_reply")
    }

    @Test func aQuestionOfOurOwnKernelIsPassedOn() {
        var driver = Driver()
        driver.becomeReady()
        driver.handle(.submit(1, KernelRequest("dbutils.secrets.get('a', 'b')")))
        let request = driver.sent.last
        _ = driver.take()
        driver.receive(.input, "input_request", ["prompt": "", "dataharbour": ["operation": "get"]])
        #expect(driver.take() == [#"1 asked {"operation":"get"}"#])
        let input = KernelInput(id: "k", question: [:])
        driver.handle(.reply("{}", to: KernelInput(id: "another", question: [:])))
        #expect(driver.take().isEmpty)
        driver.handle(.reply("{}", to: input))
        #expect(driver.take() == ["input input_reply"])
        driver.handle(.reply("{}", to: input))
        #expect(driver.take().isEmpty)
        // Nobody runs any more that could have asked.
        driver.receive(.input, "input_request", ["prompt": "", "dataharbour": ["operation": "get"]])
        driver.receive(.shell, "execute_reply", parent: request, ["status": "ok"])
        driver.receive(.output, "status", parent: request, ["execution_state": "idle"])
        _ = driver.take()
        driver.handle(.reply("{}", to: input))
        #expect(driver.take().isEmpty)
    }

    @Test func anyOrderOfEventsKeepsTheRules() {
        for seed in 1...300 {
            var random = SeededGenerator(seed: UInt64(seed))
            var driver = Driver()
            var open: Set<String> = []
            var next: UInt64 = 1
            for _ in 0..<200 {
                switch Int.random(in: 0..<11, using: &random) {
                case 0: driver.handle(.launched)
                case 1:
                    open.insert("\(next)")
                    driver.handle(.submit(next, KernelRequest("x")))
                    next += 1
                case 2: driver.handle(.withdraw(UInt64.random(in: 1...next, using: &random)))
                case 3: driver.handle(.interrupt)
                case 4: driver.receive(.shell, "execute_reply", parent: driver.sent.randomElement(using: &random))
                case 5: driver.receive(.shell, "kernel_info_reply")
                case 6:
                    driver.receive(
                        .output, "status", parent: driver.sent.randomElement(using: &random),
                        ["execution_state": "idle"])
                case 7: driver.receive(.output, "stream", parent: driver.sent.randomElement(using: &random))
                case 8: driver.handle(.fired(Bool.random(using: &random) ? .end : .subscription))
                case 9: driver.receive(.input, "input_request")
                default: driver.handle(.ended("x", willRestart: Bool.random(using: &random)))
                }
                // Nothing is reported of a request that has ended, and each ends once.
                for line in driver.take() {
                    guard let id = line.split(separator: " ").first.map(String.init), UInt64(id) != nil else {
                        continue
                    }
                    #expect(open.contains(id), "seed \(seed): \(line)")
                    if !line.contains("began") && !line.contains(" out ") { open.remove(id) }
                }
            }
        }
    }
}
