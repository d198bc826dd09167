// Brings a file of the user's into the tree; notebooks lose the ending of their name, as in Databricks.
import { ApiError, call } from "../api/client";
import type { ImportObject } from "../api/generated/contract";
import { treeAddress, navigate } from "../app/router";
import { toast } from "../ui/toast";

const limit = 64 << 20;

function encoded(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(new Error(`${file.name} could not be read.`));
    reader.readAsDataURL(file);
  });
}

function bodyFor(name: string, folder: string, content: string): ImportObject {
  const match = /^(.+)\.(ipynb|py|sql)$/i.exec(name);
  const path = (one: string) => folder === "/" ? `/${one}` : `${folder}/${one}`;
  switch (match?.[2]?.toLowerCase()) {
    case "ipynb": return { path: path(match?.[1] ?? name), content, format: "JUPYTER" };
    case "py": return { path: path(match?.[1] ?? name), content, format: "SOURCE", language: "python" };
    case "sql": return { path: path(match?.[1] ?? name), content, format: "SOURCE", language: "sql" };
    default: return { path: path(name), content, format: "AUTO" };
  }
}

export async function upload(file: File, folder: string): Promise<void> {
  if (file.size > limit) throw new Error(`${file.name} is larger than 64 MiB, the most that can be imported.`);
  const body = bodyFor(file.name, folder, await encoded(file));
  for (let count = 1; ; count += 1) {
    const path = count === 1 ? body.path : `${body.path} (${count})`;
    try {
      await call("importObject", { body: { ...body, path } });
      toast(`${path} is here.`, "good", { text: "Open", run: () => navigate(treeAddress(path)) });
      return;
    } catch (error) {
      // What is there is never overwritten: the new one gets a number.
      if (!(error instanceof ApiError) || error.code !== "RESOURCE_ALREADY_EXISTS" || count >= 20) throw error;
    }
  }
}
