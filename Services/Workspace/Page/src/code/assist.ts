// Who can be asked about code while it is being written.
import type { Completion, Inspection } from "../api/generated/contract";

/** Cursors are counted in code points, as kernels count. */
export interface Assistant {
  complete: (code: string, cursor: number, signal: AbortSignal) => Promise<Completion>;
  inspect: (code: string, cursor: number, detail: number, signal: AbortSignal) => Promise<Inspection>;
}
