// What several pages know about clusters.
import type { ClusterState } from "../api/generated/contract";
import { duration } from "../ui/time";

export function isAlive(state: ClusterState): boolean { return state !== "TERMINATED" && state !== "ERROR"; }

/** Whether it can be edited. */
export function isSettled(state: ClusterState): boolean { return state === "RUNNING" || state === "TERMINATED"; }

export function isChanging(state: ClusterState): boolean { return isAlive(state) && state !== "RUNNING"; }

const phases: Record<string, string> = {
  prepare: "Prepare", driver: "Start the driver", spark_jvm: "Start Spark's JVM", spark_session: "Open the session",
  workers: "Start workers", image: "Get the image", container: "Start the container", libraries: "Install libraries",
  spark: "Start Spark", handover: "Take it from the pool", total: "Altogether",
};

/** A phase of a cluster's start in words. */
export function phaseName(name: string): string { return phases[name] ?? name.replace(/_/g, " "); }

/** A message of the service, which counts in milliseconds, with durations as people say them. */
export function withDurations(message: string): string { return message.replace(/\b(\d+) ms\b/g, (_, time: string) => duration(Number(time))); }

/** The details of an event: the durations of its phases in words, all others as they are. */
export function detailsOf(details: Record<string, string>): { times: string; others: string } {
  const isTime = ([name]: [string, string]) => name.endsWith("_ms");
  // How long all of it took comes after its parts.
  const times = Object.entries(details).filter(isTime).sort(([a], [b]) => Number(a === "total_ms") - Number(b === "total_ms"));
  return {
    times: times.map(([name, time]) => `${phaseName(name.slice(0, -3))}: ${duration(Number(time))}`).join(" · "),
    others: Object.entries(details).filter((one) => !isTime(one)).map(([name, value]) => `${name}=${value}`).join(" "),
  };
}
