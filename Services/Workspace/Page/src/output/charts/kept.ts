// Where it is kept what of a cell's tables is charted. Where nothing is, each table knows it by itself for as long as it is shown.
import { createContext } from "react";
import type { Json } from "../../api/generated/contract";

export interface ChartKeeper {
  /** What was chosen for the output at a place among those of the cell. */
  of: (place: number) => Json | undefined;
  /** @param choice nothing when it is a table again. */
  keep: (place: number, choice: Json | undefined) => void;
}

export const Charts = createContext<ChartKeeper | undefined>(undefined);
/** Which output of its cell is around. */
export const OutputPlace = createContext(0);
