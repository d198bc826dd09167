// What is found besides the workspace: jobs and clusters by their names, and a run by its number.
import type { ClusterInfo, Job, Run, TextMark } from "../api/generated/contract";

export interface Thing {
  kind: "job" | "cluster" | "run";
  name: string;
  marks: TextMark[];
  /** What else is said of it. */
  about: string;
  /** Its state, of a cluster and a run. */
  cluster?: ClusterInfo;
  run?: Run;
  address: string;
  rank: number;
}

/** How well a name has what was asked for: all of it, its beginning, the beginning of its words, or parts of it. */
export interface Match { rank: number; marks: TextMark[] }

const isLetter = (one: string | undefined) => one !== undefined && /[\p{L}\p{N}]/u.test(one);

/** Undefined when one of the words is not there. Marks count code points, as those of the server do. */
export function matchOf(name: string, query: string): Match | undefined {
  const points = Array.from(name, (one) => one.toLowerCase());
  const words = query.toLowerCase().split(" ").filter(Boolean).map((word) => Array.from(word));
  const marks: TextMark[] = [];
  let isAtWords = true;
  for (const word of words) {
    const places = points.flatMap((_one, start) => word.every((letter, index) => points[start + index] === letter) ? [start] : []);
    const best = places.find((start) => !isLetter(points[start - 1])) ?? places[0];
    if (best === undefined) return undefined;
    isAtWords &&= !isLetter(points[best - 1]);
    if (marks.every((one) => best >= one.start + one.length || best + word.length <= one.start)) marks.push({ start: best, length: word.length });
  }
  const whole = points.join("");
  const rank = whole === query.toLowerCase() ? 0 : whole.startsWith(query.toLowerCase()) ? 1 : isAtWords ? 2 : 3;
  return { rank, marks: marks.sort((a, b) => a.start - b.start) };
}

/** The number that is asked for, if it is one. */
export function numberIn(query: string | undefined): number | undefined {
  const digits = /^(?:run )?#?(\d{1,15})$/i.exec(query ?? "")?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** As many of a kind are shown: there are pages for the others. */
const most = 5;

const best = (things: Thing[]) => things.sort((a, b) => a.rank - b.rank || a.name.localeCompare(b.name)).slice(0, most);

/** The best of each kind; the run first, which nothing but its number leads to. */
export function thingsOf(query: string, jobs: Job[], clusters: ClusterInfo[], run: Run | undefined): Thing[] {
  const found = (name: string, thing: Omit<Thing, "name" | "marks" | "rank">): Thing[] => {
    const match = matchOf(name, query);
    return match ? [{ name, ...thing, ...match }] : [];
  };
  const ran: Thing[] = run ? [{
    kind: "run", name: `Run ${run.run_id}`, marks: [], about: run.run_name, run, address: `/runs/${run.run_id}`, rank: 0,
  }] : [];
  return [
    ...ran,
    ...best(jobs.flatMap((job) => found(job.settings.name, { kind: "job", about: "Job", address: `/jobs/${job.job_id}` }))),
    ...best(clusters.flatMap((cluster) => found(cluster.spec.cluster_name, { kind: "cluster", about: "Cluster", cluster, address: `/clusters/${cluster.cluster_id}` }))),
  ];
}
