internal import Core
internal import HarbourProtocol
internal import YAML

/// A job of a file of the user's.
struct JobFile: Sendable {
    var path: String
    var source: SourceValue
    var spec: JobSpec

    /// The jobs of a file: a JSON document, or one or more of YAML.
    /// - Throws: `INVALID_PARAMETER_VALUE` with a line for each thing that is wrong.
    static func read(_ path: String, _ bytes: [UInt8]) throws(HarbourError) -> [JobFile] {
        try values(path, bytes, "JobSpec") { source throws(HarbourError) in
            JobFile(path: path, source: source, spec: try JobSpec(json: source.json.encodedJSON()))
        }
    }

    /// A run without a job, in the same form.
    static func submission(_ path: String, _ bytes: [UInt8]) throws(HarbourError) -> SubmitRun {
        let requests = try values(path, bytes, "SubmitRun") { source throws(HarbourError) in
            try SubmitRun(json: source.json.encodedJSON())
        }
        guard let request = requests.first, requests.count == 1 else {
            throw .usage("\(path) holds \(requests.count) runs; one is submitted at a time.")
        }
        return request
    }

    private static func values<Value>(
        _ path: String, _ bytes: [UInt8], _ type: String, _ make: (SourceValue) throws(HarbourError) -> Value
    ) throws(HarbourError) -> [Value] {
        let check = try ContractCheck(SchedulerAPI.document)
        var problems: [SourceProblem] = []
        var values: [Value] = []
        do throws(SourceProblem) {
            let documents = try documents(bytes)
            if documents.isEmpty {
                problems.append(SourceProblem(SourcePlace(line: 1, column: 1), "The file holds nothing."))
            }
            for source in documents {
                let found = check.problems(of: source, as: type)
                problems += found
                if found.isEmpty { values.append(try read(source, make)) }
            }
        } catch {
            problems.append(error)
        }
        guard problems.isEmpty else { throw refusal(problems.map { line(path, $0) }) }
        return values
    }

    /// What the check does not know of, such as unions, the type itself finds.
    private static func read<Value>(
        _ source: SourceValue, _ make: (SourceValue) throws(HarbourError) -> Value
    ) throws(SourceProblem) -> Value {
        do throws(HarbourError) {
            return try make(source)
        } catch {
            throw SourceProblem(source.place, error.message)
        }
    }

    private static func documents(_ bytes: [UInt8]) throws(SourceProblem) -> [SourceValue] {
        let first = bytes.first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }
        // YAML has almost all of JSON, but not its pairs of surrogates.
        return first == UInt8(ascii: "{") && isJSON(bytes)
            ? [try SourceValue(json: bytes)] : try YAMLReader.documents(bytes)
    }

    /// `{a: 1}` is YAML, `{"a": 1}` is taken as JSON, so that what is wrong is said in JSON's words.
    private static func isJSON(_ bytes: [UInt8]) -> Bool {
        let rest = bytes.drop { $0 != UInt8(ascii: "{") }.dropFirst().first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }
        return rest == UInt8(ascii: "\"") || rest == UInt8(ascii: "}")
    }

    /// What the scheduler finds wrong, at the places of the file.
    func lines(_ problems: [JobProblem]) -> [String] {
        problems.map { problem in
            let path = problem.path.split(separator: "/").map(String.init)
            return (source.place(of: path), problem.message)
        }.sorted { $0.0 < $1.0 }.map { JobFile.line(path, SourceProblem($0.0, $0.1)) }
    }

    static func line(_ path: String, _ problem: SourceProblem) -> String {
        "\(path):\(problem.place.line):\(problem.place.column): \(problem.message)"
    }

    static func refusal(_ lines: [String]) -> HarbourError {
        HarbourError(.invalidParameter, lines.joined(separator: "\n"))
    }
}

extension JobSpec {
    /// The job as a file, without what is absent.
    func file(_ format: String) throws(HarbourError) -> [UInt8] {
        let value = try JSONValue(json: encodedJSON())
        return format == "json" ? value.prettyJSON() + [0x0a] : value.yaml()
    }
}
