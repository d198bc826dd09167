// An example of a value, made from its schema.
import type { Json } from "../api/generated/contract";
import { Schema, nameOf, resolved } from "./document";

// A schema that contains itself, or goes on very deep, ends here.
const deepest = 6;

/** What a field is usually filled with, where its name says more than its schema. */
const usual: Record<string, Json> = {
  path: "/Shared/example", notebook_path: "/Shared/example", source_path: "/Shared/example", destination_path: "/Shared/renamed",
  timezone_id: "Europe/Berlin", quartz_cron_expression: "0 0 6 * * ?", content: "cHJpbnQoMSkK", language: "python",
};

/** An example with the fields that have to be there, or with all of them. */
export function exampleOf(schema: Schema, schemas: Record<string, Schema>, isWhole: boolean): Json {
  return make(schema, schemas, isWhole, "", []);
}

function make(schema: Schema, schemas: Record<string, Schema>, isWhole: boolean, name: string, inside: string[]): Json {
  const reference = schema.$ref ? nameOf(schema.$ref) : undefined;
  if (reference && inside.includes(reference)) return {};
  const within = reference ? [...inside, reference] : inside;
  const one = resolved(schema, schemas);
  if (one.const !== undefined) return one.const;
  if (one.enum) return one.enum[0] ?? "";
  if (one.oneOf) return one.oneOf[0] ? make(one.oneOf[0], schemas, isWhole, name, within) : null;
  const type = Array.isArray(one.type) ? one.type.find((each) => each !== "null") : one.type;
  switch (type) {
    case "string": return text(name);
    case "integer": case "number": return one["x-timestamp"] ? Date.now() : Math.max(one.minimum ?? 0, Math.min(1, one.maximum ?? 1));
    case "boolean": return false;
    case "array": return one.items && (isWhole || (one.minItems ?? 0) > 0) && within.length < deepest
      ? [make(one.items, schemas, isWhole, name, within)] : [];
    case "object": return fields(one, schemas, isWhole, within);
    default: return {};
  }
}

function text(name: string): string {
  const known = usual[name];
  if (typeof known === "string") return known;
  return name.endsWith("_id") || !name ? "…" : name.replace(/_/g, " ");
}

function fields(schema: Schema, schemas: Record<string, Schema>, isWhole: boolean, inside: string[]): Json {
  const made: Record<string, Json> = {};
  const required = new Set(schema.required ?? []);
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    if (required.has(name) || (isWhole && inside.length < deepest)) made[name] = make(member, schemas, isWhole, name, inside);
  }
  return made;
}
