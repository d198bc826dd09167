// What several pages know about clusters.
import type { ClusterState } from "../api/generated/contract";

export function isAlive(state: ClusterState): boolean { return state !== "TERMINATED" && state !== "ERROR"; }

export function isChanging(state: ClusterState): boolean { return isAlive(state) && state !== "RUNNING"; }

const phases: Record<string, string> = {
  prepare: "Prepare", driver: "Start the driver", spark_jvm: "Start Spark's JVM", spark_session: "Open the session",
  workers: "Start workers", image: "Get the image", container: "Start the container", libraries: "Install libraries",
};

/** A phase of a cluster's start in words. */
export function phaseName(name: string): string { return phases[name] ?? name.replace(/_/g, " "); }
