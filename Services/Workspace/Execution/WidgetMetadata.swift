internal import Core
internal import Cryptography
internal import HarbourProtocol
internal import NotebookFormats

/// The widgets of a notebook as Databricks writes them into the metadata of `.ipynb` files: by name, with what was chosen.
///
/// Whoever has such a file made it or got it from anywhere: what is not understood is left out here and stays there.
enum WidgetMetadata {
    /// As the kernel counts.
    private static let (nameBytes, labelBytes, valueBytes, choiceCount) = (512, 256, 65_536, 1024)

    // MARK: Reading

    /// The widgets that the notebook's file says, as far as a notebook can have them; nil when it says nothing of any.
    static func read(_ notebook: Notebook) -> [NotebookWidget]? {
        guard let all = notebook.widgetMetadata else { return nil }
        var list = WidgetList()
        list.replace(with: all.fields.lazy.compactMap { widget($0.key, $0.value) })
        return list.shown
    }

    private static func widget(_ name: String, _ value: JSONValue) -> NotebookWidget? {
        // Newer files say it twice, older ones only have the first.
        let infos = ["widgetInfo", "typedWidgetInfo"].compactMap { value[$0]?.object }
        guard let info = infos.first, let kind = kind(of: infos), isText(name, nameBytes), !name.isEmpty,
            name.unicodeScalars.count <= 128, let given = choices(of: infos)
        else { return nil }
        let choices = kind == .text ? [] : given
        var widget = NotebookWidget(
            kind: kind, name: name, defaultValue: text(info["defaultValue"]) ?? "",
            label: text(info["label"]).flatMap { !$0.isEmpty && isText($0, labelBytes) ? $0 : nil },
            choices: choices.isEmpty ? nil : choices)
        guard isText(widget.defaultValue, valueBytes), widget.allows(widget.defaultValue),
            kind != .multiselect || !choices.contains(where: { $0.utf8.contains(UInt8(ascii: ",")) })
        else { return nil }
        let chosen = value["currentValue"]
        let several = chosen?.array?.compactMap { text($0) }.joined(separator: ",")
        if let chosen = text(chosen) ?? several, chosen != widget.defaultValue, isText(chosen, valueBytes),
            widget.allows(chosen)
        {
            widget.value = chosen
        }
        return widget
    }

    private static func kind(of infos: [JSONObject]) -> WidgetKind? {
        for info in infos {
            if let name = info["widgetType"]?.string { return WidgetKind(rawValue: name.uppercased()) }
            guard let options = info["options"], let type = options["widgetDisplayType"]?.string else { continue }
            if type == "Text" { return .text }
            guard type == "Dropdown" else { return nil }
            if options["multiselect"] == true { return .multiselect }
            return options["fixedDomain"] == false ? .combobox : .dropdown
        }
        return nil
    }

    /// Each once; nil when one cannot be a choice.
    private static func choices(of infos: [JSONObject]) -> [String]? {
        let given = infos.lazy.compactMap { $0["options"]?["choices"]?.array }.first ?? []
        var (choices, known): ([String], Set<[UInt8]>) = ([], [])
        for value in given {
            guard let choice = text(value), isText(choice, valueBytes) else { return nil }
            if known.insert(Array(choice.utf8)).inserted { choices.append(choice) }
        }
        return choices.count <= choiceCount ? choices : nil
    }

    private static func text(_ value: JSONValue?) -> String? {
        switch value {
        case .string(let text): text
        case .number(let number): number.text
        case .bool(let isTrue): isTrue ? "true" : "false"
        default: nil
        }
    }

    private static func isText(_ text: String, _ limit: Int) -> Bool {
        text.utf8.count <= limit && !text.utf8.contains(0)
    }

    // MARK: Writing

    /// Says in the notebook which widgets it has. One that says so already stays as it is, to the byte.
    /// - Parameter id: the notebook's, of which the names that Databricks wants for widgets are made.
    static func write(_ widgets: [NotebookWidget], into notebook: inout Notebook, of id: Int64) {
        guard !(read(notebook) ?? []).elementsEqual(widgets, by: isSame) else { return }
        let old = notebook.widgetMetadata ?? JSONObject()
        var all = JSONObject()
        for one in widgets { all[one.name] = .object(entry(one, over: old[one.name], of: id)) }
        for (name, value) in old where all[name] == nil && widget(name, value) == nil { all[name] = value }
        notebook.widgetMetadata = all
    }

    /// Whether two widgets are the same to whoever reads a file, which does not say who chose a value and when.
    private static func isSame(_ left: NotebookWidget, _ right: NotebookWidget) -> Bool {
        func plain(_ widget: NotebookWidget) -> [String] {
            [
                widget.kind.rawValue, widget.name, widget.defaultValue, widget.value ?? widget.defaultValue,
                widget.label ?? "",
            ] + (widget.choices ?? [])
        }
        return plain(left).elementsEqual(plain(right)) { $0.utf8.elementsEqual($1.utf8) }
    }

    private static func entry(_ widget: NotebookWidget, over old: JSONValue?, of id: Int64) -> JSONObject {
        let known = old.flatMap { self.widget(widget.name, $0) }
        if let known, let old = old?.object, isSame(known, widget) { return old }
        // Of the same kind it may have more than is known here.
        let isOfKind = known?.kind == widget.kind
        var entry = isOfKind ? old?.object ?? [:] : [:]
        entry["currentValue"] = .string(widget.value ?? widget.defaultValue)
        entry["nuid"] = entry["nuid"] ?? .string(identifier("\(id)/\(widget.name)"))
        entry["typedWidgetInfo"] = .object(typedInfo(widget, over: entry["typedWidgetInfo"]?.object ?? [:]))
        entry["widgetInfo"] = .object(info(widget, over: entry["widgetInfo"]?.object ?? [:]))
        return entry
    }

    private static func typedInfo(_ widget: NotebookWidget, over old: JSONObject) -> JSONObject {
        var info = old
        info["autoCreated"] = old["autoCreated"] ?? false
        describe(widget, in: &info)
        var options = old["options"]?.object ?? [:]
        if widget.kind == .text {
            options["widgetDisplayType"] = "Text"
            options["validationRegex"] = options["validationRegex"] ?? .null
        } else {
            options["widgetDisplayType"] = "Dropdown"
            options["choices"] = choices(widget)
            options["fixedDomain"] = .bool(widget.kind != .combobox)
            options["multiselect"] = .bool(widget.kind == .multiselect)
        }
        info["options"] = .object(options)
        info["parameterDataType"] = old["parameterDataType"] ?? "String"
        return info
    }

    private static func info(_ widget: NotebookWidget, over old: JSONObject) -> JSONObject {
        var info = old
        let kind = JSONValue.string(widget.kind.rawValue.lowercased())
        info["widgetType"] = kind
        describe(widget, in: &info)
        var options = old["options"]?.object ?? [:]
        options["widgetType"] = kind
        options["autoCreated"] = options["autoCreated"] ?? .null
        if widget.kind == .text {
            options["validationRegex"] = options["validationRegex"] ?? .null
        } else {
            options["choices"] = choices(widget)
        }
        info["options"] = .object(options)
        return info
    }

    private static func describe(_ widget: NotebookWidget, in info: inout JSONObject) {
        info["defaultValue"] = .string(widget.defaultValue)
        info["label"] = widget.label.map { .string($0) } ?? .null
        info["name"] = .string(widget.name)
    }

    private static func choices(_ widget: NotebookWidget) -> JSONValue {
        .array((widget.choices ?? []).map { .string($0) })
    }

    /// A UUID that is the same each time, so that two files of one notebook are.
    private static func identifier(_ text: String) -> String {
        var bytes = Array(Digest.sha256(text).prefix(16))
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        let digits = Array(hexadecimal(bytes))
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }
}
