internal import Core
internal import HarbourProtocol
internal import Postgres

/// Keeps the widgets of notebooks. Whoever writes has locked the notebook's session.
struct WidgetStore: Sendable {
    private let logger = Logger("workspace.widgets")

    /// Those that are shown, in their order.
    func widgets(_ notebookID: Int64, on runner: some StatementRunner) async throws(HarbourError) -> [NotebookWidget] {
        try await list(notebookID, "AND removed_at IS NULL", on: runner).shown
    }

    private func list(
        _ notebookID: Int64, _ which: SQL = "", on runner: some StatementRunner
    ) async throws(HarbourError) -> WidgetList {
        let rows = try await runner.query(
            "SELECT position, widget, removed_at FROM notebook_widgets WHERE notebook_id = \(notebookID) \(which)")
        var entries: [WidgetList.Entry] = []
        for row in rows {
            let (position, json, removed) = try row.decode((Int64.self, String.self, Timestamp?.self))
            entries.append(
                WidgetList.Entry(
                    widget: try NotebookWidget(jsonText: json, subject: "stored widget", code: .internalError),
                    position: position, removed: removed))
        }
        return WidgetList(entries)
    }

    /// Those that are shown where this is where they are kept; nil where the notebook's file says which there are.
    func kept(
        _ notebookID: Int64, on runner: some StatementRunner
    ) async throws(HarbourError) -> [NotebookWidget]? {
        let rows = try await runner.query(
            "SELECT 1 AS one FROM notebook_sessions WHERE notebook_id = \(notebookID) AND widgets_kept")
        return rows.isEmpty ? nil : try await widgets(notebookID, on: runner)
    }

    /// Takes in what a command has changed.
    /// - Returns: the widgets that are shown then, and what of the change was refused and why.
    func apply(
        _ data: JSONObject, to notebookID: Int64, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> (shown: [NotebookWidget], refusals: [String]) {
        var list = try await list(notebookID, on: transaction)
        let before = list
        var refusals: [String]
        do throws(HarbourError) {
            refusals = list.apply(
                try WidgetChanges(
                    json: JSONValue.object(data).encodedJSON(), subject: "change of widgets", code: .invalidParameter))
        } catch {
            // Code in a cell can publish anything under that type; the runtime refuses what is not valid by itself.
            refusals = ["The cell's change of widgets is not valid: \(error.message)"]
        }
        if !refusals.isEmpty {
            logger.warning(
                "a change of widgets was refused",
                ["notebook": Int(notebookID), "error": refusals.prefix(5).joined(separator: " ")])
        }
        try await save(list, over: before, notebookID, in: transaction)
        return (list.shown, refusals)
    }

    /// Does what a person asks for.
    /// - Returns: the widgets that are shown then; nil when nothing has changed.
    func change(
        _ body: ChangeWidgets, by user: String, of notebookID: Int64, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> [NotebookWidget]? {
        var list = try await list(notebookID, on: transaction)
        let before = list
        try list.change(body, by: user, at: .now)
        if list == before { return nil }
        try await save(list, over: before, notebookID, in: transaction)
        return list.shown
    }

    /// Takes in the widgets that a file says in place of those that are shown.
    func take(
        _ widgets: [NotebookWidget], of notebookID: Int64, by user: String, in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        let journal = NotebookJournal()
        let last = try await journal.lock(notebookID, in: transaction)
        var list = try await list(notebookID, on: transaction)
        let before = list
        list.replace(with: widgets)
        if list == before { return }
        try await save(list, over: before, notebookID, in: transaction)
        try await journal.append([.widgets(list.shown, user: user)], to: notebookID, after: last, in: transaction)
    }

    private func save(
        _ list: WidgetList, over before: WidgetList, _ notebookID: Int64, in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        if list == before { return }
        try await transaction.query(
            "UPDATE notebook_sessions SET widgets_kept = true WHERE notebook_id = \(notebookID) AND NOT widgets_kept")
        let gone = before.entries.keys.filter { list.entries[$0] == nil }
        if !gone.isEmpty {
            try await transaction.query(
                "DELETE FROM notebook_widgets WHERE notebook_id = \(notebookID) AND name = ANY(\(gone))")
        }
        for (name, entry) in list.entries where before.entries[name] != entry {
            try await transaction.query(
                """
                INSERT INTO notebook_widgets (notebook_id, name, position, widget, removed_at)
                VALUES (\(notebookID), \(name), \(entry.position), \(entry.widget.jsonText()), \(entry.removed))
                ON CONFLICT (notebook_id, name) DO UPDATE SET position = excluded.position, widget = excluded.widget,
                    removed_at = excluded.removed_at
                """)
        }
    }
}
