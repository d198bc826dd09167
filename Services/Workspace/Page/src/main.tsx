// The page: who is signed in, what is around, and which page the address means. Each page is loaded when it is wanted.
import { Component, ComponentType, ReactNode, StrictMode, Suspense, lazy } from "react";
import { createRoot } from "react-dom/client";
import { Link, useAddress } from "./app/router";
import { SignedIn } from "./app/session";
import { Shell } from "./app/shell";
import { applyTheme } from "./app/theme";
import { Home } from "./pages/home";
import { Button, Empty, Heading, Loading } from "./ui/parts";

const Runs = lazy(() => import("./pages/runs").then((module) => ({ default: module.Runs })));
const RunPage = lazy(() => import("./pages/run").then((module) => ({ default: module.RunPage })));
const WorkspacePage = lazy(() => import("./pages/workspace").then((module) => ({ default: module.WorkspacePage })));
const Clusters = lazy(() => import("./pages/clusters").then((module) => ({ default: module.Clusters })));
const ClusterPage = lazy(() => import("./pages/cluster").then((module) => ({ default: module.ClusterPage })));
const Jobs = lazy(() => import("./pages/jobs").then((module) => ({ default: module.Jobs })));
const JobEditor = lazy(() => import("./jobs/page").then((module) => ({ default: module.JobEditor })));
const DeletedJobs = lazy(() => import("./pages/deleted-jobs").then((module) => ({ default: module.DeletedJobs })));
const JobPage = lazy(() => import("./pages/job").then((module) => ({ default: module.JobPage })));
const Trash = lazy(() => import("./pages/trash").then((module) => ({ default: module.Trash })));
const Settings = lazy(() => import("./pages/settings").then((module) => ({ default: module.Settings })));
const Docs = lazy(() => import("./docs/page").then((module) => ({ default: module.Docs })));
const Sql = lazy(() => import("./sql/page").then((module) => ({ default: module.Sql })));
const SearchPage = lazy(() => import("./search/page").then((module) => ({ default: module.SearchPage })));
const Monitoring = lazy(() => import("./pages/monitoring").then((module) => ({ default: module.Monitoring })));

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
