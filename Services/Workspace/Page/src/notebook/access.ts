// What the user may do with the notebook that is open.
import { call } from "../api/client";
import type { PermissionLevel } from "../api/generated/contract";
import { useQuery } from "../api/query";

const running: PermissionLevel[] = ["CAN_RUN", "CAN_EDIT", "CAN_MANAGE", "IS_OWNER"];
const editing: PermissionLevel[] = ["CAN_EDIT", "CAN_MANAGE", "IS_OWNER"];

/** Undefined as long as it is not known. */
export interface Access { mayRun: boolean | undefined; mayEdit: boolean | undefined }

export function useAccess(notebookID: number): Access {
  const permissions = useQuery(`permissions/notebooks/${notebookID}`,
    (signal) => call("getPermissions", { object_type: "notebooks", object_id: String(notebookID) }, signal));
  const level = permissions.data?.effective_level;
  return { mayRun: level && running.includes(level), mayEdit: level && editing.includes(level) };
}
