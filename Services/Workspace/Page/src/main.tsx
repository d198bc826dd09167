// The page: who is signed in, what is around, and which page the address means. Each page is loaded when it is wanted.
import { Component, ComponentType, ReactNode, StrictMode, Suspense, lazy } from "react";
import { createRoot } from "react-dom/client";
import { loaded } from "./api/connection";
import { Link, useAddress } from "./app/router";
import { SignedIn } from "./app/session";
import { Shell } from "./app/shell";
import { applyTheme } from "./app/theme";
import { Home } from "./pages/home";
import { Button, Empty, Heading, Loading } from "./ui/parts";

const page = (load: () => Promise<ComponentType<{ id: string }>>) => lazy(async () => ({ default: await loaded(load) }));

const Runs = page(() => import("./pages/runs").then((module) => module.Runs));
const RunPage = page(() => import("./pages/run").then((module) => module.RunPage));
const WorkspacePage = page(() => import("./pages/workspace").then((module) => module.WorkspacePage));
const Clusters = page(() => import("./pages/clusters").then((module) => module.Clusters));
const ClusterPage = page(() => import("./pages/cluster").then((module) => module.ClusterPage));
const Jobs = page(() => import("./pages/jobs").then((module) => module.Jobs));
const JobEditor = page(() => import("./jobs/page").then((module) => module.JobEditor));
const DeletedJobs = page(() => import("./pages/deleted-jobs").then((module) => module.DeletedJobs));
const JobPage = page(() => import("./pages/job").then((module) => module.JobPage));
const Trash = page(() => import("./pages/trash").then((module) => module.Trash));
const Settings = page(() => import("./pages/settings").then((module) => module.Settings));
const Docs = page(() => import("./docs/page").then((module) => module.Docs));
const Sql = page(() => import("./sql/page").then((module) => module.Sql));
const SearchPage = page(() => import("./search/page").then((module) => module.SearchPage));
const Monitoring = page(() => import("./pages/monitoring").then((module) => module.Monitoring));

const pages: Array<[RegExp, ComponentType<{ id: string }>]> = [
  [/^\/$/, Home], [/^\/sign-in$/, Home],
  [/^\/workspace(?:\/.*)?$/, WorkspacePage],
  [/^\/trash$/, Trash],
  [/^\/runs$/, Runs], [/^\/runs\/(\d+)$/, RunPage],
  [/^\/clusters$/, Clusters], [/^\/clusters\/([^/]+)$/, ClusterPage],
  [/^\/jobs$/, Jobs], [/^\/jobs\/new$/, JobEditor], [/^\/jobs\/deleted$/, DeletedJobs], [/^\/jobs\/(\d+)$/, JobPage], [/^\/jobs\/(\d+)\/edit$/, JobEditor],
  [/^\/monitoring$/, Monitoring],
  [/^\/sql$/, Sql],
  [/^\/search$/, SearchPage],
  [/^\/settings$/, Settings],
  [/^\/docs$/, Docs], [/^\/docs\/(\w+)$/, Docs],
];

function Page() {
  const { path } = useAddress();
  for (const [pattern, Shown] of pages) {
    const match = pattern.exec(path.length > 1 ? path.replace(/\/$/, "") : path);
    if (!match) continue;
    const id = match[1] ?? "";
    return (
      <Failing path={path}>
        <Suspense fallback={<div className="content"><Loading /></div>}><Shown key={id} id={id} /></Suspense>
      </Failing>
    );
  }
  return (
    <div className="content">
      <Heading title="Nothing is here" />
      <Empty icon="search" title="No page has this address" action={<div className="row wrap">
        <Link className="button primary" to="/">Go home</Link><Link className="button" to="/workspace">Open the workspace</Link>
        <Link className="button" to="/search">Search</Link></div>}>
        <code>{path}</code> may have been moved or deleted, or the address was cut off.
      </Empty>
    </div>
  );
}

/** A defect of one page leaves the way to the others open. What is open stays so when its address changes. */
class Failing extends Component<{ path: string; children: ReactNode }, { error?: Error }> {
  state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) { return { error }; }

  componentDidUpdate(before: { path: string }) { if (before.path !== this.props.path && this.state.error) this.setState({ error: undefined }); }

  render() {
    if (!this.state.error) return this.props.children;
    return (
      <div className="content">
        <Heading title="This page could not be shown" />
        <Empty icon="alert" title={this.state.error.message} action={<Button onClick={() => location.reload()}>Load it again</Button>}>
          What you saved is safe. After an update of DataHarbour, loading the page again is all that is needed.
        </Empty>
      </div>
    );
  }
}

applyTheme();
const place = document.getElementById("page");
if (place) {
  createRoot(place).render(<StrictMode><SignedIn><Shell><Page /></Shell></SignedIn></StrictMode>);
}
