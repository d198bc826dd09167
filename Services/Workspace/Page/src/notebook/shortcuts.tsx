// What the keys do.
import { Dialog } from "../ui/parts";

const groups: Array<[string, Array<[string, string]>]> = [
  ["Everywhere", [["Shift Enter", "run, go to the next cell"], ["Ctrl Enter", "run, stay"], ["Alt Enter", "run, insert a cell below"], ["Ctrl S", "save"], ["Ctrl F", "find and replace; once more: the browser's own"]]],
  ["A cell is selected", [
    ["Enter", "edit"], ["↑ ↓  k j", "other cells"], ["a  b", "insert above, below"], ["d d", "delete"], ["z  Z", "undo, redo"], ["c  x", "copy, cut"], ["v  V", "paste below, above"], ["M", "join with the cell below"], ["m  y  r", "text, code, neither: raw"], ["1 … 6", "a text with a heading of that level"], ["Ctrl Shift ↑ ↓", "move up, down"], ["o", "collapse its outputs, show them"],
    ["i i", "interrupt"], ["0 0", "restart the kernel, after a question"], ["f  s", "find, save"], ["h  ?", "these keys"],
  ]],
  ["Several cells, for which all of these are as well", [
    ["Shift ↑ ↓", "select more, or fewer"], ["K  J", "the same"], ["Shift click", "select up to there"], ["Ctrl A", "select all"], ["M", "join them"], ["Esc", "only this one again"],
  ]],
  ["A cell is edited", [["Esc", "back to the cell"], ["Ctrl Shift -", "split at the cursor"], ["Ctrl /", "comment"], ["Tab", "complete a name; indent at the start of a line"],
    ["Ctrl Space", "complete anywhere"], ["Shift Tab", "documentation of a name; once more: its source"]]],
];

export function Shortcuts({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <div className="dialog-body">
        {groups.map(([title, keys]) => (
          <section key={title} className="stack"><h3>{title}</h3>
            <dl className="facts">{keys.flatMap(([key, text]) => [
              <dt key={key}>{key.split(" ").filter(Boolean).map((one, index) => <span key={index}><kbd>{one}</kbd> </span>)}</dt>,
              <dd key={`${key}=`}>{text}</dd>])}</dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
