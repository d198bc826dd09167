// The tree: folders, notebooks and files. The address says which.
import { call } from "../api/client";
import { useQuery } from "../api/query";
import { Lost } from "../drafts/lost";
import { Link, treePath, useAddress } from "../app/router";
import { NotebookPage, crumbsOf } from "../notebook/page";
import { Card, Empty, Failure, Heading, Loading } from "../ui/parts";
import { FilePage } from "../files/page";
import { Folder } from "./folder";

export function WorkspacePage(_: { id: string }) {
  const { path: address } = useAddress();
  const path = treePath(address);
  const object = useQuery(path === "/" ? null : `object${path}`, (signal) => call("getObject", { path }, signal));
  if (path === "/") return <Folder path="/" />;
  const name = path.split("/").pop() ?? path;
  if (!object.data) {
    return (
      <div className="content">
        <Heading title={name} crumbs={crumbsOf(path)} />
        {object.error?.status === 404 ? (<>
          <Lost key={path} path={path} onSaved={object.refresh} />
          <Empty icon="search" title="It is not here" action={<Link className="button" to="/workspace">Open the workspace</Link>}>
            {path} was moved or deleted, or never existed.</Empty></>
        ) : object.error ? <Failure error={object.error} retry={object.refresh} /> : <Card isFlush><Loading lines={6} /></Card>}
      </div>
    );
  }
  switch (object.data.object_type) {
    case "DIRECTORY": return <Folder key={path} path={path} />;
    case "NOTEBOOK": return <NotebookPage key={object.data.object_id} notebookID={object.data.object_id} path={path} />;
    default: return <FilePage key={path} object={object.data} refresh={object.refresh} onSaved={object.set} />;
  }
}
