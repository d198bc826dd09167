// Two texts of a notebook beside each other.
import { Fragment, useState } from "react";
import { Button } from "../ui/parts";
import type { CellDifference, Line, Place, Row } from "./differing";

/** What both sides are called, what is said of a cell that only one of them has, and of where one is on the right. */
export interface Sides { left: string; right: string; onlyLeft: string; onlyRight: string; there: string }

const kinds: Record<Place["type"], string> = { code: "code", markdown: "a text", raw: "raw" };
/** How many cells are shown at first. */
const most = 50;

export function Differences({ found, sides }: { found: CellDifference[]; sides: Sides }) {
  const [isAll, setAll] = useState(false);
  const shown = isAll ? found : found.slice(0, most);
  return (
    <div className="differences">
      {shown.map((one) => <Cell key={one.id} one={one} sides={sides} />)}
      {shown.length < found.length && <Button onClick={() => setAll(true)}>Show {found.length - shown.length} more</Button>}
    </div>
  );
}

function titleOf({ left, right }: CellDifference, sides: Sides): string {
  if (!left || !right) return `Cell ${(left ?? right)?.place ?? ""}, ${left ? sides.onlyLeft : sides.onlyRight}`;
  return left.place === right.place ? `Cell ${left.place}` : `Cell ${left.place}, ${sides.there} cell ${right.place}`;
}

function notesOf({ left, right, isMoved, settings }: CellDifference, sides: Sides): string[] {
  return [
    isMoved && "It stands elsewhere.",
    left && right && left.type !== right.type && `${sides.left} ${kinds[left.type]}, ${sides.right.toLowerCase()} ${kinds[right.type]}.`,
    settings.length > 0 && `Its settings differ: ${settings.join(", ")}.`,
  ].filter((note): note is string => Boolean(note));
}

function Cell({ one, sides }: { one: CellDifference; sides: Sides }) {
  const title = titleOf(one, sides);
  const notes = notesOf(one, sides);
  return (
    <section className="difference" aria-label={title}>
      <h3>{title}</h3>
      {notes.length > 0 && <p className="soft small">{notes.join(" ")}</p>}
      {one.rows.length > 0 && (
        <table>
          <thead><tr>{[sides.left, sides.right].map((side) => (
            <Fragment key={side}><th scope="col"><span className="visually-hidden">Line</span></th><th scope="col">{side}</th></Fragment>
          ))}</tr></thead>
          <tbody>{one.rows.map((row, index) => <Lines key={index} row={row} />)}</tbody>
        </table>
      )}
    </section>
  );
}

function Lines({ row }: { row: Row }) {
  if (row.kind === "hidden") {
    return <tr className="hidden-lines"><td colSpan={4}>{row.count === 1 ? "one line" : `${row.count} lines`} alike</td></tr>;
  }
  return (
    <tr className={row.kind}>
      <Side line={row.left} name="left" />
      <Side line={row.right} name="right" />
    </tr>
  );
}

function Side({ line, name }: { line?: Line; name: "left" | "right" }) {
  const Own = name === "left" ? "del" : "ins";
  return (
    <>
      <td className={`line-number ${name}`}>{line?.number}</td>
      <td className={line ? `line ${name}` : `line ${name} absent`}>
        {line?.pieces.map((piece, index) => (piece.isOwn ? <Own key={index}>{piece.text}</Own> : <span key={index}>{piece.text}</span>))}
      </td>
    </>
  );
}
