// One thing that was found: what it is, where it is, and the words in it.
import { ReactNode } from "react";
import type { SearchResult, TextMark } from "../api/generated/contract";
import { treeAddress } from "../app/router";
import { Icon, IconName } from "../ui/icons";
import { ClusterBadge, RunBadge } from "../ui/parts";
import type { Thing } from "./things";

const thingIcons: Record<Thing["kind"], IconName> = { job: "jobs", cluster: "cluster", run: "runs" };
const icons: Record<SearchResult["object_type"], IconName> = { DIRECTORY: "folder", NOTEBOOK: "notebook", FILE: "file" };

/** Where it is looked at: the cell of a notebook has an address of its own. */
export function addressOfHit(hit: SearchResult): string {
  const address = treeAddress(hit.path);
  return hit.cell_id === undefined ? address : `${address}#cell-${encodeURIComponent(hit.cell_id)}`;
}

/** The text with its marks; they count code points, as scripts beyond the first plane need. */
function marked(text: string, marks: TextMark[]): ReactNode {
  const points = Array.from(text);
  const parts: ReactNode[] = [];
  let at = 0;
  for (const mark of marks) {
    if (mark.start > at) parts.push(points.slice(at, mark.start).join(""));
    parts.push(<mark key={mark.start}>{points.slice(mark.start, mark.start + mark.length).join("")}</mark>);
    at = mark.start + mark.length;
  }
  parts.push(points.slice(at).join(""));
  return parts;
}

function placeOf(hit: SearchResult): string | undefined {
  if (hit.cell_number === undefined) return hit.line === undefined ? undefined : `line ${hit.line}`;
  const others = (hit.cell_count ?? 1) - 1;
  return `cell ${hit.cell_number}${others > 0 ? ` and ${others} more` : ""}`;
}

export function Hit({ hit }: { hit: SearchResult }) {
  const cut = hit.path.lastIndexOf("/");
  const name = hit.path.slice(cut + 1);
  const place = placeOf(hit);
  return (
    <>
      <Icon name={icons[hit.object_type]} size={18} />
      <span className="hit-text">
        <span className="hit-head">
          <span className="hit-name">{hit.place === "NAME" ? marked(hit.excerpt, hit.marks) : name}</span>
          {place && <span className="hit-place">{place}</span>}
          <span className="hit-folder truncate">{hit.path.slice(0, cut) || "/"}</span>
        </span>
        {hit.place === "CONTENT" && <code className="hit-excerpt">{marked(hit.excerpt, hit.marks)}</code>}
      </span>
    </>
  );
}

/** A job, a cluster or a run. */
export function ThingHit({ thing }: { thing: Thing }) {
  return (
    <>
      <Icon name={thingIcons[thing.kind]} size={18} />
      <span className="hit-text">
        <span className="hit-head">
          <span className="hit-name">{marked(thing.name, thing.marks)}</span>
          <span className="hit-folder truncate">{thing.about}</span>
          {thing.cluster && <ClusterBadge state={thing.cluster.state} />}
          {thing.run && <RunBadge state={thing.run.state} />}
        </span>
      </span>
    </>
  );
}
