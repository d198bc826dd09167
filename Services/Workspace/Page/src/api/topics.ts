// Follows what comes to an end: a run, a cluster, a log. Whatever breaks, each element comes once and in order.
import { ApiError } from "./client";
import type { LiveMessage } from "./generated/contract";
import { live } from "./live";

const firstDelay = 250;
const mostDelay = 5000;
/** What can be done a moment later. */
const passing = new Set([
  "TEMPORARILY_UNAVAILABLE", "DEADLINE_EXCEEDED", "BAD_UPSTREAM_RESPONSE", "RESOURCE_EXHAUSTED", "BACKEND_UNAVAILABLE",
  "SERVICE_SUPERSEDED", "TLS_CONNECTION_BROKEN", "TLS_HANDSHAKE_FAILED",
]);

interface Topic {
  onEvent: (message: LiveMessage) => void;
  /** Nothing more comes: of a run that is repaired at that moment, more does. Answers whether to look again. */
  onEnd: () => boolean;
  onFailure: (error: ApiError) => void;
}

/** Follows a topic from its beginning; the answer ends that. */
export function followTopic(name: string, { onEvent, onEnd, onFailure }: Topic): () => void {
  let [after, delay, timer] = [0, firstDelay, 0];
  let stop: () => void;
  const again = () => {
    stop();
    timer = window.setTimeout(begin, delay);
    delay = Math.min(delay * 2, mostDelay);
  };
  const take = (message: LiveMessage) => {
    if (message.type === "EVENT") {
      after = message.sequence ?? after;
      delay = firstDelay;
      onEvent(message);
    } else if (message.type === "ENDED") {
      if (onEnd()) again();
      else stop();
    } else if (message.type === "FAILED" && passing.has(message.error_code ?? "")) again();
    else if (message.type === "FAILED") {
      stop();
      onFailure(new ApiError(message.error_code ?? "", message.message ?? "", 400));
    }
  };
  const begin = () => { stop = live.follow(name, { after, onMessage: take }); };
  begin();
  return () => { clearTimeout(timer); stop(); };
}
