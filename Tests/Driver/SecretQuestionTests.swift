import Core
import EventLoop
import HarbourProtocol
import TestSupport
import Testing

@testable import DriverService

/// Questions about secrets, without a kernel.
@Suite(.timeLimit(.minutes(5))) struct SecretQuestionTests {
    private static let get: JSONObject = ["id": "q", "operation": "get", "scope": "db", "key": "password"]

    /// Answers as they come.
    private final class Answers: @unchecked Sendable {
        var list: [SecretAnswer] = []
    }

    @Test func aReaderThatComesBackIsAskedAgain() async throws {
        try await withEventLoop { loop in
            let redactor = Redactor()
            let questions = SecretQuestions(redactor, loop: loop)
            let answers = Answers()
            questions.ask(Self.get, context: "c", command: "1") { answers.list.append($0) }
            var seen: [WantedSecret] = []
            for _ in 0..<2 {
                await #expect(throws: HarbourError.self) {
                    try await questions.follow {
                        seen.append($0)
                        throw HarbourError(.unavailable, "The connection broke.")
                    }
                }
            }
            let wanted = WantedSecret(
                questionID: 1, contextID: "c", commandID: "1", operation: .get, scope: "db", key: "password")
            #expect(seen == [wanted, wanted])
            questions.take(SecretAnswer(questionID: 7, value: "of nobody's question"))
            #expect(answers.list.isEmpty)
            questions.take(SecretAnswer(questionID: 1, value: "sesame-open"))
            questions.take(SecretAnswer(questionID: 1, value: "again"))
            #expect(answers.list.map(\.value) == ["sesame-open"])
            #expect(answers.list.first?.reply(to: Self.get) == #"{"id":"q","value":"sesame-open"}"#)
            #expect(redactor("a sesame-open, again") == "a [REDACTED], again")
        }
    }

    @Test func oneThatNobodyAnswersEnds() async throws {
        try await withEventLoop { loop in
            let questions = SecretQuestions(Redactor(), loop: loop, patience: .milliseconds(5))
            let answers = Answers()
            questions.ask(Self.get, context: "c", command: "1") { answers.list.append($0) }
            try await eventually("the time is over") { !answers.list.isEmpty }
            #expect(answers.list.first?.error?.code == "TEMPORARILY_UNAVAILABLE")
        }
    }

    @Test func whatIsWithdrawnOrWrongIsNotAsked() async throws {
        try await withEventLoop { loop in
            let questions = SecretQuestions(Redactor(), loop: loop)
            let answers = Answers()
            // As many characters as there may be, each of several code points.
            let long = JSONValue.string(String(repeating: "e\u{301}", count: 128))
            let wrongs: [JSONObject] = [
                [:], ["operation": "take"], ["operation": 1], ["operation": "get", "scope": long, "key": "k"],
                ["operation": "get", "scope": "s", "key": long],
            ]
            for wrong in wrongs {
                questions.ask(wrong, context: "c", command: "1") { answers.list.append($0) }
            }
            #expect(answers.list.map(\.error?.code) == Array(repeating: "INVALID_PARAMETER_VALUE", count: wrongs.count))
            questions.ask(Self.get, context: "c", command: "1") { answers.list.append($0) }
            questions.ask(["operation": "list_scopes"], context: "d", command: "1") { answers.list.append($0) }
            questions.withdraw(command: "1", context: "c")
            await #expect(throws: HarbourError.self) {
                try await questions.follow {
                    #expect($0.contextID == "d" && $0.operation == .listScopes)
                    throw HarbourError(.unavailable, "Enough.")
                }
            }
            for _ in 2...SecretQuestions.limit {
                questions.ask(Self.get, context: "c", command: "2") { answers.list.append($0) }
            }
            #expect(answers.list.count == wrongs.count)
            questions.ask(Self.get, context: "c", command: "3") { answers.list.append($0) }
            #expect(answers.list.last?.error?.code == "RESOURCE_EXHAUSTED")
        }
    }
}
