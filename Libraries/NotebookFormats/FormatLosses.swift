import Core

extension NotebookFormat {
    /// What is left out when this notebook is written in this format, a sentence each; empty when nothing is.
    public func losses(of notebook: Notebook) -> [String] {
        if self == .ipynb { return [] }
        var losses: [String] = []
        func lose(_ count: Int, _ one: String, _ many: String) {
            if count == 1 { losses.append("\(one).") } else if count > 1 { losses.append("\(many) of \(count) cells.") }
        }
        let cells = notebook.cells
        lose(cells.count { !$0.outputs.isEmpty }, "The outputs of a cell", "The outputs")
        lose(cells.count { $0.executionCount != nil }, "The execution count of a cell", "The execution counts")
        lose(cells.count { !($0.attachments?.isEmpty ?? true) }, "The attachments of a cell", "The attachments")
        lose(cells.count(where: hasOwnMetadata), "The metadata of a cell", "The metadata")
        lose(cells.count(where: hasOwnIdentity), "The id of a cell", "The ids")
        lose(cells.count { !keepsText($0, of: notebook) }, "The exact text of a cell", "The exact text")
        let known = [NotebookKey.notebook, NotebookKey.own, "kernelspec", "language_info"]
        if notebook.metadata.keys.contains(where: { !known.contains($0) }) || !notebook.unknownFields.isEmpty {
            losses.append("The metadata of the notebook.")
        }
        return losses
    }

    private func hasOwnMetadata(_ cell: Cell) -> Bool {
        !cell.unknownFields.isEmpty
            || cell.metadata.fields.contains { key, value in
                switch key {
                case NotebookKey.own: false
                case NotebookKey.cell: value.object?.keys.contains { $0 != "title" && $0 != "showTitle" } ?? true
                default: true
                }
            }
    }

    /// Source files have no ids; one that we made from the text is made again from it.
    private func hasOwnIdentity(_ cell: Cell) -> Bool {
        var identity = CellIdentity()
        return cell.id != identity.make(kind: cell.kind, source: cell.source)
    }

    /// Whether the cell reads back from this format as it is: its text could look like the format's own marks.
    private func keepsText(_ cell: Cell, of notebook: Notebook) -> Bool {
        // Whether a carriage return survives depends on the other lines of the file, so none is promised.
        if cell.source.utf8.contains(0x0d) { return false }
        var alone = Notebook(language: notebook.language, cells: [cell])
        alone.metadata = notebook.metadata
        alone.metadata[note: SourceNote.header] = nil
        guard let again = try? parse(serialize(alone)), again.cells.count == 1, let copy = again.cells.first else {
            return false
        }
        let wanted = SourceWriter.sourceCell(cell, in: notebook, for: language)
        return wanted.means(SourceWriter.sourceCell(copy, in: again, for: language))
    }
}
