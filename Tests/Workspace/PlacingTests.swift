import Core
import HarbourProtocol
import Postgres
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("Putting archives into the tree", .timeLimit(.minutes(5)))
struct PlacingTests {
    /// More than one statement takes; two archives have the same entries in opposite orders.
    private static let count = 1100

    private func archive(_ files: Files, _ text: String, backwards: Bool) throws -> [UInt8] {
        let order = backwards ? "reversed(range(\(PlacingTests.count)))" : "range(\(PlacingTests.count))"
        return try files.python(
            ##"for i in \##(order): z.writestr(e(f"d{i % 7}/n{i}.py"), b"# Databricks notebook source\n\##(text)")"##)
    }

    /// Goal: neither waits for the other that waits for it.
    @Test func twoImportsOfTheSameInOppositeOrders() async throws {
        try await Files.run { files in
            for (round, overwrites) in [false, true, true].enumerated() {
                let uploads = [
                    try await files.bring(try archive(files, "\(round) a", backwards: false)),
                    try await files.bring(try archive(files, "\(round) b", backwards: true)),
                ]
                let outcomes = await withTaskGroup(of: String.self) { group in
                    for upload in uploads {
                        group.addTask {
                            do {
                                let done = try await files.unpack(upload, into: "/Shared/t", overwrite: overwrites)
                                return "\(done.notebooks ?? 0)"
                            } catch { return HarbourError.wrap(error).code.name }
                        }
                    }
                    return await group.reduce(into: []) { $0.append($1) }.sorted()
                }
                let all = "\(PlacingTests.count)"
                #expect(outcomes == [all, overwrites ? all : "RESOURCE_ALREADY_EXISTS"], "round \(round)")
            }
            try await files.workspace.withPool { (pool) async throws in
                #expect(
                    try await EmptyingTests.count("objects WHERE kind = 'NOTEBOOK'", pool) == PlacingTests.count)
                #expect(try await EmptyingTests.count("revisions", pool) == 5 * PlacingTests.count)
                // Whoever follows a notebook is told of its new revisions, and nobody follows one that is new.
                let told = try await EmptyingTests.count("cell_events", pool)
                #expect(told == 4 * PlacingTests.count, "\(told)")
            }
            let text = try await files.workspace.export("/Shared/t/d1/n1").text
            #expect(["2 a", "2 b"].contains { text.hasSuffix($0) }, "\(text)")
        }
    }

    /// What looked like a notebook and is none has its whole name, as another entry has.
    @Test func twoThatComeToOnePathAreRefused() async throws {
        try await Files.run { files in
            let archive = try files.python(
                #"z.writestr(e("n.ipynb"), b"{")"#,
                ##"z.writestr(e("n.ipynb.py"), b"# Databricks notebook source\n1")"##)
            #expect(
                await errorCode { _ = try await files.unpack(archive, into: "/Shared/t", overwrite: true) }
                    == "INVALID_ARCHIVE")
            #expect(try await !files.isThere("/Shared/t"))
        }
    }
}
