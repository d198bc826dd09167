// How many cells are selected, for those who hear it.
import { useRef } from "react";

/** Says it when it is more than one, and when it was. */
export function SelectionStatus({ count }: { count: number }) {
  const wasSeveral = useRef(false);
  wasSeveral.current ||= count > 1;
  const text = count > 1 ? `${count} cells selected` : wasSeveral.current ? "One cell selected" : "";
  return <div className="visually-hidden" role="status" aria-live="polite">{text}</div>;
}
