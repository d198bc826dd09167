// What a cluster writes, live: the end stays in sight until its user scrolls up.
import { RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { ClusterInfo, LogLine } from "../api/generated/contract";
import { followTopic } from "../api/topics";
import { setQuery, useAddress } from "../app/router";
import { save } from "../output/table";
import { Button, Card, Empty, Note } from "../ui/parts";

/** So many lines are kept, the newest ones. */
const logLimit = 3000;

interface Log { lines: LogLine[]; /** How many older lines have come and are not kept. */ leftOut: number; isOver: boolean; problem?: string }

function useLog(id: string): Log {
  const [log, setLog] = useState<Log>({ lines: [], leftOut: 0, isOver: false });
  useEffect(() => {
    let all: LogLine[] = [];
    let count = 0;
    let frame = 0;
    const show = () => {
      frame = 0;
      if (all.length > logLimit) all = all.slice(-logLimit);
      setLog((before) => ({ ...before, lines: [...all], leftOut: count - all.length }));
    };
    setLog({ lines: [], leftOut: 0, isOver: false });
    const stop = followTopic(`clusters/${id}/logs`, {
      onEvent: ({ log: line }) => {
        if (!line) return;
        all.push(line);
        count += 1;
        // A tab in the back has no frames.
        if (all.length >= 2 * logLimit) all = all.slice(-logLimit);
        if (!frame) frame = requestAnimationFrame(show);
      },
      onEnd: () => { setLog((before) => ({ ...before, isOver: true })); return false; },
      onFailure: ({ message }) => setLog((before) => ({ ...before, problem: message })),
    });
    return () => { stop(); cancelAnimationFrame(frame); };
  }, [id]);
  return log;
}

/** Keeps the end of a box in sight while it grows, unless its user has scrolled away from it. */
function useEnd<T extends HTMLElement>(content: unknown): { box: RefObject<T>; isAtEnd: boolean; look: () => void; toEnd: () => void } {
  const box = useRef<T>(null);
  // Beside the state, which is that of the last drawing: a scroll counts at once.
  const isFollowing = useRef(true);
  const [isAtEnd, setAtEnd] = useState(true);
  const toEnd = useCallback(() => {
    isFollowing.current = true;
    setAtEnd(true);
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, []);
  const look = () => {
    const one = box.current;
    if (!one) return;
    // A place on the screen may be a fraction of a pixel away from a whole one.
    isFollowing.current = one.scrollHeight - one.scrollTop - one.clientHeight < 2;
    setAtEnd(isFollowing.current);
  };
  useLayoutEffect(() => { if (isFollowing.current) toEnd(); }, [content, toEnd]);
  return { box, isAtEnd, look, toEnd };
}

export function Logs({ cluster }: { cluster: ClusterInfo }) {
  const { lines, leftOut, isOver, problem } = useLog(cluster.cluster_id);
  const filter = useAddress().query.get("lines") ?? "";
  const shown = filter ? lines.filter((line) => line.text.toLowerCase().includes(filter.toLowerCase())) : lines;
  const { box, isAtEnd, look, toEnd } = useEnd<HTMLDivElement>(`${shown[shown.length - 1]?.sequence} ${shown.length}`);
  const download = () => save(`${cluster.spec.cluster_name}.log`, "text/plain;charset=utf-8", shown.map((line) => `${line.text}\n`));
  return (
    <Card title="Logs" isFlush actions={<>
      <label className="data-filter"><span className="visually-hidden">Filter lines</span>
        <input type="search" placeholder="Filter" value={filter} onChange={(event) => setQuery("lines", event.target.value || null)} /></label>
      {!isOver && !problem && <span className="row small soft"><span className="spinner" />live</span>}
      <Button isSmall icon="download" disabled={shown.length === 0} onClick={download} title="The lines that are shown, as a file">Download</Button>
    </>}>
      {problem && <div className="card-body"><Note tone="bad">{problem}</Note></div>}
      {leftOut > 0 && <p className="log-note soft small">
        These are the last {logLimit.toLocaleString("en")} lines; {leftOut.toLocaleString("en")} older ones are left out.</p>}
      {shown.length === 0 && !problem ? <Empty icon="file" title={filter ? "No line has this" : "No line yet"} /> : (
        <div className="log-frame">
          {/* Thousands of lines would be read out otherwise, one after the other. */}
          <div ref={box} className="log" tabIndex={0} role="log" aria-live="off" aria-label="Log lines" onScroll={look}>
            {shown.map((line) => <div key={line.sequence} className={line.level === "ERROR" ? "err" : undefined}>{line.text}</div>)}
          </div>
          {!isAtEnd && <Button isSmall icon="down" className="log-end" onClick={toEnd}>To the end</Button>}
        </div>
      )}
    </Card>
  );
}
