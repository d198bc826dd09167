// All runs, the newest first.
import { useState } from "react";
import { call } from "../api/client";
import type { Run } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { setQuery, useAddress } from "../app/router";
import { Button, Card, Empty, Failure, Heading, Loading } from "../ui/parts";
import { Filter, NoneAsked, isAsked, useFiltering } from "../ui/filter";
import { toastError } from "../ui/toast";
import { RunTable } from "./home";

export function Runs() {
  const { query } = useAddress();
  const isOnlyActive = query.get("active") === "true";
  const key = `runs/${isOnlyActive}`;
  const runs = useQuery(key, (signal) => call("listRuns", { page_size: 50, active_only: isOnlyActive }, signal), "runs");
  const [read, setOlder] = useState<{ key: string; runs: Run[]; token?: string }>();
  const older = read?.key === key ? read : undefined;
  const token = older ? older.token : runs.data?.next_page_token;
  const more = () => {
    call("listRuns", { page_size: 50, active_only: isOnlyActive, page_token: token }).then(
      (page) => setOlder({ key, runs: [...(older?.runs ?? []), ...page.runs], token: page.next_page_token }), toastError);
  };
  const shown = [...(runs.data?.runs ?? []), ...(older?.runs ?? [])]
    .filter((run, index, all) => all.findIndex((one) => one.run_id === run.run_id) === index);
  const filtering = useFiltering();
  const asked = shown.filter((run) => isAsked(filtering, run.run_name ?? "", statesOf(run)));
  return (
    <div className="content">
      <Heading title="Runs" actions={
        <Button aria-pressed={isOnlyActive} onClick={() => setQuery("active", isOnlyActive ? null : "true")}>
          {isOnlyActive ? "Show all" : "In progress only"}
        </Button>} />
      {runs.error && <Failure error={runs.error} retry={runs.refresh} />}
      {runs.data && (shown.length > 1 || filtering.isOn) && <Filter what="runs" states={["RUNNING", "PENDING", "SUCCESS", "FAILED", "CANCELED", "TIMEDOUT"]} />}
      <Card isFlush>
        {!runs.data ? <Loading lines={6} /> : shown.length === 0 && isOnlyActive ? (
          <Empty icon="runs" title="Nothing is under way" action={<Button onClick={() => setQuery("active", null)}>Show all runs</Button>}>
            What begins is here at once.</Empty>
        ) : shown.length > 0 && asked.length === 0 ? <NoneAsked what="runs" /> : <RunTable runs={asked} />}
        {token && <div className="data-more"><Button onClick={more}>Show older runs</Button></div>}
      </Card>
    </div>
  );
}

/** What it is doing, and what came of it. */
function statesOf({ state }: Run): string[] { return [state.life_cycle_state, ...state.result_state ? [state.result_state] : []]; }
