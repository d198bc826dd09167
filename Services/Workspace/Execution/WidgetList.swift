internal import Core
internal import HarbourProtocol

/// The widgets of one notebook: a value without I/O that knows what may be chosen and what a declaration changes.
struct WidgetList: Sendable, Hashable {
    /// A widget, shown or removed.
    struct Entry: Sendable, Hashable {
        var widget: NotebookWidget
        /// Where it was declared among the others.
        var position: Int64
        /// When it was removed.
        var removed: Timestamp?
    }

    /// The most that a notebook shows, and the most removed ones that are kept.
    static let limit = 200
    /// Values travel with every command: the bytes of all of them.
    static let valueBytes = 256 << 10
    /// And so do declarations; the kernel counts in the same way.
    static let declaredBytes = 256 << 10
    /// What the removed ones may take that are kept.
    static let removedBytes = 1 << 20

    private(set) var entries: [String: Entry]

    init(_ entries: [Entry] = []) {
        self.entries = Dictionary(entries.map { ($0.widget.name, $0) }) { first, _ in first }
    }

    /// Those that are shown, in their order.
    var shown: [NotebookWidget] {
        entries.values.filter { $0.removed == nil }.sorted { $0.position < $1.position }.map(\.widget)
    }

    private var nextPosition: Int64 { (entries.values.map(\.position).max() ?? 0) + 1 }

    // MARK: What a command has changed

    /// Takes in what a command says; doing so again changes nothing more.
    /// - Returns: what of it was refused and why, a sentence each.
    @discardableResult
    mutating func apply(_ changes: WidgetChanges) -> [String] {
        for name in changes.removed { entries[name] = nil }
        // The kernel keeps the limits and refuses these; but anybody can write such a message.
        var coming = Set(changes.declared.map(\.name))
        var refusals: [String] = []
        for widget in changes.declared {
            coming.remove(widget.name)
            if let refusal = declare(widget, before: coming) { refusals.append(refusal) }
        }
        return refusals
    }

    /// - Parameter coming: those of which a later declaration says how long they are.
    private mutating func declare(_ declared: NotebookWidget, before coming: Set<String>) -> String? {
        guard !declared.name.utf8.contains(0) else { return "The name of a widget has a NUL character. Leave it out." }
        let known = entries[declared.name].flatMap { $0.removed == nil ? $0 : nil }
        guard known != nil || shown.count < WidgetList.limit else {
            return
                "The widget \(declared.name) is one too many: a notebook has at most \(WidgetList.limit). Remove some."
        }
        var widget = NotebookWidget(
            kind: declared.kind, name: declared.name, defaultValue: declared.defaultValue, label: declared.label,
            choices: declared.choices)
        if let chosen = known?.widget, let value = chosen.value, widget.allows(value) {
            widget.value = value
            widget.changedTime = chosen.changedTime
            widget.changedBy = chosen.changedBy
        }
        let others = shown.filter { $0.name != widget.name && !coming.contains($0.name) }
        guard others.reduce(widget.declaredBytes, { $0 + $1.declaredBytes }) <= WidgetList.declaredBytes else {
            entries[widget.name] = nil
            return "There is no room for the widget \(widget.name): those of a notebook may take "
                + "\(WidgetList.declaredBytes >> 10) KiB together. Shorten their choices, or remove some."
        }
        entries[widget.name] = Entry(widget: widget, position: known?.position ?? nextPosition)
        return nil
    }

    /// Takes others in place of all that are shown, as far as they are within the limits. Of a file that has any number
    /// of them no more are looked at than are taken.
    mutating func replace(with widgets: some Sequence<NotebookWidget>) {
        entries = entries.filter { $0.value.removed != nil }
        var (declared, values, count, position) = (0, 0, 0, nextPosition)
        for var widget in widgets {
            guard declared + widget.declaredBytes <= WidgetList.declaredBytes else { continue }
            declared += widget.declaredBytes
            values += widget.value?.utf8.count ?? 0
            if values > WidgetList.valueBytes {
                values -= widget.value?.utf8.count ?? 0
                widget.value = nil
            }
            let entry = Entry(widget: widget, position: position)
            position += 1
            let known = entries.updateValue(entry, forKey: widget.name)
            if known == nil || known?.removed != nil { count += 1 }
            if count == WidgetList.limit { break }
        }
    }

    // MARK: What a person changes

    /// Brings widgets back, chooses values, removes widgets, in this order.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` for a widget that is not there, `INVALID_PARAMETER_VALUE` for a value that it
    ///   cannot have, `RESOURCE_EXHAUSTED`.
    mutating func change(_ body: ChangeWidgets, by user: String, at now: Timestamp) throws(HarbourError) {
        for name in body.restored ?? [] { try restore(name) }
        for (name, value) in (body.values ?? [:]).sorted(by: { $0.key < $1.key }) {
            try choose(value, for: name, by: user, at: now)
        }
        for name in body.removed ?? [] where entries[name]?.removed == nil { entries[name]?.removed = now }
        guard shown.reduce(0, { $0 + ($1.value?.utf8.count ?? 0) }) <= WidgetList.valueBytes else {
            throw HarbourError(
                .resourceExhausted,
                "The values of a notebook's widgets may take \(WidgetList.valueBytes >> 10) KiB together. "
                    + "Keep long texts in a file.")
        }
        dropOldestRemoved()
    }

    private mutating func restore(_ name: String) throws(HarbourError) {
        guard var entry = entries[name] else {
            throw HarbourError(
                .notFound, "The widget \(name) is not kept any more. Run the cell that declares it.")
        }
        guard entry.removed != nil else { return }
        guard shown.count < WidgetList.limit else {
            throw HarbourError(.resourceExhausted, "A notebook has at most \(WidgetList.limit) widgets. Remove some.")
        }
        guard shown.reduce(entry.widget.declaredBytes, { $0 + $1.declaredBytes }) <= WidgetList.declaredBytes else {
            throw HarbourError(
                .resourceExhausted,
                "The widgets of a notebook may take \(WidgetList.declaredBytes >> 10) KiB together. Remove some first.")
        }
        entry.removed = nil
        entries[name] = entry
    }

    private mutating func choose(
        _ value: String, for name: String, by user: String, at now: Timestamp
    ) throws(HarbourError) {
        guard var entry = entries[name], entry.removed == nil else {
            throw HarbourError(
                .notFound, "The notebook has no widget \(name.prefix(128)). Run the cell that declares it.")
        }
        guard entry.widget.allows(value) else {
            throw HarbourError(
                .invalidParameter,
                "\(value.prefix(100)) is none of the choices of \(name). Choose one of: \(entry.widget.someChoices).")
        }
        guard !value.utf8.contains(0), value.utf8.count <= 65_536 else {
            throw HarbourError(
                .invalidParameter, "A value may have 64 KiB and no NUL character. Keep long texts in a file.")
        }
        // Said again, it is not another choice.
        guard entry.widget.value ?? entry.widget.defaultValue != value else { return }
        entry.widget.value = value
        entry.widget.changedTime = now
        entry.widget.changedBy = user
        entries[name] = entry
    }

    private mutating func dropOldestRemoved() {
        let removed = entries.values.filter { $0.removed != nil }.sorted {
            ($0.removed?.milliseconds ?? 0, $0.position) < ($1.removed?.milliseconds ?? 0, $1.position)
        }
        var room = WidgetList.removedBytes
        for (index, entry) in removed.reversed().enumerated() {
            room -= entry.widget.bytes
            if index >= WidgetList.limit || room < 0 { entries[entry.widget.name] = nil }
        }
    }
}

extension NotebookWidget {
    /// Whether it can have this value, as the kernel judges it.
    func allows(_ value: String) -> Bool {
        switch kind {
        case .text, .combobox: true
        case .dropdown: isChoice(value)
        case .multiselect:
            value.isEmpty
                || value.split(separator: ",", omittingEmptySubsequences: false).allSatisfy {
                    isChoice(String($0))
                }
        }
    }

    /// By the letter, as Python compares, and not by what looks alike.
    private func isChoice(_ value: String) -> Bool {
        (choices ?? []).contains { $0.utf8.elementsEqual(value.utf8) }
    }

    /// About what its declaration takes.
    fileprivate var declaredBytes: Int {
        ([name, defaultValue, label ?? ""] + (choices ?? [])).reduce(0) { $0 + $1.utf8.count + 8 }
    }

    /// About what it takes with its value.
    var bytes: Int { declaredBytes + (value?.utf8.count ?? 0) }

    fileprivate var someChoices: String {
        let all = choices ?? []
        return all.prefix(20).map { String($0.prefix(100)) }.joined(separator: ", ") + (all.count > 20 ? ", ..." : "")
    }
}
