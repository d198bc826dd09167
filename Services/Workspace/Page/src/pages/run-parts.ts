// What several pages know about runs.
import type { RunState } from "../api/generated/contract";

const ended = new Set(["TERMINATED", "SKIPPED", "INTERNAL_ERROR"]);

export function isActive(state: RunState): boolean { return !ended.has(state.life_cycle_state); }
