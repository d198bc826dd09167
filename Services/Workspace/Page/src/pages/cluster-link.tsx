// Clusters by their names, wherever only their ids are kept.
import { call } from "../api/client";
import { useQuery } from "../api/query";
import { Link } from "../app/router";

/** The names of clusters by their ids; one that is gone, or that may not be seen, has none. */
export function useClusterNames(ids: string[]): Map<string, string> {
  const asked = [...new Set(ids)].sort();
  const names = useQuery(asked.length > 0 ? `cluster-names/${asked.join()}` : null, async (signal) => new Map(await Promise.all(
    asked.map(async (id): Promise<[string, string]> => {
      const found = await call("getCluster", { cluster_id: id }, signal).catch(() => undefined);
      return [id, found?.spec.cluster_name ?? id];
    }))));
  return names.data ?? new Map<string, string>();
}

/** The way to a cluster, by its name where that is known, and with what stands before it. */
export function ClusterLink({ id, names, before = "" }: { id: string; names: Map<string, string>; before?: string }) {
  return <Link to={`/clusters/${id}`} title={id}>{before}{names.get(id) ?? id}</Link>;
}
